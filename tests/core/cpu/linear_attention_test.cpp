// SPDX-License-Identifier: GPL-3.0-or-later
// Linear attention: all forms are one sum, for every feature map and rule, in both precisions; the science's closed
// forms; and what holds whatever the numbers are.
#include "core/cpu/linear/linear_attention.h"
#include "core/cpu/linear/linear_state.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "linear_problem.h"
#include "tests/sentence.h"

#include <QTest>
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::FeatureMap;
using cpu::LinearForm;
using cpu::LinearRule;
using cpu::LinearShape;

namespace {

constexpr LinearForm formsAfterRecurrent[] = {LinearForm::Parallel, LinearForm::Cumsum, LinearForm::Chunked};
constexpr LinearForm allForms[] = {LinearForm::Reference, LinearForm::Parallel, LinearForm::Recurrent,
                                   LinearForm::Cumsum, LinearForm::Chunked};

/// Every map with every rule that there is, 37 steps in chunks of 8.
std::vector<LinearShape> everyShape() {
    std::vector<LinearShape> all;
    for (const auto& map : cpu::featureMaps())
        for (const auto& rule : cpu::linearRules())
            for (const bool causal : {false, true})
                for (const bool normalise : {false, true}) {
                    LinearShape s;
                    s.batch = 1;
                    s.heads = 2;
                    s.queryLen = causal ? 37 : 21;
                    s.keyLen = 37;
                    s.headDim = 6;
                    s.valueDim = 5;
                    s.features = 11;
                    s.map = map.id;
                    s.rule = rule.id;
                    s.causal = causal;
                    s.normalise = normalise;
                    s.chunk = 8;
                    try {
                        cpu::checkShape(s);
                    } catch (const InputError&) {
                        continue;
                    }
                    all.push_back(s);
                }
    return all;
}

/// Whether a denominator may come so close to zero that a row says nothing about the form that made it.
bool dividesByLittle(const LinearShape& s) {
    return s.normalise &&
           (s.map == FeatureMap::Identity || s.rule == LinearRule::Delta || s.rule == LinearRule::GatedDelta);
}

void addShapes() {
    QTest::addColumn<int>("index");
    const std::vector<LinearShape> all = everyShape();
    for (size_t i = 0; i < all.size(); ++i)
        if (!dividesByLittle(all[i]))
            QTest::newRow(nameOf(all[i]).c_str()) << static_cast<int>(i);
}

LinearShape shapeAt(int index) { return everyShape()[static_cast<size_t>(index)]; }

template <class T, class U>
QString differences(const LinearResult<T>& made, const LinearResult<U>& exact, double bound) {
    for (const auto& [name, error] :
         {std::pair("o", apart(made.o, exact.o)), std::pair("state", apart(made.state, exact.state)),
          std::pair("z", apart(made.z, exact.z))})
        if (!(error <= bound))
            return QString("%1 is %2 apart").arg(name).arg(error);
    return {};
}

LinearShape causalShape(int64_t n, int64_t d, int64_t columns) {
    LinearShape s;
    s.queryLen = s.keyLen = n;
    s.headDim = d;
    s.valueDim = columns;
    s.causal = true;
    return s;
}

std::string sentenceOf(const LinearShape& s) {
    return test::sentenceOf([&] { cpu::checkShape(s); });
}

} // namespace

class LinearAttentionTest : public QObject {
    Q_OBJECT
  private slots:
    void cleanup() { cpu::useTarget(""); }

    void allFormsAreOneSum_data() { addShapes(); }
    void allFormsAreOneSum() {
        QFETCH(int, index);
        const OwnedLinear<double> problem(shapeAt(index));
        const LinearResult<double> exact = problem.run(LinearForm::Recurrent);
        for (const LinearForm form : formsAfterRecurrent) {
            const QString wrong = differences(problem.run(form), exact, 1e-12);
            QVERIFY2(wrong.isEmpty(),
                     qPrintable(cpu::linearForms()[static_cast<size_t>(form)].name.data() + (": " + wrong)));
        }
    }

