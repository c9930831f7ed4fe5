// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of linear attention: finite differences in double precision for every feature map, and one result for all
// forms and any number of threads.
#include "core/cpu/linear/backward.h"
#include "core/error.h"
#include "linear_problem.h"

#include <QTest>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::FeatureMap;
using cpu::LinearForm;
using cpu::LinearShape;

namespace {

constexpr LinearForm forms[] = {LinearForm::Parallel, LinearForm::Recurrent, LinearForm::Chunked};

std::vector<LinearShape> everyShape() {
    std::vector<LinearShape> all;
    for (const auto& map : cpu::featureMaps())
        for (const bool causal : {false, true})
            for (const bool normalise : {false, true}) {
                LinearShape s;
                s.heads = 2;
                s.queryLen = causal ? 19 : 13;
                s.keyLen = 19;
                s.headDim = 5;
                s.valueDim = 4;
                s.features = 9;
                s.map = map.id;
                s.causal = causal;
                s.normalise = normalise;
                s.chunk = 8;
                const bool dividesByLittle = normalise && map.id == FeatureMap::Identity;
                if (!dividesByLittle && !(causal && map.id == FeatureMap::Softmax))
                    all.push_back(s);
            }
    return all;
}

void addShapes() {
    QTest::addColumn<int>("index");
    const std::vector<LinearShape> all = everyShape();
    for (size_t i = 0; i < all.size(); ++i)
        QTest::newRow(nameOf(all[i]).c_str()) << static_cast<int>(i);
}

template <class T>
struct Gradients {
    std::vector<T> dq, dk, dv;
};

/// The same dO for a shape in both precisions.
template <class T>
std::vector<T> gradientOfOutput(const LinearShape& s) {
    std::vector<float> x(static_cast<size_t>(s.batch * s.heads * s.queryLen * s.valueDim));
    tensor::fillGaussian(x, 9, 9);
    return {x.begin(), x.end()};
}

/// Queries and keys away from zero, so that a step of a difference crosses no kink and each row has a denominator.
template <class T>
OwnedLinear<T> problemOf(const LinearShape& s) {
    OwnedLinear<T> problem(s);
    for (auto* x : {&problem.q, &problem.k})
        for (size_t i = 0; i < x->size(); ++i) {
            T& value = (*x)[i];
            value = (i % 5 == 0 ? 1 : value < 0 ? -1 : 1) * (std::fabs(value) + static_cast<T>(0.05));
        }
    return problem;
}

template <class T>
Gradients<T> backward(LinearForm form, const OwnedLinear<T>& problem, int threads = 1, int64_t* held = nullptr) {
    Gradients<T> made{std::vector<T>(problem.q.size()), std::vector<T>(problem.k.size()),
                      std::vector<T>(problem.v.size())};
    const std::vector<T> dOut = gradientOfOutput<T>(problem.shape);
    cpu::LinearTensors<T> t;
    t.q = problem.q.data();
    t.k = problem.k.data();
    t.v = problem.v.data();
    const auto cost = cpu::linearAttentionBackward(
        form, problem.shape, t, cpu::LinearGradients<T>{dOut.data(), made.dq.data(), made.dk.data(), made.dv.data()},
        {threads, nullptr});
    if (held)
        *held = cost.extraBytes;
    return made;
}

double loss(const OwnedLinear<double>& problem) {
    const std::vector<double> o = problem.run(LinearForm::Recurrent).o, dOut = gradientOfOutput<double>(problem.shape);
    double sum = 0;
    for (size_t i = 0; i < o.size(); ++i)
        sum += o[i] * dOut[i];
    return sum;
}

} // namespace

class LinearBackwardTest : public QObject {
    Q_OBJECT
  private slots:
    void gradientsAreThoseOfFiniteDifferences_data() { addShapes(); }
    void gradientsAreThoseOfFiniteDifferences() { // element by element
        QFETCH(int, index);
        const OwnedLinear<double> problem = problemOf<double>(everyShape()[static_cast<size_t>(index)]);
        const Gradients<double> made = backward(LinearForm::Recurrent, problem);
        constexpr double step = 1e-5;
        for (const auto& [member, gradient] :
             {std::pair(&OwnedLinear<double>::q, &made.dq), std::pair(&OwnedLinear<double>::k, &made.dk),
              std::pair(&OwnedLinear<double>::v, &made.dv)}) {
            std::vector<double> differences(gradient->size());
            for (size_t i = 0; i < differences.size(); ++i) {
                OwnedLinear<double> up = problem, down = problem;
                (up.*member)[i] += step;
                (down.*member)[i] -= step;
                differences[i] = (loss(up) - loss(down)) / (2 * step);
            }
            QCOMPARE_LE(apart(*gradient, differences), 1e-7);
        }
    }

    void allFormsAreOneSum_data() { addShapes(); }
    void allFormsAreOneSum() {
        QFETCH(int, index);
        const LinearShape s = everyShape()[static_cast<size_t>(index)];
        const OwnedLinear<double> exactly = problemOf<double>(s);
        const OwnedLinear<float> singly = problemOf<float>(s);
        const Gradients<double> exact = backward(LinearForm::Recurrent, exactly);
        const Gradients<float> reference = backward(LinearForm::Reference, singly);
        for (const LinearForm form : forms) {
            const Gradients<double> made = backward(form, exactly);
            QCOMPARE_LE(apart(made.dq, exact.dq), 1e-12);
            QCOMPARE_LE(apart(made.dk, exact.dk), 1e-12);
            QCOMPARE_LE(apart(made.dv, exact.dv), 1e-12);
            int64_t held = 0;
            const Gradients<float> single = backward(form, singly, 1, &held), more = backward(form, singly, 2);
            QCOMPARE_LE(apart(single.dq, reference.dq), 1e-5);
            QCOMPARE_LE(apart(single.dk, reference.dk), 1e-5);
            QCOMPARE_LE(apart(single.dv, reference.dv), 1e-5);
            QVERIFY(more.dq == single.dq && more.dk == single.dk && more.dv == single.dv);
            const int64_t most = cpu::backwardBytesAtMost(form, s, 1);
            QVERIFY2(held <= most && most <= 3 * held, qPrintable(QString("%1 of %2").arg(held).arg(most)));
        }
    }

    void otherRulesAreRefused() {
        LinearShape s = everyShape().front();
        s.causal = true;
        s.queryLen = s.keyLen;
        s.rule = cpu::LinearRule::Retention;
        QVERIFY_THROWS_EXCEPTION(InputError, cpu::checkBackwardShape(s));
    }

    void whatIsCancelledStops() {
        const OwnedLinear<float> problem = problemOf<float>(everyShape().front());
        cpu::LinearTensors<float> t;
        t.q = problem.q.data();
        t.k = problem.k.data();
        t.v = problem.v.data();
        const std::vector<float> dOut = gradientOfOutput<float>(problem.shape);
        std::vector<float> dq(problem.q.size()), dk(problem.k.size()), dv(problem.v.size());
        const std::atomic<bool> cancel{true};
        for (const LinearForm form : forms)
            QVERIFY_THROWS_EXCEPTION(
                Cancelled,
                cpu::linearAttentionBackward(form, problem.shape, t,
                                             cpu::LinearGradients<float>{dOut.data(), dq.data(), dk.data(), dv.data()},
                                             {1, &cancel}));
    }
};

QTEST_GUILESS_MAIN(LinearBackwardTest)
#include "linear_backward_test.moc"
