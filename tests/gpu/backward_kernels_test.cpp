// SPDX-License-Identifier: GPL-3.0-or-later
// The backward kernels against double precision, and softmax, matrix product, bandwidth and peak kernels against what
// they should give; the time model's limits on the last two.
#include "gpu/number/half.h"
#include "gpu/ops/attention_backward.h"
#include "gpu/ops/attention_backward_traffic.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/gradients.h"
#include "tests/core/cpu/nonfinite.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using gpu::Argument;

namespace {

struct Shape {
    int64_t batch, queryHeads, keyHeads, queryLen, keyLen, headDim;
};
constexpr Shape shapes[] = {{1, 1, 1, 64, 64, 64},  {1, 2, 2, 67, 131, 33}, {2, 4, 2, 50, 65, 16},
                            {1, 1, 1, 40, 70, 128}, {1, 1, 1, 34, 33, 256}, {1, 1, 1, 90, 17, 24},
                            {1, 1, 1, 1, 1, 16}};

} // namespace

class BackwardKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::LaunchStats run(const char* family, const char* kernel, gpu::Extent grid, gpu::Extent block,
                         const std::vector<Argument>& arguments, bool checks = true, const char* model = "") {
        gpu::LaunchConfig config;
        config.grid = grid;
        config.block = block;
        config.checks = checks;
        config.gpu = model;
        gpu::LaunchStats stats = library.kernel(family, kernel).launch(config, arguments);
        for (const gpu::Finding& f : stats.findings)
            QTest::qFail(f.message.c_str(), __FILE__, __LINE__);
        return stats;
    }
    template <class T>
    gpu::Buffer upload(const std::vector<T>& values, const char* name) {
        gpu::Buffer buffer(*device, static_cast<int64_t>(values.size() * sizeof(T)), name);
        buffer.upload(values.data());
        return buffer;
    }
    static std::vector<float> wave(int count, float step) {
        std::vector<float> x;
        for (int i = 0; i < count; ++i)
            x.push_back(number::f16ToFloat(number::floatToF16(std::sin(static_cast<float>(i) * step))));
        return x;
    }

  private slots:
    void gradients_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("shape");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (const gpu::BackwardRung rung : {gpu::BackwardRung::Standard, gpu::BackwardRung::Flash2})
            for (int s = 0; s < static_cast<int>(std::size(shapes)); ++s)
                for (const bool causal : {false, true})
                    if (row++ % thinned(3) == 0)
                        QTest::addRow("%s, shape %d%s", std::string(gpu::name(rung)).c_str(), s,
                                      causal ? ", causal" : "")
                            << static_cast<int>(rung) << s << causal;
    }
    void gradients() {
        QFETCH(int, rung);
        QFETCH(int, shape);
        QFETCH(bool, causal);
        const Shape& s = shapes[shape];
        cpu::AttentionProblem problem;
        problem.batch = s.batch, problem.queryHeads = s.queryHeads, problem.keyHeads = s.keyHeads;
        problem.queryLen = s.queryLen, problem.keyLen = s.keyLen, problem.headDim = s.headDim, problem.causal = causal;
        OwnedProblem p(problem);
        const std::vector<float> dOut = wave(static_cast<int>(p.q.size()), 0.37f);
        const gpu::AttentionShape asked{s.batch,  s.queryHeads, s.keyHeads,    s.queryLen,
                                        s.keyLen, s.headDim,    p.shape.scale, causal};
        const gpu::AttentionRun forward =
            gpu::attentionForward(library, gpu::AttentionRung::Flash2, asked, p.q.data(), p.k.data(), p.v.data());
        gpu::AttentionOptions options;
        options.checks = true;
        const gpu::AttentionGradients g =
            gpu::attentionBackward(library, static_cast<gpu::BackwardRung>(rung), asked, p.q.data(), p.k.data(),
                                   p.v.data(), forward.o.data(), forward.lse.data(), dOut.data(), options);
        QVERIFY2(device->held().empty(), "a buffer was not released");
        for (const gpu::LaunchRecord& launch : g.launches)
            for (const gpu::Finding& f : launch.stats.findings)
                QFAIL(f.message.c_str());
        const gpu::TensorTraffic counted = gpu::withoutEmpty(gpu::countedTraffic(g)),
                                 formula = gpu::algorithmicTraffic(static_cast<gpu::BackwardRung>(rung), asked);
        for (const auto& [tensor, bytes] : formula)
            QVERIFY2(counted.contains(tensor) && counted.at(tensor) == bytes,
                     qPrintable(QString("%1: %2 read, %3 written by the formula")
                                    .arg(QString::fromStdString(tensor))
                                    .arg(bytes.read)
                                    .arg(bytes.written)));
        QCOMPARE(counted.size(), formula.size());
        const TrueGradients truth(p, dOut);
        const auto compare = [](const char* name, const std::vector<float>& got, const std::vector<double>& want,
                                const std::vector<double>& size) {
            double worst = 0; // in units of the terms' rounding, of which a plain f32 sum makes some
            for (size_t i = 0; i < want.size(); ++i)
                worst = std::max(worst,
                                 std::fabs(static_cast<double>(got[i]) - want[i]) / (size[i] * 0x1p-24 * 64 + 1e-30));
            QVERIFY2(worst <= 1, qPrintable(QString("%1 is off by %2 of its bound").arg(name).arg(worst)));
        };
        compare("dQ", g.dq, truth.dq, truth.sizeQ);
        compare("dK", g.dk, truth.dk, truth.sizeK);
        compare("dV", g.dv, truth.dv, truth.sizeV);
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("situation");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (const gpu::BackwardRung rung : {gpu::BackwardRung::Standard, gpu::BackwardRung::Flash2})
            for (const int s : {1, 2, 3, 5})
                for (int i = 0; i < static_cast<int>(std::size(situations)); ++i)
                    for (const bool causal : {false, true})
                        if (row++ % thinned(7) == 0)
                            QTest::addRow("%s, shape %d, %s%s", std::string(gpu::name(rung)).c_str(), s,
                                          situations[i].name, causal ? ", causal" : "")
                                << static_cast<int>(rung) << s << i << causal;
    }
    void nothingThatIsNoNumberIsHidden() { // NaN in the gradients exactly where the chain rule says so
        QFETCH(int, rung);
        QFETCH(int, shape);
        QFETCH(int, situation);
        QFETCH(bool, causal);
        const Shape& s = shapes[shape];
        OwnedProblem p({s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal});
        situations[situation].poison(p);
        const std::vector<float> dOut = wave(static_cast<int>(p.q.size()), 0.37f);
        const gpu::AttentionShape asked{s.batch,  s.queryHeads, s.keyHeads,    s.queryLen,
                                        s.keyLen, s.headDim,    p.shape.scale, causal};
        const gpu::AttentionRun forward =
            gpu::attentionForward(library, gpu::AttentionRung::Flash2, asked, p.q.data(), p.k.data(), p.v.data());
        const gpu::AttentionGradients g =
            gpu::attentionBackward(library, static_cast<gpu::BackwardRung>(rung), asked, p.q.data(), p.k.data(),
                                   p.v.data(), forward.o.data(), forward.lse.data(), dOut.data());
        const TrueGradients truth(p, dOut);
        const auto sizes = [](const std::vector<double>& size) {
            return [&](size_t i) { return std::isfinite(size[i]) ? size[i] * 0x1p-24 * 64 + 1e-30 : 1e-4; };
        };
        for (const std::string& different : {differences("dQ", g.dq.data(), truth.dq, sizes(truth.sizeQ)),
                                             differences("dK", g.dk.data(), truth.dk, sizes(truth.sizeK)),
                                             differences("dV", g.dv.data(), truth.dv, sizes(truth.sizeV))})
            QVERIFY2(different.empty(), different.c_str());
    }

    void softmax() {
        const int rows = 3, n = 777;
        const auto x = wave(rows * n, 0.7f);
        for (const char* kernel : {"softmax_3pass", "softmax_online"}) {
            const gpu::Buffer in = upload(x, "x"), out(*device, in.bytes(), "y");
            const auto stats = run("softmax", kernel, {rows}, {256}, {in.address(), out.address(), n});
            QCOMPARE(stats.buffers[0].readBytes,
                     static_cast<uint64_t>((kernel == std::string("softmax_3pass") ? 3 : 2) * 4 * rows * n));
            std::vector<float> y(x.size());
            out.download(y.data());
            for (int r = 0; r < rows; ++r) {
                double sum = 0;
                for (int i = 0; i < n; ++i)
                    sum += std::exp(double(x[static_cast<size_t>(r * n + i)]));
                for (int i = 0; i < n; ++i) {
                    const double want = std::exp(double(x[static_cast<size_t>(r * n + i)])) / sum;
                    QVERIFY(std::fabs(double(y[static_cast<size_t>(r * n + i)]) - want) < 2e-6 * want);
                }
            }
        }
    }

    void matrixProducts() {
        const auto compare = [&](const char* kernel, int m, int n, int k, gpu::Extent grid, gpu::Extent block,
                                 bool half) {
            const auto a = wave(m * k, 0.37f), b = wave(k * n, 0.91f);
            std::vector<uint16_t> a16, b16;
            for (const float x : a)
                a16.push_back(number::floatToF16(x));
            for (const float x : b)
                b16.push_back(number::floatToF16(x));
            const gpu::Buffer da = half ? upload(a16, "A") : upload(a, "A"),
                              db = half ? upload(b16, "B") : upload(b, "B"), dc(*device, m * n * 4, "C");
            const auto stats = run(gpu::familyOf(kernel).c_str(), kernel, grid, block,
                                   {da.address(), db.address(), dc.address(), m, n, k});
            if (half)
                QCOMPARE(stats.sharedWavefronts, stats.sharedIdealWavefronts); // no bank conflicts
            std::vector<float> c(static_cast<size_t>(m * n));
            dc.download(c.data());
            for (int i = 0; i < m; ++i)
                for (int j = 0; j < n; ++j) {
                    double sum = 0;
                    for (int x = 0; x < k; ++x)
                        sum += double(a[static_cast<size_t>(i * k + x)]) * double(b[static_cast<size_t>(x * n + j)]);
                    QVERIFY2(std::fabs(double(c[static_cast<size_t>(i * n + j)]) - sum) < k * 0x1p-22, kernel);
                }
        };
        compare("matmul_naive", 37, 50, 41, {2, 5}, {32, 8}, false);
        compare("matmul_tiled", 37, 50, 41, {2, 2}, {32, 8}, false);
        compare("matmul_mma", 128, 64, 96, {1, 2}, {128}, true);
    }

    void bandwidthAndPeakReachTheModelsLimits() {
        constexpr const char* gpus[] = {"T4", "A100", "RTX4090"};
        for (size_t g = 0; g < std::size(gpus); g += static_cast<size_t>(thinned(3))) { // sizes follow the GPU's
            const char* name = gpus[g];
            const vgpu::GpuProfile& gpu = vgpu::gpuProfile(name);
            const long long elements = 1 << 21; // 32 MiB each way; of float4
            std::vector<float> x(static_cast<size_t>(4 * elements), 1.5f);
            const gpu::Buffer a = upload(x, "a"), b(*device, a.bytes(), "b");
            const auto copy = run("bandwidth", "stream_copy", {static_cast<uint32_t>(8 * gpu.multiprocessors)}, {256},
                                  {a.address(), b.address(), elements}, false, name);
            b.download(x.data());
            QCOMPARE(x.back(), 1.5f);
            QCOMPARE(copy.modelled->dramReadBytes, static_cast<uint64_t>(16 * elements));
            QCOMPARE(copy.modelled->dramWrittenBytes, static_cast<uint64_t>(16 * elements));
            const double rate = 32.0 * static_cast<double>(elements) / copy.modelled->seconds / gpu.dramBytesPerSecond;
            QVERIFY2(copy.modelled->limit == "DRAM" && rate > 0.85 && rate <= 1,
                     qPrintable(QString("%1: %2 of the bandwidth, limited by %3")
                                    .arg(name)
                                    .arg(rate)
                                    .arg(copy.modelled->limit.c_str())));

            const gpu::Buffer out(*device, 4 * 256 * gpu.multiprocessors, "out");
            const auto mma = run("peak", "mma_peak", {static_cast<uint32_t>(gpu.multiprocessors)}, {256},
                                 {out.address(), 0x3c003c00u, 400}, false, name);
            const double tensor = static_cast<double>(mma.tensorFlops) / mma.modelled->seconds /
                                  (gpu.tensorFlopsPerClock * gpu.multiprocessors * gpu.clockHz);
            QVERIFY2(mma.modelled->limit == "tensor cores" && tensor > 0.85 && tensor <= 1,
                     qPrintable(QString("%1: %2 of the tensor peak, limited by %3")
                                    .arg(name)
                                    .arg(tensor)
                                    .arg(mma.modelled->limit.c_str())));
            const auto fma = run("peak", "fma_peak", {static_cast<uint32_t>(gpu.multiprocessors)}, {256},
                                 {out.address(), 0.5f, 400}, false, name);
            const double vector = static_cast<double>(fma.flops) / fma.modelled->seconds /
                                  (2.0 * gpu.fp32Lanes * gpu.multiprocessors * gpu.clockHz);
            QVERIFY2(vector > 0.8 && vector <= 1, qPrintable(QString("%1: %2 of the f32 peak, limited by %3")
                                                                 .arg(name)
                                                                 .arg(vector)
                                                                 .arg(fma.modelled->limit.c_str())));
        }
    }

    void modelledNumbersDoNotDependOnThreads() {
        const gpu::AttentionShape shape{1, 2, 2, 256, 256, 64, 0.125f, true};
        const std::vector<float> x = wave(2 * 256 * 64, 0.3f);
        gpu::AttentionOptions options;
        options.gpu = "T4";
        std::vector<gpu::Modelled> both;
        for (const int threads : {1, 2}) {
            options.threads = threads;
            both.push_back(*gpu::attentionForward(library, gpu::AttentionRung::Flash2, shape, x.data(), x.data(),
                                                  x.data(), options)
                                .launches[0]
                                .stats.modelled);
        }
        QCOMPARE(both[0].seconds, both[1].seconds);
        QCOMPARE(both[0].l1Hits, both[1].l1Hits);
        QCOMPARE(both[0].l2Hits, both[1].l2Hits);
        QCOMPARE(both[0].dramReadBytes, both[1].dramReadBytes);
        QCOMPARE(both[0].dramReadBytes, uint64_t(3 * 2 * 256 * 64 * 4)); // Q, K, V once: they fit into the L2
    }
};

QTEST_GUILESS_MAIN(BackwardKernelsTest)
#include "backward_kernels_test.moc"