    void inSinglePrecisionToo_data() { addShapes(); }
    void inSinglePrecisionToo() {
        QFETCH(int, index);
        const OwnedLinear<float> problem(shapeAt(index));
        const LinearResult<float> exact = problem.run(LinearForm::Reference);
        for (const LinearForm form : allForms) {
            const QString wrong = differences(problem.run(form), exact, 1e-5);
            QVERIFY2(wrong.isEmpty(),
                     qPrintable(cpu::linearForms()[static_cast<size_t>(form)].name.data() + (": " + wrong)));
        }
    }

    void theChunksProductsAreExactForAnyLengths_data() {
        QTest::addColumn<QString>("target");
        for (const std::string& target : cpu::supportedTargets())
            QTest::newRow(target.c_str()) << QString::fromStdString(target);
    }
    void theChunksProductsAreExactForAnyLengths() { // for every instruction set
        QFETCH(QString, target);
        cpu::useTarget(target.toStdString());
        for (const bool causal : {true, false})
            for (const auto& [n, d, columns] :
                 {std::array<int64_t, 3>{1, 1, 1}, {65, 16, 16}, {300, 64, 64}, {259, 33, 70}})
                for (const int64_t chunk : {1, 7, 64, 100, 1000})
                    for (const LinearRule rule : {LinearRule::Add, LinearRule::Retention}) {
                        LinearShape s = causalShape(n, d, columns);
                        s.heads = 3;
                        s.causal = causal;
                        s.queryLen += causal ? 0 : 11;
                        s.chunk = chunk;
                        s.rule = causal ? rule : LinearRule::Add;
                        s.normalise = chunk != 7;
                        const OwnedLinear<float> problem(s);
                        const LinearResult<float> exact = problem.run(LinearForm::Reference),
                                                  made = problem.run(LinearForm::Chunked);
                        const QString wrong = differences(made, exact, 3e-6);
                        QVERIFY2(wrong.isEmpty(),
                                 qPrintable(QString("n %1, d %2, chunk %3: ").arg(n).arg(d).arg(chunk) + wrong));
                        const LinearResult<float> more = problem.run(LinearForm::Chunked, 2);
                        QVERIFY(more.o == made.o && more.state == made.state && more.z == made.z);
                    }
        for (const auto& map : cpu::featureMaps()) { // each with vectors of this set
            LinearShape s = causalShape(70, 12, 20);
            s.causal = map.id != FeatureMap::Softmax;
            s.normalise = map.id != FeatureMap::Identity;
            s.map = map.id;
            const OwnedLinear<float> problem(s);
            const QString wrong =
                differences(problem.run(LinearForm::Chunked), problem.run(LinearForm::Reference), 1e-5);
            QVERIFY2(wrong.isEmpty(), qPrintable(QString(map.name.data()) + ": " + wrong));
        }
    }

    void exponentialsOfLargeNumbersAreInfiniteAsTheyAreInDoublePrecision() {
        for (const std::string& target : cpu::supportedTargets()) {
            cpu::useTarget(target);
            LinearShape s = causalShape(8, 8, 3);
            s.normalise = false;
            s.scale = 1;
            const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
            for (const FeatureMap map : {FeatureMap::Exp, FeatureMap::Elu1, FeatureMap::Relu, FeatureMap::Relu2}) {
                s.map = map;
                OwnedLinear<float> problem(s);
                std::fill(problem.v.begin(), problem.v.end(), 1.0f);
                std::fill(problem.q.begin(), problem.q.end(), 0.0f);
                for (size_t i = 0; i < 8; ++i)
                    problem.k[i] = std::array{88.5f, 89.0f, 300.0f, inf, -inf, nan, -200.0f, 3.0f}[i];
                const std::vector<float> made = problem.run(LinearForm::Chunked).z,
                                         exact = problem.run(LinearForm::Reference).z;
                for (size_t i = 0; i < 8; ++i)
                    QVERIFY2(made[i] == exact[i] || (std::isnan(made[i]) && std::isnan(exact[i])) ||
                                 std::fabs(made[i] / exact[i] - 1) < 1e-5f,
                             qPrintable(QString("%1 of %2: %3, not %4")
                                            .arg(i)
                                            .arg(static_cast<int>(map))
                                            .arg(made[i])
                                            .arg(exact[i])));
            }
        }
    }

