// SPDX-License-Identifier: GPL-3.0-or-later
// Attention in 8 bits: the kernels on the virtual GPU against the CPU's steps, and both at the ends of the range.
#include "core/cpu/attention/half_steps.h"
#include "core/tensor/random.h"
#include "gpu/error.h"
#include "gpu/ops/attention_f8.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/nonfinite.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/precision_helpers.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace warplight;
using cpu::HalfRecipe;
using cpu::HalfStep;
using cpu::HalfSteps;
using test::same;

namespace {

struct Shape {
    int64_t queries, keys, dim;
    bool causal;
    float size; ///< of Q and K
};
constexpr Shape shapes[] = {{1, 1, 1, false, 1},        {20, 20, 16, true, 1},      {67, 131, 33, false, 4},
                            {67, 131, 33, true, 40},    {64, 64, 64, true, 2},      {70, 40, 40, true, 0.01f},
                            {33, 64, 64, false, 3000},  {40, 200, 128, true, 1},    {20, 150, 256, true, 1},
                            {30, 30, 80, true, 1e-25f}, {30, 70, 32, false, 1e17f}, {5, 0, 8, false, 1}};

constexpr HalfRecipe recipeOf(bool subtract) {
    return {HalfRecipe::Stored::E4M3, number::Sums::Single, false, subtract};
}

test::OwnedProblem problemOf(const Shape& s) {
    test::OwnedProblem p({1, 1, 1, s.queries, s.keys, s.dim, 0, s.causal});
    for (std::vector<float>* x : {&p.q, &p.k})
        for (float& value : *x)
            value *= s.size;
    return p;
}

cpu::MapProblem headOf(const test::OwnedProblem& p) {
    const auto& s = p.shape;
    return {s.queryLen, s.keyLen, s.headDim, s.scale, s.causal, p.q.data(), p.k.data()};
}
gpu::AttentionShape shapeOf(const test::OwnedProblem& p) {
    const auto& s = p.shape;
    return {s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, s.scale, s.causal};
}

} // namespace

