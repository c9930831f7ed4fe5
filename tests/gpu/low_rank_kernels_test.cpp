// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of low-rank attention on the virtual GPU with all checks: every method against double precision, and
// formulas of the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/ops/low_rank.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/sparse/low_rank_case.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/metered_device.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using sparse::LowRankMethod;

namespace {

constexpr LowRankMethod onGpu[] = {LowRankMethod::Linformer, LowRankMethod::NystromIterated, LowRankMethod::Pooling};

/// Ragged and whole tiles, grouped heads, several batches; keys in one split and in several.
constexpr cpu::AttentionProblem shapes[] = {
    {1, 1, 1, 1, 1, 1, 0, false},      {1, 1, 1, 5, 5, 8, 0, false},      {2, 4, 2, 70, 130, 24, 0, false},
    {1, 2, 2, 200, 64, 40, 0, false},  {1, 3, 1, 33, 700, 64, 0, false},  {1, 1, 1, 1, 300, 16, 0, false},
    {1, 1, 1, 130, 7, 1, 0, false},    {1, 1, 1, 64, 1100, 32, 0, false}, {1, 2, 1, 96, 96, 100, 0, false},
    {1, 1, 1, 80, 600, 200, 0, false}, {1, 1, 1, 40, 40, 256, 0, false}};
constexpr int64_t ranks[] = {1, 5, 20, 32, 64, 70};

bool hasRank(const cpu::AttentionProblem& s, LowRankMethod method, int64_t rank) {
    return method == LowRankMethod::Linformer ||
           (rank <= s.keyLen && (method == LowRankMethod::Pooling || rank <= s.queryLen));
}

gpu::LowRankShape shapeOf(const LowRankCase& x) {
    const cpu::AttentionProblem& s = x.attention.shape;
    return {{s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, s.scale, s.causal},
            static_cast<gpu::LowRankMethod>(x.method),
            x.rank};
}

} // namespace

class LowRankKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::LowRankRun run(const LowRankCase& x) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::LowRankRun result = gpu::lowRankForward(library, shapeOf(x), x.attention.q.data(), x.attention.k.data(),
                                                     x.attention.v.data(), x.e.data(), x.f.data(), options);
        failUnlessClean(result, *device);
        return result;
    }
    /// f32's errors in scores, and some units of the iterations'.
    static double allowed(const LowRankCase& x, const std::vector<float>& exact) {
        double size = 1;
        for (const float o : exact)
            size = std::max(size, std::fabs(static_cast<double>(o)));
        return size * 0x1p-24 * (4 * (1 + logitMagnitude(x)) + (x.method == LowRankMethod::NystromIterated ? 16 : 0));
    }

  private slots:
    void equalsDoublePrecisionAndItsFormula_data() {
        QTest::addColumn<int>("method");
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("rank");
        int row = 0;
        for (const LowRankMethod method : onGpu)
            for (size_t shape = 0; shape < std::size(shapes); ++shape)
                for (const int64_t rank : ranks)
                    if (hasRank(shapes[shape], method, rank) && row++ % thinned(13, 5) == 0)
                        QTest::addRow("%s, %dx%d, d %d, rank %d",
                                      std::string(sparse::lowRankMethods()[static_cast<size_t>(method)].name).c_str(),
                                      int(shapes[shape].queryLen), int(shapes[shape].keyLen),
                                      int(shapes[shape].headDim), int(rank))
                            << static_cast<int>(method) << static_cast<int>(shape) << static_cast<int>(rank);
    }
    void equalsDoublePrecisionAndItsFormula() {
        QFETCH(const int, method);
        QFETCH(const int, shape);
        QFETCH(const int, rank);
        LowRankCase x(shapes[shape], static_cast<LowRankMethod>(method), rank);
        const std::vector<float> exact = x.run(sparse::LowRankRung::Reference);
        const gpu::LowRankRun got = run(x);
        const double error = worst(got.o, exact), bound = allowed(x, exact);
        QVERIFY2(error <= bound, qPrintable(QString("%1 above %2").arg(error).arg(bound)));
        const QString different =
            otherThanFormula(got, gpu::algorithmicTraffic(shapeOf(x)), gpu::compulsoryTraffic(shapeOf(x)));
        QVERIFY2(different.isEmpty(), qPrintable(different));
    }

    void noBankConflicts() {
        int lines = 0;
        for (const LowRankMethod method : onGpu)
            for (const int64_t d : {64, 128})
                for (const gpu::LaunchRecord& launch :
                     run(LowRankCase({1, 1, 1, 128, 600, d, 0, false}, method, 64)).launches) {
                    if (launch.kernel.starts_with("flash2")) // attention's own
                        continue;
                    const QString conflict = bankConflict(launch);
                    QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
                    for (const gpu::LineCount& line : launch.stats.lines)
                        lines += line.wavefronts > 0;
                }
        QVERIFY(lines > 20);
    }

    void whatIsNoNumberIsSeen() { // in a value, by the segment, or the sum, that it is in
        for (const LowRankMethod method : onGpu) {
            LowRankCase x({1, 1, 1, 40, 70, 16, 0, false}, method, 8);
            x.attention.v[20 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
            const std::vector<float> exact = x.run(sparse::LowRankRung::Reference), made = run(x).o;
            for (size_t i = 0; i < made.size(); ++i)
                QCOMPARE(std::isnan(made[i]), std::isnan(exact[i]));
            QVERIFY(std::isnan(made[3]) && !std::isnan(made[4]));
        }
    }

    void emptyProblems() {
        for (const LowRankMethod method : onGpu) {
            LowRankCase withoutKeys({1, 1, 1, 3, 0, 8, 0, false}, method, 1);
            const gpu::LowRankRun got = run(withoutKeys);
            QVERIFY(got.launches.empty());
            QCOMPARE(got.o, std::vector<float>(3 * 8, 0.0f));
            QVERIFY(gpu::algorithmicTraffic(shapeOf(withoutKeys)).empty());
            QVERIFY(run(LowRankCase({0, 1, 1, 3, 5, 8, 0, false}, method, 1)).o.empty());
        }
    }

    void memoryIsWhatWasSaid() {
        for (const LowRankMethod method : onGpu)
            for (const int64_t keys : {70, 1300}) {
                LowRankCase x({2, 4, 2, 90, keys, 24, 0, false}, method, 40);
                MeteredDevice metered;
                gpu::KernelLibrary kernels(metered);
                gpu::lowRankForward(kernels, shapeOf(x), x.attention.q.data(), x.attention.k.data(),
                                    x.attention.v.data(), x.e.data(), x.f.data());
                QCOMPARE(metered.most, gpu::deviceBytes(shapeOf(x)));
            }
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        const auto sentence = [&](gpu::LowRankShape s) {
            const std::vector<float> none;
            return QString::fromStdString(sentenceOf([&] {
                gpu::lowRankForward(library, s, none.data(), none.data(), none.data(), none.data(), none.data());
            }));
        };
        const gpu::LowRankShape right = shapeOf(LowRankCase({1, 1, 1, 10, 20, 8, 0, false}, LowRankMethod::Nystrom, 5));
        QVERIFY(sentence(right).contains("singular values") && sentence(right).contains("nystrom-iterated"));
        gpu::LowRankShape s = right;
        s.attention.causal = true;
        QVERIFY(sentence(s).contains("causal"));
        s = right, s.rank = 11;
        QVERIFY(sentence(s).contains("rank 11, expected 1 to 10"));
        s.method = gpu::LowRankMethod::Pooling, s.rank = 21;
        QVERIFY(sentence(s).contains("rank 21, expected 1 to 20"));
        s.method = gpu::LowRankMethod::Linformer, s.rank = 70000;
        QVERIFY(sentence(s).contains("rank 70000"));
        s = right, s.attention.headDim = 300;
        QVERIFY(sentence(s).contains("headDim 300"));
        s = right, s.attention.batch = 70000;
        QVERIFY(sentence(s).contains("too many"));
    }

    void whatIsCancelledStops() {
        const LowRankCase x({1, 1, 1, 10, 20, 8, 0, false}, LowRankMethod::Pooling, 5);
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gpu::lowRankForward(library, shapeOf(x), x.attention.q.data(), x.attention.k.data(),
                                                     x.attention.v.data(), x.e.data(), x.f.data(), options));
    }
};

QTEST_GUILESS_MAIN(LowRankKernelsTest)
#include "low_rank_kernels_test.moc"