    void theStateStepByStepIsTheRecurrentForm_data() { addShapes(); }
    void theStateStepByStepIsTheRecurrentForm() {
        QFETCH(int, index);
        LinearShape s = shapeAt(index);
        if (!s.causal)
            QSKIP("the state after each step is that of the causal form");
        s.heads = 1;
        const OwnedLinear<double> problem(s);
        const LinearResult<double> exact = problem.run(LinearForm::Recurrent);
        cpu::LinearState state(s);
        const auto row = [](const std::vector<double>& x, int64_t t, int64_t width) {
            return std::span(x).subspan(static_cast<size_t>(t * width), static_cast<size_t>(width));
        };
        std::vector<double> o;
        for (int64_t t = 0; t < s.keyLen; ++t) {
            const bool gated = s.rule == LinearRule::Gla;
            state.step(row(problem.k, t, s.headDim), row(problem.v, t, s.valueDim),
                       row(problem.decay, t, gated ? state.features() : 1), problem.beta[static_cast<size_t>(t)]);
            const std::vector<double> read = state.read(row(problem.q, t, s.headDim));
            o.insert(o.end(), read.begin(), read.end());
        }
        QCOMPARE_LE(apart(o, exact.o), 1e-14);
        QCOMPARE_LE(apart(state.matrix(), exact.state), 1e-14);
        QCOMPARE_LE(apart(state.normaliser(), exact.z), 1e-14);
    }

    void theNumbersOfThePaperHold() { // worked out by hand
        LinearShape s = causalShape(3, 2, 2);
        const std::vector<double> q{0, 1, 1, -1, 2, 0}, k{1, 0, 0, 1, -1, 2}, v{1, 0, 0, 1, 2, 2};
        const std::vector<double> causal{1, 0, .614879199, .385120801, .944337940, .820142404};
        const std::vector<double> all{1.089008991, 1.154079777, .899769863, .717268010, .944337940, .820142404};
        for (const LinearForm form : allForms)
            for (const bool isCausal : {true, false}) {
                s.causal = isCausal;
                std::vector<double> o(6);
                cpu::linearAttention(
                    form, s, cpu::LinearTensors<double>{q.data(), k.data(), v.data(), nullptr, nullptr, o.data()});
                const std::vector<double>& expected = isCausal ? causal : all;
                for (size_t i = 0; i < o.size(); ++i)
                    QVERIFY(std::fabs(o[i] - expected[i]) < 1e-9);
            }
        QCOMPARE(cpu::retentionDecay(0), .96875);
        QCOMPARE(cpu::retentionDecay(7), .999755859375);
    }

    void nothingBeforeAChangedStepChanges_data() { addShapes(); }
    void nothingBeforeAChangedStepChanges() { // not by a bit, whatever it becomes
        QFETCH(int, index);
        const LinearShape s = shapeAt(index);
        if (!s.causal)
            QSKIP("there is no mask");
        const OwnedLinear<float> problem(s);
        const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
        for (const LinearForm form : allForms) {
            const std::vector<float> before = problem.run(form).o;
            for (const int64_t t : {int64_t{1}, int64_t{8}, int64_t{13}, s.keyLen - 1})
                for (const float poison : {3.0f, inf, nan}) {
                    OwnedLinear<float> other = problem;
                    for (auto* x : {&other.q, &other.k})
                        (*x)[static_cast<size_t>(t * s.headDim + 1)] = poison;
                    other.v[static_cast<size_t>(t * s.valueDim)] = poison;
                    other.beta[static_cast<size_t>(t)] = poison;
                    other.decay[static_cast<size_t>(t) * (other.decay.size() / other.beta.size())] = poison;
                    const std::vector<float> after = other.run(form).o;
                    const auto size = sizeof(float) * static_cast<size_t>(t * s.valueDim);
                    QVERIFY2(std::memcmp(before.data(), after.data(), size) == 0,
                             qPrintable(QString("form %1, step %2").arg(static_cast<int>(form)).arg(t)));
                    QVERIFY2(std::memcmp(before.data(), after.data(),
                                         size + sizeof(float) * static_cast<size_t>(s.valueDim)) != 0,
                             "the step itself does not change");
                }
        }
    }

