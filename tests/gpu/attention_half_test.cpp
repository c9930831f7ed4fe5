// SPDX-License-Identifier: GPL-3.0-or-later
// Attention in 16 bits: the kernels on the virtual GPU against the CPU's steps, number for number, and these against
// what is known of them.
#include "core/cpu/attention/half_products.h"
#include "core/cpu/attention/half_steps.h"
#include "core/cpu/target.h"
#include "core/tensor/random.h"
#include "gpu/number/float_format.h"
#include "gpu/number/format.h"
#include "gpu/ops/attention_half.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/nonfinite.h"
#include "tests/gpu/precision_helpers.h"

#include <QTest>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using cpu::HalfRecipe;
using cpu::HalfStep;
using cpu::HalfSteps;
using number::Format;
using number::Sums;
using test::same;

namespace {

struct Named {
    const char* name;
    HalfRecipe recipe;
};
constexpr auto f16 = HalfRecipe::Stored::F16;
constexpr Named recipes[] = {{"half2", {f16, Sums::Half, false, true}},
                             {"half2, Q scaled first", {f16, Sums::Half, true, true}},
                             {"tensor cores, sums in f16", {f16, Sums::TensorHalf, false, true}},
                             {"tensor cores, sums in f16, Q scaled first", {f16, Sums::TensorHalf, true, true}},
                             {"sums in f32", {f16, Sums::Single, false, true}},
                             {"maximum kept", {f16, Sums::Single, false, false}},
                             {"maximum kept, sums in f16", {f16, Sums::Half, false, false}},
                             {"bf16", {HalfRecipe::Stored::BF16, Sums::Single, false, true}}};

struct Shape {
    int64_t queries, keys, dim;
    bool causal;
    float size; ///< of Q and K
};
constexpr Shape shapes[] = {{1, 1, 1, false, 1},       {20, 20, 16, true, 1},   {67, 131, 33, false, 40},
                            {67, 131, 33, true, 40},   {64, 64, 64, true, 37},  {70, 40, 40, true, 0.01f},
                            {33, 64, 64, false, 3000}, {40, 100, 128, true, 25}};

struct Inputs {
    std::vector<float> q, k, v;
    cpu::MapProblem problem;
};

Inputs inputsOf(const Shape& s) {
    Inputs x;
    uint64_t stream = 0;
    for (auto* values : {&x.q, &x.k, &x.v}) {
        values->resize(static_cast<size_t>((values == &x.q ? s.queries : s.keys) * s.dim));
        tensor::fillGaussian(*values, 5, stream++, 1, nullptr);
        if (values != &x.v)
            for (float& value : *values)
                value *= s.size;
    }
    x.problem = {s.queries, s.keys, s.dim, 1 / std::sqrt(static_cast<float>(s.dim)), s.causal, x.q.data(), x.k.data()};
    return x;
}

} // namespace

class AttentionHalfTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

  private slots:
    void cleanup() { cpu::useTarget(""); }

    void stepsAreTheKernels_data() {
        QTest::addColumn<int>("recipe");
        QTest::addColumn<int>("shape");
        for (size_t r = 0; r < std::size(recipes); ++r)
            for (size_t s = 0; s < std::size(shapes); ++s)
                QTest::addRow("%s, %lld x %lld x %lld%s", recipes[r].name, static_cast<long long>(shapes[s].queries),
                              static_cast<long long>(shapes[s].keys), static_cast<long long>(shapes[s].dim),
                              shapes[s].causal ? ", causal" : "")
                    << static_cast<int>(r) << static_cast<int>(s);
    }
    void stepsAreTheKernels() {
        QFETCH(const int, recipe);
        QFETCH(const int, shape);
        const HalfRecipe& how = recipes[recipe].recipe;
        const Shape& s = shapes[shape];
        const Inputs x = inputsOf(s);
        const Format format = how.stored == f16 ? Format::F16 : Format::BF16;
        gpu::LaunchOptions options;
        options.checks = true;
        const gpu::HalfAttentionRun run =
            gpu::attentionInHalf(library, {format, how.sums, how.scaleFirst, how.subtractMaximum},
                                 {1, 1, 1, s.queries, s.keys, s.dim, x.problem.scale, s.causal}, x.q.data(), x.k.data(),
                                 x.v.data(), true, options);
        QVERIFY(device->held().empty());
        for (const gpu::LaunchRecord& launch : run.launches)
            for (const gpu::Finding& finding : launch.stats.findings)
                QFAIL(finding.message.c_str());
        const HalfSteps steps(x.problem, x.v.data(), how, nullptr);
        const double unit = format == Format::F16 ? 0x1p-11 : 0x1p-8;
        for (int64_t i = 0; i < s.queries; ++i) {
            const HalfSteps::Row row = steps.row(i);
            double magnitude = 0; // of what is added up to O
            for (int64_t j = 0; j < s.keys; ++j) {
                const auto at = static_cast<size_t>(i * s.keys + j);
                const float score = row.scores[static_cast<size_t>(j)], weight = row.weights[static_cast<size_t>(j)];
                QVERIFY2(same(run.s[at], score),
                         qPrintable(QString("S %1, %2: kernel %3, steps %4").arg(i).arg(j).arg(run.s[at]).arg(score)));
                // An exponential's last bit may be another, and a sum of them in f16 with it.
                const double allowed =
                    (how.sums == Sums::Single ? 4 : 40) * unit * static_cast<double>(std::fabs(weight)) + 0x1p-24;
                QVERIFY2(same(run.p[at], weight) || std::fabs(run.p[at] - weight) <= allowed,
                         qPrintable(QString("P %1, %2: kernel %3, steps %4").arg(i).arg(j).arg(run.p[at]).arg(weight)));
                if (std::isfinite(weight))
                    magnitude += static_cast<double>(weight);
            }
            for (int64_t c = 0; c < s.dim; ++c) {
                const float kernel = run.o[static_cast<size_t>(i * s.dim + c)], o = row.output[static_cast<size_t>(c)];
                QVERIFY2(same(kernel, o) || std::fabs(kernel - o) <= 80 * unit * std::max(1.0, magnitude),
                         qPrintable(QString("O %1, %2: kernel %3, steps %4").arg(i).arg(c).arg(kernel).arg(o)));
            }
            const float lse = run.lse[static_cast<size_t>(i)];
            QVERIFY2(same(lse, row.lse) || std::fabs(lse - row.lse) <= 40 * unit * (1 + std::fabs(row.lse)),
                     qPrintable(QString("lse %1: kernel %2, steps %3").arg(i).arg(lse).arg(row.lse)));
        }
    }

    void nothingIsHidden_data() {
        QTest::addColumn<int>("recipe");
        QTest::addColumn<int>("situation");
        for (size_t r = 0; r < std::size(recipes); ++r)
            for (size_t s = 0; s < std::size(test::situations); ++s)
                QTest::addRow("%s, %s", recipes[r].name, test::situations[s].name)
                    << static_cast<int>(r) << static_cast<int>(s);
    }
    /// O and log-sum-exp are NaN exactly where IEEE arithmetic on what a row sees says so.
    void nothingIsHidden() {
        QFETCH(const int, recipe);
        QFETCH(const int, situation);
        const HalfRecipe& how = recipes[recipe].recipe;
        const Format format = how.stored == f16 ? Format::F16 : Format::BF16;
        for (const cpu::AttentionProblem& shape :
             std::initializer_list<cpu::AttentionProblem>{{1, 1, 1, 16, 40, 64, 0, false},
                                                          {1, 1, 1, 70, 100, 33, 0, true},
                                                          {1, 1, 1, 60, 31, 20, 0, true},
                                                          {1, 4, 2, 23, 65, 8, 0, true}}) {
            test::OwnedProblem p(shape);
            test::situations[situation].poison(p);
            for (std::vector<float>* x : {&p.q, &p.k, &p.v})
                for (float& value : *x)
                    value = number::rounded(value, format);
            const test::Truth truth(p);
            const auto& s = p.shape;
            const gpu::HalfAttentionRun run = gpu::attentionInHalf(
                library, {format, how.sums, how.scaleFirst, how.subtractMaximum},
                {s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, s.scale, s.causal}, p.q.data(),
                p.k.data(), p.v.data());
            const auto anyFinite = [](size_t) { return 1.0; };
            std::string wrong; // with the maximum kept, the log-sum-exp of a score of ∞ is ∞
            if (how.subtractMaximum)
                wrong = test::differences("lse", run.lse.data(), truth.lse, anyFinite);
            QVERIFY2(wrong.empty(), wrong.c_str());
            wrong = test::differences("O", run.o.data(), truth.o, anyFinite);
            QVERIFY2(wrong.empty(), wrong.c_str());
        }
    }

    /// Against the definition: each product and sum exactly in f64, rounded by the general codec.
    void sumsAreRoundedAsTheySay_data() {
        QTest::addColumn<QString>("target");
        for (const std::string& target : cpu::supportedTargets())
            QTest::newRow(target.c_str()) << QString::fromStdString(target);
    }
    void sumsAreRoundedAsTheySay() {
        QFETCH(const QString, target);
        cpu::useTarget(target.toStdString());
        const auto& half = number::floatFormat("f16");
        constexpr int64_t count = 100, columns = cpu::productColumns;
        for (const float size : {1.0f, 0x1p-12f, 30.0f, 150.0f}) {
            std::vector<float> x(count), y(count * columns);
            tensor::fillGaussian(x, 1, 0, 1, nullptr);
            tensor::fillGaussian(y, 1, 1, 1, nullptr);
            for (auto* values : {&x, &y})
                for (float& value : *values)
                    value = number::rounded(value * size, Format::F16);
            for (const Sums sums : {Sums::Half, Sums::TensorHalf}) {
                std::vector<float> sum(columns);
                std::vector<int32_t> first(columns);
                cpu::halfProducts().exact(sums, x.data(), y.data(), columns, count, columns, sum.data(), first.data());
                for (int64_t j = 0; j < columns; ++j) {
                    double exact = 0;
                    float inside = 0;
                    int32_t bad = -1;
                    for (int64_t k = 0; k < count; ++k) {
                        const float a = x[static_cast<size_t>(k)], b = y[static_cast<size_t>(k * columns + j)];
                        // 22 bits of a product and 11 of a sum, not more than 2^40 apart here
                        exact = sums == Sums::Half
                                    ? number::rounded(exact + static_cast<double>(a) * static_cast<double>(b), half)
                                    : exact;
                        inside = std::fma(a, b, inside);
                        if (sums == Sums::TensorHalf && (k % 16 == 15 || k + 1 == count))
                            inside = static_cast<float>(exact = number::rounded(static_cast<double>(inside), half));
                        if (bad < 0 && !std::isfinite(exact))
                            bad = static_cast<int32_t>(k);
                    }
                    QVERIFY2(
                        same(sum[static_cast<size_t>(j)], static_cast<float>(exact)),
                        qPrintable(QString("%1: %2 instead of %3").arg(j).arg(sum[static_cast<size_t>(j)]).arg(exact)));
                    QCOMPARE(first[static_cast<size_t>(j)], bad);
                }
            }
        }
    }

    /// 1 + 2^-10 and a product of 2^-11 - 2^-31: a hair below the middle of two numbers, which f32 would take for the
    /// middle.
    void aSumIsRoundedOnce() {
        constexpr int64_t columns = cpu::productColumns;
        const float x[] = {1, 0x1p-6f * (1 + 0x1p-10f)};
        std::vector<float> y(2 * columns), sum(columns);
        std::vector<int32_t> first(columns);
        for (const float sign : {1.0f, -1.0f}) {
            std::fill_n(y.begin(), columns, sign * (1 + 0x1p-10f));
            std::fill_n(y.begin() + columns, columns, sign * 0x1p-5f * (1 - 0x1p-10f));
            cpu::halfProducts().exact(Sums::Half, x, y.data(), columns, 2, columns, sum.data(), first.data());
            QCOMPARE(sum[0], sign * (1 + 0x1p-10f));
        }
    }

    void coarseCellsAreInfiniteWhereOneBelowThemIs() {
        for (const Named& named : recipes) {
            const Shape s{150, 200, 64, true, 40};
            const Inputs x = inputsOf(s);
            const HalfSteps steps(x.problem, nullptr, named.recipe, nullptr);
            std::vector<float> fine(static_cast<size_t>(s.queries * s.keys));
            steps.tile(0, 0, s.queries, s.keys, 1, fine, 1, nullptr);
            int64_t infinite = 0;
            for (const int64_t cell : {2, 16, 64}) {
                const int64_t rows = (s.queries + cell - 1) / cell, cols = (s.keys + cell - 1) / cell;
                std::vector<float> coarse(static_cast<size_t>(rows * cols));
                steps.tile(0, 0, rows, cols, cell, coarse, 2, nullptr);
                for (int64_t r = 0; r < rows; ++r)
                    for (int64_t c = 0; c < cols; ++c) {
                        float most = std::numeric_limits<float>::quiet_NaN();
                        for (int64_t i = r * cell; i < std::min((r + 1) * cell, s.queries); ++i)
                            for (int64_t j = c * cell; j < std::min((c + 1) * cell, s.keys); ++j)
                                most = std::fmax(most, fine[static_cast<size_t>(i * s.keys + j)]);
                        const float got = coarse[static_cast<size_t>(r * cols + c)];
                        infinite += std::isinf(most);
                        QVERIFY2(std::isfinite(most) ? std::fabs(got - most) <= 64 * 16 : same(got, most),
                                 qPrintable(QString("%1: %2 instead of %3").arg(named.name).arg(got).arg(most)));
                    }
            }
            QVERIFY2((infinite > 0) == (named.recipe.sums != Sums::Single && !named.recipe.scaleFirst), named.name);
        }
    }

    /// Inputs of which it is known what happens first.
    void theFirstStepIsTold_data() {
        QTest::addColumn<int>("sums");
        QTest::addColumn<bool>("subtract");
        QTest::addColumn<QList<float>>("q");
        QTest::addColumn<QList<float>>("k");
        QTest::addColumn<QList<float>>("v");
        QTest::addColumn<int>("step");
        QTest::addColumn<int>("at");
        const auto row = [](const char* name, Sums sums, bool subtract, QList<float> q, QList<float> k, QList<float> v,
                            HalfStep step, int at) {
            QTest::newRow(name) << static_cast<int>(sums) << subtract << q << k << v << static_cast<int>(step) << at;
        };
        row("an input beyond f16", Sums::Single, true, {7e4f, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, HalfStep::Input, 0);
        row("a product", Sums::Half, true, {1, 1, 300, 1}, {1, 1, 300, 1}, {1, 1, 1, 1}, HalfStep::Product, 2);
        row("the sum of two", Sums::Half, true, {200, 1, 200, 1}, {200, 1, 200, 1}, {1, 1, 1, 1}, HalfStep::Sum, 2);
        row("at the end of the instruction", Sums::TensorHalf, true, {300, 1, 1, 1}, {300, 1, 1, 1}, {1, 1, 1, 1},
            HalfStep::Sum, 3);
        row("when S is stored", Sums::Single, true, {400, 400, 1, 1}, {400, 400, 1, 1}, {1, 1, 1, 1}, HalfStep::Store,
            -1);
        row("an exponential of 12", Sums::Single, false, {4, 4, 0, 0}, {3, 3, 0, 0}, {1, 1, 1, 1},
            HalfStep::Exponential, -1);
        row("values at the limit", Sums::Single, true, {1, 0, 0, 0}, {1, 0, 0, 0}, {65504, 65504, 1, 1}, HalfStep::None,
            -1);
        row("nothing", Sums::Half, true, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, HalfStep::None, -1);
    }
    void theFirstStepIsTold() {
        QFETCH(const int, sums);
        QFETCH(const bool, subtract);
        QFETCH(const QList<float>, q);
        QFETCH(const QList<float>, k);
        QFETCH(const QList<float>, v);
        QFETCH(const int, step);
        QFETCH(const int, at);
        const HalfSteps steps({1, 1, 4, 0.5f, false, q.data(), k.data()}, v.data(),
                              {f16, static_cast<Sums>(sums), false, subtract}, nullptr);
        const HalfSteps::Row row = steps.row(0);
        QCOMPARE(QString::fromUtf8(nameOf(row.origin.step)), QString::fromUtf8(nameOf(static_cast<HalfStep>(step))));
        QCOMPARE(row.origin.at, static_cast<int64_t>(at));
    }

    void sumsOfAWholeRowOverflow() {
        // e^11 = 59,874 fits into f16, two of them do not.
        const std::vector<float> q(64, 1), v(64, 1);
        std::vector<float> k(64);
        for (size_t key = 0; key < 16; ++key)
            k[4 * key] = 22; // scaled 11
        const HalfSteps steps({1, 16, 4, 0.5f, false, q.data(), k.data()}, v.data(), {f16, Sums::Half, false, false},
                              nullptr);
        QCOMPARE(nameOf(steps.row(0).origin.step), nameOf(HalfStep::RowSum));
        const HalfSteps single({1, 16, 4, 0.5f, false, q.data(), k.data()}, v.data(), {f16, Sums::Single, false, false},
                               nullptr);
        QCOMPARE(nameOf(single.row(0).origin.step), nameOf(HalfStep::None));
    }

    void eightBitsWithAScaleHoldWhatF16DoesNot() {
        const Inputs x = inputsOf({40, 40, 64, false, 3000});
        const HalfSteps steps(x.problem, x.v.data(), {HalfRecipe::Stored::E4M3, Sums::Half, false, true}, nullptr);
        for (int64_t i = 0; i < 40; ++i) {
            const HalfSteps::Row row = steps.row(i);
            QCOMPARE(nameOf(row.origin.step), nameOf(HalfStep::None));
            double total = 0;
            for (const float weight : row.weights)
                total += static_cast<double>(weight);
            QVERIFY2(std::fabs(total - 1) < 0.08, qPrintable(QString::number(total))); // E4M3 has 4 bits
        }
    }
};

QTEST_GUILESS_MAIN(AttentionHalfTest)
#include "attention_half_test.moc"