class AttentionF8Test : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::HalfAttentionRun run(const test::OwnedProblem& p, bool subtract, bool keeps) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::HalfAttentionRun made =
            gpu::attentionInF8(library, shapeOf(p), p.q.data(), p.k.data(), p.v.data(), subtract, keeps, options);
        test::failOnFindings(made);
        return made;
    }

    /// S to the bit. An exponential's last bits may be others (2 units of the GPU's, half a one of the CPU's, for each
    /// tile once more in what rescales): seldom one moves a weight to the e4m3 beside it, 1/8 of it away at most.
    static void compare(const test::OwnedProblem& p, bool subtract, const gpu::HalfAttentionRun& made) {
        const float none = 0; // of no keys
        const HalfSteps steps(headOf(p), p.v.empty() ? &none : p.v.data(), recipeOf(subtract), nullptr);
        const auto& s = p.shape;
        const double last = 0x1p-21 * (2 + static_cast<double>(s.keyLen) / 64);
        int64_t moved = 0;
        for (int64_t i = 0; i < s.queryLen; ++i) {
            const HalfSteps::Row row = steps.row(i);
            for (int64_t j = 0; j < s.keyLen; ++j) {
                const float score = made.s[static_cast<size_t>(i * s.keyLen + j)],
                            step = row.scores[static_cast<size_t>(j)];
                QVERIFY2(same(score, step),
                         qPrintable(QString("S %1, %2: kernel %3, steps %4").arg(i).arg(j).arg(score).arg(step)));
            }
            double worst = 0;
            for (int64_t c = 0; c < s.headDim; ++c) {
                double magnitude = 0; // of what is added up to O
                for (int64_t j = 0; j < steps.visible(i); ++j)
                    magnitude += static_cast<double>(row.weights[static_cast<size_t>(j)]) *
                                 std::fabs(static_cast<double>(p.v[static_cast<size_t>(j * s.headDim + c)]));
                const float kernel = made.o[static_cast<size_t>(i * s.headDim + c)],
                            o = row.output[static_cast<size_t>(c)];
                if (same(kernel, o))
                    continue;
                const double error = std::fabs(static_cast<double>(kernel) - static_cast<double>(o));
                QVERIFY2(error <= (0x1p-3 + last) * magnitude,
                         qPrintable(QString("O %1, %2: kernel %3, steps %4").arg(i).arg(c).arg(kernel).arg(o)));
                worst = std::max(worst, error / (last * magnitude + 1e-38));
            }
            moved += worst > 1;
            const float lse = made.lse[static_cast<size_t>(i)];
            QVERIFY2(same(lse, row.lse) || std::fabs(static_cast<double>(lse) - static_cast<double>(row.lse)) <=
                                               last * (1 + std::fabs(static_cast<double>(row.lse))),
                     qPrintable(QString("lse %1: kernel %2, steps %3").arg(i).arg(lse).arg(row.lse)));
        }
        QVERIFY2(50 * moved <= s.queryLen, qPrintable(QString("%1 rows differ").arg(moved)));
    }

  private slots:
    void stepsAreTheKernels_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<bool>("subtract");
        for (const bool subtract : {true, false})
            for (size_t s = 0; s < std::size(shapes); ++s)
                QTest::addRow("%lld x %lld x %lld, times %g%s%s", static_cast<long long>(shapes[s].queries),
                              static_cast<long long>(shapes[s].keys), static_cast<long long>(shapes[s].dim),
                              static_cast<double>(shapes[s].size), shapes[s].causal ? ", causal" : "",
                              subtract ? "" : ", maximum kept")
                    << static_cast<int>(s) << subtract;
    }
    void stepsAreTheKernels() {
        QFETCH(const int, shape);
        QFETCH(const bool, subtract);
        const test::OwnedProblem p = problemOf(shapes[shape]);
        const gpu::HalfAttentionRun made = run(p, subtract, true);
        QVERIFY(device->held().empty());
        compare(p, subtract, made);
    }

    void whoIsWatchedDoesTheSame() {
        for (const Shape& s : shapes) {
            const test::OwnedProblem p = problemOf(s);
            const gpu::HalfAttentionRun watched = run(p, true, true), alone = run(p, true, false);
            QVERIFY(alone.s.empty());
            for (size_t i = 0; i < alone.o.size(); ++i)
                QVERIFY(same(watched.o[i], alone.o[i]));
            for (size_t i = 0; i < alone.lse.size(); ++i)
                QVERIFY(same(watched.lse[i], alone.lse[i]));
        }
    }

    void stepsLoseWhatTheKernelLoses_data() {
        QTest::addColumn<int>("situation");
        for (size_t s = 0; s < std::size(test::situations); ++s)
            QTest::addRow("%s", test::situations[s].name) << static_cast<int>(s);
    }
    void stepsLoseWhatTheKernelLoses() {
        QFETCH(const int, situation);
        for (const bool causal : {false, true}) {
            test::OwnedProblem p({1, 1, 1, 70, 100, 33, 0, causal});
            test::situations[situation].poison(p);
            const gpu::HalfAttentionRun made = run(p, true, true);
            const HalfSteps steps(headOf(p), p.v.data(), recipeOf(true), nullptr);
            for (int64_t i = 0; i < p.shape.queryLen; ++i) {
                const HalfSteps::Row row = steps.row(i);
                bool lost = false;
                for (int64_t c = 0; c < p.shape.headDim; ++c) {
                    const float kernel = made.o[static_cast<size_t>(i * p.shape.headDim + c)],
                                o = row.output[static_cast<size_t>(c)];
                    QCOMPARE(std::isfinite(kernel), std::isfinite(o));
                    lost = lost || !std::isfinite(o);
                }
                QCOMPARE(std::isnan(made.lse[static_cast<size_t>(i)]), std::isnan(row.lse));
                QCOMPARE(row.origin.step != HalfStep::None, lost);
            }
        }
    }

    /// 448 / 256 is the largest weight there is without the maximum: ln 1.75 = 0.56, and what rounds to it 0.59.
    void aWeightBeyondItsRangeIsNone() {
        const std::vector<float> one{1};
        for (const float score : {0.55f, 0.59f, 0.6f, 50.0f, 200.0f}) {
            const gpu::HalfAttentionRun made = gpu::attentionInF8(library, {1, 1, 1, 1, 1, 1, score, false}, one.data(),
                                                                  one.data(), one.data(), false, true);
            const HalfSteps steps({1, 1, 1, score, false, one.data(), one.data()}, one.data(), recipeOf(false),
                                  nullptr);
            const HalfSteps::Row row = steps.row(0);
            QCOMPARE(made.s[0], score);
            QCOMPARE(std::isnan(made.o[0]), score > 0.595f);
            QCOMPARE(std::isnan(row.output[0]), score > 0.595f);
            QCOMPARE(nameOf(row.origin.step), nameOf(score > 0.595f ? HalfStep::Exponential : HalfStep::None));
            if (score <= 0.595f)
                QVERIFY(std::fabs(made.o[0] - 1) <= 0x1p-4f);
        }
    }

    /// Weights of powers of two and values of three bits, which e4m3 holds: O is exact but for f32's roundings.
    void whatEightBitsHoldIsExact() {
        constexpr int64_t keys = 150, dim = 40;
        constexpr float ln2 = 0.6931471805599453f;
        std::vector<float> q(dim), k(static_cast<size_t>(keys * dim)), v(k.size());
        std::vector<double> exact(dim);
        double total = 0;
        q[0] = 448;
        for (int64_t j = 0; j < keys; ++j) {
            const auto row = static_cast<size_t>(j * dim);
            const int power = static_cast<int>(j % 7);
            k[row] = static_cast<float>(256 + 32 * power); // up to 448
            total += std::exp2(power);
            for (size_t c = 0; c < dim; ++c) {
                v[row + c] = static_cast<float>((j * j + static_cast<int64_t>(c)) % 15) - 7;
                exact[c] += std::exp2(power) * static_cast<double>(v[row + c]);
            }
        }
        const gpu::HalfAttentionRun made =
            gpu::attentionInF8(library, {1, 1, 1, 1, keys, dim, ln2 / (448 * 32), false}, q.data(), k.data(), v.data());
        for (size_t c = 0; c < dim; ++c)
            QVERIFY2(std::fabs(static_cast<double>(made.o[c]) - exact[c] / total) <= 7 * 0x1p-18,
                     qPrintable(QString("%1: %2 instead of %3").arg(c).arg(made.o[c]).arg(exact[c] / total)));
    }

    void eightBitsNeedANewerGpu() {
        test::OlderGpu older;
        gpu::KernelLibrary none(older);
        const float x = 1;
        try {
            gpu::attentionForward(none, gpu::AttentionRung::MmaE4M3, {1, 1, 1, 1, 1, 1, 1, false}, &x, &x, &x);
            QFAIL("it ran");
        } catch (const InputError& error) {
            QCOMPARE(std::string(error.what()),
                     "attention: mma-e4m3: it needs compute capability 8.9 or later, and Older has 8.6");
        }
        QCOMPARE(gpu::architectureOf(gpu::AttentionRung::MmaE4M3), 89);
        QCOMPARE(gpu::architectureOf(gpu::AttentionRung::Flash2Mma), 0);
    }

    void zerosHaveNoScale() {
        const std::vector<float> zeros(8 * 24), values(8 * 24, 3);
        for (const bool nothing : {false, true}) {
            const std::vector<float>& v = nothing ? zeros : values;
            const gpu::HalfAttentionRun made =
                gpu::attentionInF8(library, {1, 1, 1, 8, 8, 24, 1, false}, zeros.data(), zeros.data(), v.data());
            for (const float o : made.o)
                QCOMPARE(o, nothing ? 0.0f : 3.0f);
        }
    }
};

QTEST_GUILESS_MAIN(AttentionF8Test)
#include "attention_f8_test.moc"