    void favorsKeysDoNotTellOfALaterLargerOne() { // as a maximum over all of them would
        LinearShape s = causalShape(20, 6, 4);
        s.map = FeatureMap::Favor;
        s.features = 11;
        const OwnedLinear<float> problem(s);
        OwnedLinear<float> other = problem;
        const std::vector<double> omega = cpu::favorProjection(s);
        for (size_t i = 0; i < 6; ++i) // in the direction of an ω its exponent is the largest there can be
            other.k[17 * 6 + i] = static_cast<float>(omega[i] * std::pow(6, 0.25));
        for (const LinearForm form : allForms) {
            const std::vector<float> before = problem.run(form).o, after = other.run(form).o;
            QVERIFY(std::memcmp(before.data(), after.data(), sizeof(float) * 17 * 4) == 0);
            QVERIFY(std::memcmp(before.data(), after.data(), sizeof(float) * 18 * 4) != 0);
        }
    }

    void bitsDoNotDependOnThreads_data() { addShapes(); }
    void bitsDoNotDependOnThreads() {
        QFETCH(int, index);
        const OwnedLinear<float> problem(shapeAt(index));
        for (const LinearForm form : allForms) {
            const LinearResult<float> one = problem.run(form, 1);
            for (const int threads : {2, 3, 0}) {
                const LinearResult<float> more = problem.run(form, threads);
                for (const auto& [a, b] :
                     {std::pair(&one.o, &more.o), std::pair(&one.state, &more.state), std::pair(&one.z, &more.z)})
                    QVERIFY(std::memcmp(a->data(), b->data(), sizeof(float) * a->size()) == 0);
            }
        }
    }

    void whatIsHeldIsWhatWasSaid_data() { addShapes(); }
    void whatIsHeldIsWhatWasSaid() {
        QFETCH(int, index);
        const OwnedLinear<float> problem(shapeAt(index));
        for (const LinearForm form : allForms)
            for (const int threads : {1, 2}) {
                LinearResult<float> result;
                const auto cost =
                    cpu::linearAttention(form, problem.shape, problem.tensors(result), {threads, nullptr});
                const int64_t most = cpu::extraBytesAtMost(form, problem.shape, threads);
                QVERIFY2(cost.extraBytes <= most && most <= 2 * cost.extraBytes + 4096,
                         qPrintable(
                             QString("form %1: %2 of %3").arg(static_cast<int>(form)).arg(cost.extraBytes).arg(most)));
            }
    }

    void deltaRuleRecallsOrthonormalKeysAndKeepsTheLastValue() {
        LinearShape s = causalShape(6, 6, 4);
        s.normalise = false;
        s.map = FeatureMap::Identity;
        for (const LinearRule rule : {LinearRule::Add, LinearRule::Delta})
            for (const LinearForm form : allForms) {
                s.rule = rule;
                OwnedLinear<double> problem(s);
                std::fill(problem.k.begin(), problem.k.end(), 0.0);
                for (size_t i = 0; i < 5; ++i)
                    problem.k[i * 6 + i] = 1;
                problem.k[5 * 6 + 2] = 1; // the key of step 2 again
                std::fill(problem.beta.begin(), problem.beta.end(), 1.0);
                for (size_t step = 0; step < 6; ++step) // at the end, each key is asked for
                    std::copy_n(problem.k.begin() + static_cast<ptrdiff_t>(step % 5 * 6), 6,
                                problem.q.begin() + static_cast<ptrdiff_t>(step * 6));
                const LinearResult<double> result = problem.run(form);
                for (size_t key = 0; key < 5; ++key)
                    for (size_t c = 0; c < 4; ++c) {
                        const double first = problem.v[key * 4 + c], again = problem.v[5 * 4 + c];
                        const double expected = key != 2 ? first : rule == LinearRule::Delta ? again : first + again;
                        QCOMPARE(result.state[key * 4 + c], expected); // S ᵀ k of a unit key
                    }
                QCOMPARE(result.o[4 * 4], problem.v[4 * 4]);
            }
    }

    void favorErrorFallsAsOneOverTheRoot() {
        LinearShape s = causalShape(64, 16, 8);
        s.causal = false;
        s.map = FeatureMap::Favor;
        OwnedLinear<double> problem(s);
        for (auto* x : {&problem.q, &problem.k}) // the variance is e^(|q + k|²/√d): of larger ones, m has to be huge
            for (double& number : *x)
                number /= 3;
        std::vector<double> exact(problem.q.size() / 2); // softmax attention
        for (int64_t i = 0; i < 64; ++i) {
            double sum = 0;
            std::vector<double> row(8);
            for (int64_t j = 0; j < 64; ++j) {
                double score = 0;
                for (int64_t f = 0; f < 16; ++f)
                    score += problem.q[static_cast<size_t>(i * 16 + f)] * problem.k[static_cast<size_t>(j * 16 + f)];
                const double p = std::exp(score / 4);
                sum += p;
                for (int64_t c = 0; c < 8; ++c)
                    row[static_cast<size_t>(c)] += p * problem.v[static_cast<size_t>(j * 8 + c)];
            }
            for (int64_t c = 0; c < 8; ++c)
                exact[static_cast<size_t>(i * 8 + c)] = row[static_cast<size_t>(c)] / sum;
        }
        double errors[2] = {};
        for (const bool orthogonal : {false, true}) {
            double sx = 0, sy = 0, sxx = 0, sxy = 0, count = 0;
            for (int64_t m = 128; m <= 4096; m *= 2) {
                double square = 0;
                for (uint64_t seed = 1; seed <= 8; ++seed) {
                    OwnedLinear<double> other = problem;
                    other.shape.features = m;
                    other.shape.seed = seed;
                    other.shape.orthogonal = orthogonal;
                    const std::vector<double> o = other.run(LinearForm::Chunked).o;
                    for (size_t i = 0; i < o.size(); ++i)
                        square += (o[i] - exact[i]) * (o[i] - exact[i]);
                }
                const double x = std::log(static_cast<double>(m)), y = std::log(square) / 2;
                sx += x, sy += y, sxx += x * x, sxy += x * y, ++count;
                errors[orthogonal] += y;
            }
            const double slope = (count * sxy - sx * sy) / (count * sxx - sx * sx);
            QVERIFY2(std::fabs(slope + 0.5) < 0.08, qPrintable(QString("slope %1").arg(slope)));
        }
        QVERIFY2(errors[1] < errors[0], "orthogonal ω are no better");
    }

    void favorsOmegaAreOrthogonalBlocksAsLongAsNormalOnes() {
        LinearShape s = causalShape(1, 16, 1);
        s.map = FeatureMap::Favor;
        s.features = 40; // two blocks and a half
        const std::vector<double> omega = cpu::favorProjection(s);
        double lengths = 0;
        for (int64_t a = 0; a < 40; ++a)
            for (int64_t b = 0; b <= a; ++b) {
                double dot = 0;
                for (int64_t i = 0; i < 16; ++i)
                    dot += omega[static_cast<size_t>(a * 16 + i)] * omega[static_cast<size_t>(b * 16 + i)];
                if (a == b)
                    lengths += dot;
                else if (a / 16 == b / 16)
                    QVERIFY(std::fabs(dot) < 1e-12);
            }
        QVERIFY(std::fabs(lengths / 40 - 16) < 4); // the mean of χ²(16); its deviation here is 0.9
        LinearShape other = s;
        other.seed = 1;
        QVERIFY(cpu::favorProjection(other) != omega);
        QVERIFY(cpu::favorProjection(s) == omega);
    }

    void aDenominatorOfZeroIsIeees() {
        LinearShape s = causalShape(3, 2, 2);
        s.map = FeatureMap::Relu;
        for (const LinearForm form : allForms) {
            OwnedLinear<float> problem(s);
            problem.q = {-1, -1, 1, 1, 1, 1};
            problem.k = {1, 1, 1, 1, 1, 1};
            const std::vector<float> o = problem.run(form).o;
            QVERIFY(std::isnan(o[0]) && std::isnan(o[1]) && std::isfinite(o[2]) && std::isfinite(o[5]));
        }
        s = causalShape(2, 2, 2);
        s.causal = false;
        s.keyLen = 0;
        for (const LinearForm form : allForms) { // no keys at all
            QVERIFY(std::isnan(OwnedLinear<float>(s).run(form).o[0]));
            LinearShape plain = s;
            plain.normalise = false;
            QCOMPARE(OwnedLinear<float>(plain).run(form).o[0], 0.0f);
        }
    }

    void aChunkLongerThanTheSequenceIsAllOfIt() {
        LinearShape s = causalShape(20, 4, 4);
        s.chunk = 20;
        const LinearResult<float> whole = OwnedLinear<float>(s).run(LinearForm::Chunked);
        s.chunk = int64_t{1} << 62;
        QCOMPARE(OwnedLinear<float>(s).run(LinearForm::Chunked).o, whole.o);
        QVERIFY(cpu::extraBytesAtMost(LinearForm::Chunked, s) < 1 << 20);
    }

    void whatThereIsNotIsRefusedInASentence() {
        const LinearShape good = causalShape(4, 4, 4);
        const auto with = [&](auto change) {
            LinearShape s = good;
            change(s);
            return QString::fromStdString(sentenceOf(s));
        };
        QVERIFY(with([](LinearShape&) {}).isEmpty());
        QVERIFY(with([](LinearShape& s) { s.map = FeatureMap::Favor, s.features = 0; }).contains("0 random features"));
        QVERIFY(with([](LinearShape& s) { s.chunk = 0; }).contains("chunk of 0"));
        QVERIFY(with([](LinearShape& s) { s.map = FeatureMap::Softmax; }).contains("not causal"));
        QVERIFY(with([](LinearShape& s) { s.rule = LinearRule::Gla, s.causal = false; }).contains("gla is causal"));
        QVERIFY(with([](LinearShape& s) { s.keyLen = 5; }).contains("4 queries and 5 keys"));
        QVERIFY(with([](LinearShape& s) { s.scale = -1; }).contains("scale is -1"));
        QVERIFY(with([](LinearShape& s) { s.scale = std::numeric_limits<double>::quiet_NaN(); }).contains("scale"));
        QVERIFY(with([](LinearShape& s) { s.headDim = 0; }).contains("headDim is 0"));
        QVERIFY(with([](LinearShape& s) { s.valueDim = 1000; }).contains("valueDim is 1000"));
        LinearShape gated = good;
        gated.rule = LinearRule::GatedDelta;
        const OwnedLinear<float> problem(gated);
        LinearResult<float> result;
        cpu::LinearTensors<float> t = problem.tensors(result);
        t.decay = nullptr;
        QVERIFY_THROWS_EXCEPTION(InputError, cpu::linearAttention(LinearForm::Chunked, gated, t));
        t.decay = problem.decay.data();
        t.beta = nullptr;
        QVERIFY_THROWS_EXCEPTION(InputError, cpu::linearAttention(LinearForm::Chunked, gated, t));
    }

    void whatIsCancelledStops() {
        const OwnedLinear<float> problem(causalShape(16, 4, 4));
        LinearResult<float> result;
        const std::atomic<bool> cancel{true};
        for (const LinearForm form : allForms)
            QVERIFY_THROWS_EXCEPTION(Cancelled,
                                     cpu::linearAttention(form, problem.shape, problem.tensors(result), {1, &cancel}));
    }
};

QTEST_GUILESS_MAIN(LinearAttentionTest)
#include "linear_attention_test.moc"
