// SPDX-License-Identifier: GPL-3.0-or-later
// Whole programs, compiled by nvcc, against what C++ computes: divergence, calls, warp exchange, atomics, printf.
#include "each_target.h"
#include "gpu/virtual/virtual_device.h"

#include <QFile>
#include <QTest>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

using namespace warplight;
using gpu::Argument;

class ProgramsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device;
    std::unique_ptr<gpu::Module> module;

    gpu::LaunchStats run(const char* kernel, gpu::Extent grid, gpu::Extent block,
                         const std::vector<Argument>& arguments, int threads = 0) {
        gpu::LaunchConfig config;
        config.grid = grid;
        config.block = block;
        config.checks = true;
        config.threads = threads;
        gpu::LaunchStats stats = module->kernel(kernel).launch(config, arguments);
        for (const gpu::Finding& f : stats.findings)
            QTest::qFail(f.message.c_str(), __FILE__, __LINE__);
        return stats;
    }

    template <class T>
    std::vector<T> download(const gpu::Buffer& buffer) {
        std::vector<T> values(static_cast<size_t>(buffer.bytes()) / sizeof(T));
        buffer.download(values.data());
        return values;
    }

    template <class T>
    gpu::Buffer upload(const std::vector<T>& values, const char* name) {
        gpu::Buffer buffer(*device, static_cast<int64_t>(values.size() * sizeof(T)), name);
        buffer.upload(values.data());
        return buffer;
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void init() {
        test::useTargetOfRow();
        module.reset();
        device = vgpu::makeVirtualDevice();
        QFile file(WARPLIGHT_TEST_DATA "/data/ptx/programs.ptx");
        QVERIFY(file.open(QIODevice::ReadOnly));
        module = device->load(file.readAll().toStdString(), "programs.ptx");
    }

    void softmax() {
        const int rows = 8, n = 1000;
        std::vector<float> x(rows * n);
        for (size_t i = 0; i < x.size(); ++i)
            x[i] = std::sin(static_cast<float>(i) * 0.37f) * 5;
        const gpu::Buffer in = upload(x, "x");
        const gpu::Buffer out(*device, in.bytes(), "y");
        const gpu::LaunchStats stats = run("softmaxRows", {rows}, {128}, {in.address(), out.address(), n});
        const auto y = download<float>(out);
        for (int r = 0; r < rows; ++r) {
            double sum = 0;
            for (int i = 0; i < n; ++i)
                sum += std::exp(static_cast<double>(x[static_cast<size_t>(r * n + i)]));
            for (int i = 0; i < n; ++i) {
                const auto at = static_cast<size_t>(r * n + i);
                const double expected = std::exp(static_cast<double>(x[at])) / sum;
                QVERIFY(std::fabs(static_cast<double>(y[at]) - expected) < 1e-6 * expected + 1e-12);
            }
        }
        // Three passes over x, one over y, each element once.
        QCOMPARE(stats.buffers.size(), size_t(2));
        QCOMPARE(stats.buffers[0].readBytes, uint64_t(3 * 4 * rows * n));
        QCOMPARE(stats.buffers[1].writtenBytes, uint64_t(4 * rows * n));
    }

    void loopsOfDifferentLength() {
        const int n = 1000;
        const gpu::Buffer out(*device, n * 4, "out");
        const gpu::LaunchStats stats = run("collatz", {8}, {128}, {out.address(), n});
        const auto steps = download<int>(out);
        for (int i = 0; i < n; ++i) {
            int expected = 0;
            for (long long v = i + 1; v != 1; ++expected)
                v = v & 1 ? 3 * v + 1 : v / 2;
            QCOMPARE(steps[static_cast<size_t>(i)], expected);
        }
        QVERIFY(stats.divergentBranches > 0 && stats.divergentBranches < stats.branches);
    }

    void recursionAndFunctionPointers() {
        const gpu::Buffer out(*device, 32 * 4, "out");
        run("fibonaccis", {1}, {32}, {out.address()});
        const int fibonacci[] = {0, 1, 1, 2, 3, 5, 8, 13};
        for (size_t i = 0; i < 32; ++i)
            QCOMPARE(download<int>(out)[i], fibonacci[i % 8]);
        run("indirectCalls", {1}, {32}, {out.address()});
        for (int i = 0; i < 32; ++i)
            QCOMPARE(download<int>(out)[static_cast<size_t>(i)], i % 3 == 0 ? 2 * i : i % 3 == 1 ? i * i : -i);
    }

    void switches() {
        const gpu::Buffer out(*device, 256 * 4, "out");
        run("switchAndBreak", {1}, {256}, {out.address()});
        const auto values = download<int>(out);
        for (int t = 0; t < 256; ++t) {
            const int first[] = {t * 3, t + 100, t ^ 55, -t, t * t, 7, t << 2};
            int v = first[t % 7];
            for (int i = 0; i < t % 5; ++i) {
                v = v & 1 ? v * 3 + i : v / 2 - i;
                if (v > 1000)
                    break;
            }
            QCOMPARE(values[static_cast<size_t>(t)], v);
        }
    }

    void mathematics() {
        const int n = 4096;
        std::vector<float> x(n);
        std::vector<double> xd(n);
        for (int i = 0; i < n; ++i) {
            x[static_cast<size_t>(i)] = static_cast<float>(i - 2000) * 0.0123f + 0.001f;
            xd[static_cast<size_t>(i)] = (i - 2000) * 0.00317 + 0.0001;
        }
        const gpu::Buffer in = upload(x, "x"), ind = upload(xd, "xd"), out(*device, 15 * n * 4, "o"),
                          outd(*device, 7 * n * 8, "od");
        run("mathematics", {32}, {128}, {in.address(), ind.address(), out.address(), outd.address(), n});
        const auto o = download<float>(out);
        const auto od = download<double>(outd);
        // CUDA's own documented errors in ulp (CUDA C++ Programming Guide, mathematical functions), one more for the
        // rounding of the reference.
        const double ulps[] = {2, 2, 2, 1, 1, 2, 5, 2, 3, 3, 4, 2, 3, 3, 1}, ulpsd[] = {2, 3, 1, 1, 2, 3, 3};
        double worst[15] = {}, worstd[7] = {};
        for (size_t i = 0; i < n; ++i) {
            const auto a = static_cast<double>(x[i]), size = std::fabs(a);
            const double f[] = {std::sin(a),
                                std::cos(a),
                                std::log(size),
                                1 / a,
                                std::sqrt(size),
                                std::tanh(a),
                                std::pow(size, static_cast<double>(1.3f)),
                                std::exp(a),
                                1 / std::sqrt(size),
                                std::erf(a),
                                std::atan2(a, static_cast<double>(0.7f)),
                                std::cbrt(a),
                                std::log1p(size),
                                std::exp2(a),
                                std::fmod(a, static_cast<double>(0.3f))};
            for (size_t k = 0; k < 15; ++k) {
                const double ulp = std::ldexp(1.0, std::max(std::ilogb(f[k] == 0 ? 1e-38 : f[k]), -126) - 23);
                worst[k] = std::max(worst[k], std::fabs(static_cast<double>(o[k * n + i]) - f[k]) / ulp);
            }
            const double d = xd[i];
            const double g[] = {std::exp(d),
                                std::sin(d),
                                d / 3.0,
                                std::sqrt(std::fabs(d)),
                                std::log(std::fabs(d)),
                                std::pow(std::fabs(d), 0.7),
                                std::erf(d)};
            for (size_t k = 0; k < 7; ++k)
                worstd[k] =
                    std::max(worstd[k], std::fabs(od[k * n + i] - g[k]) / std::ldexp(1.0, std::ilogb(g[k]) - 52));
        }
        for (size_t k = 0; k < 15; ++k)
            QVERIFY2(worst[k] <= ulps[k], qPrintable(QString("function %1: %2 ulp").arg(k).arg(worst[k])));
        for (size_t k = 0; k < 7; ++k)
            QVERIFY2(worstd[k] <= ulpsd[k], qPrintable(QString("double function %1: %2 ulp").arg(k).arg(worstd[k])));
    }

    void atomics() {
        const int n = 100000;
        std::vector<int> x(n), expected(64), zero(64);
        for (int i = 0; i < n; ++i) {
            x[static_cast<size_t>(i)] = i * 7919 % 1000;
            ++expected[static_cast<size_t>(x[static_cast<size_t>(i)] & 63)];
        }
        const gpu::Buffer in = upload(x, "x"), bins = upload(zero, "bins");
        run("histogram", {16}, {128}, {in.address(), bins.address(), n});
        QCOMPARE(download<int>(bins), expected);
    }

    void floatAtomicsAreInOrder() { // of blocks, warps and lanes: the sum is that of a plain loop
        const int n = 5000;
        std::vector<float> x(n);
        for (int i = 0; i < n; ++i)
            x[static_cast<size_t>(i)] = 1.0f / static_cast<float>(i + 1);
        const gpu::Buffer in = upload(x, "x"), sum = upload(std::vector<float>{0}, "sum");
        run("sumInOrder", {40}, {128}, {in.address(), sum.address(), n});
        QCOMPARE(download<float>(sum)[0], std::accumulate(x.begin(), x.end(), 0.0f));
    }

    void printsAndAsserts() {
        QCOMPARE(run("speaks", {3}, {32}, {5}).output,
                 std::string(
                     "block 0 says 5, 0.625, text and 1234567890123%\nblock 1 says 5, 0.625, text and 1234567890123%\n"
                     "block 2 says 5, 0.625, text and 1234567890123%\n"));
        try {
            run("asserts", {1}, {32}, {11});
            QFAIL("the assertion did not stop the kernel");
        } catch (const gpu::KernelError& error) {
            QVERIFY(QString(error.what()).contains("n < 10"));
            QVERIFY(QString(error.what()).contains("programs.cu:"));
        }
    }

    void exchangeBetweenLanes() {
        const gpu::Buffer out(*device, 32 * 16 * 4, "out");
        run("lanes", {1}, {32}, {out.address()});
        const auto v = download<int>(out);
        for (int t = 0; t < 32; ++t) {
            const int* row = v.data() + 16 * t;
            const auto u = static_cast<uint32_t>(t);
            uint32_t same = 0, reversed = 0;
            for (int i = 0; i < 32; ++i) {
                same |= i / 5 == t / 5 ? 1u << i : 0;
                reversed |= (u >> i & 1) << (31 - i);
            }
            QCOMPARE(static_cast<uint32_t>(row[0]), 0x49249249u);
            QCOMPARE(row[1], 1);
            QCOMPARE(row[2], 0);
            QCOMPARE(row[3], t < 3 ? t : t - 3);
            QCOMPARE(row[4], (t % 16) + 5 < 16 ? t + 5 : t);
            QCOMPARE(row[5], t / 8 * 8 + t * 7 % 8);
            QCOMPARE(static_cast<uint32_t>(row[6]), same);
            QCOMPARE(row[7], 496);
            QCOMPARE(row[8], -7);
            QCOMPARE(static_cast<uint32_t>(row[9]),
                     static_cast<uint32_t>(std::popcount(u) + std::countl_zero(u) + (t ? std::countr_zero(u) + 1 : 0)) +
                         reversed);
            const uint32_t a = u * 0x01020304u, b = 0x0a0b0c0du; // selector 5140: bytes a0, b0, a1, b1 upwards
            QCOMPARE(static_cast<uint32_t>(row[10]),
                     (a & 0xff) | (b & 0xff) << 8 | (a >> 8 & 0xff) << 16 | (b >> 8 & 0xff) << 24);
            QCOMPARE(row[11], t * 10 + 5);
            QCOMPARE(static_cast<uint32_t>(row[12]), 0x80000001u << 4 | u >> 28);
            QCOMPARE(static_cast<uint32_t>(row[13]), t & 1 ? 0xaaaaaaaau : 0u);
            QCOMPARE(row[14], t + 2);
            QCOMPARE(row[15], static_cast<int>(static_cast<float>(t) * 1.004f));
        }
    }

    void argumentsAndVariables() {
        struct Big {
            double x[5] = {1.5, 2.5, 3.5, 4.5, 5.5};
            int n = 2, unused = 0;
        };
        const gpu::Buffer doubles(*device, 32 * 8, "out"), ints(*device, 64 * 4, "out");
        run("structArgument", {1}, {32}, {Big(), doubles.address()});
        for (size_t t = 0; t < 32; ++t)
            QCOMPARE(download<double>(doubles)[t], 1.5 + static_cast<double>((t + 2) % 5));
        run("globals", {1}, {32}, {ints.address()});
        const auto v = download<int>(ints);
        for (int t = 0; t < 32; ++t) {
            QCOMPARE(v[static_cast<size_t>(t)], 10 * (t % 4 + 1) + 7);
            QCOMPARE(v[static_cast<size_t>(32 + t)], t % 8 * t);
        }
    }

    void fragmentsMultiply() { // wmma: 2 · A B of 32 × 32 small whole numbers, exact in any order
        std::vector<uint16_t> a(1024), b(2048);
        const auto value = [](int i) { return (i * 7 + i / 32 * 3) % 5 - 2; };
        const uint16_t codes[] = {0xc000, 0xbc00, 0, 0x3c00, 0x4000}; // -2 … 2
        for (int i = 0; i < 1024; ++i) {
            a[static_cast<size_t>(i)] = codes[value(i) + 2];
            b[static_cast<size_t>(i)] = codes[value(i + 11) + 2];
            b[static_cast<size_t>(1024 + i % 32 * 32 + i / 32)] = b[static_cast<size_t>(i)];
        }
        const gpu::Buffer da = upload(a, "A"), db = upload(b, "B"), dc(*device, 4096, "C");
        const gpu::LaunchStats stats = run("fragments", {1}, {128}, {da.address(), db.address(), dc.address()});
        QCOMPARE(stats.tensorFlops, uint64_t(2 * 32 * 32 * 32));
        const auto c = download<float>(dc);
        for (int i = 0; i < 32; ++i)
            for (int j = 0; j < 32; ++j) {
                int sum = 0;
                for (int k = 0; k < 32; ++k)
                    sum += value(i * 32 + k) * value(k * 32 + j + 11);
                QCOMPARE(c[static_cast<size_t>(i * 32 + j)], static_cast<float>(2 * sum));
            }
    }

    void barriersInMemory() { // mbarrier, with the race detector watching
        const int rounds = 7;
        std::vector<int> x(64 * rounds);
        for (int i = 0; i < 64 * rounds; ++i)
            x[static_cast<size_t>(i)] = i * i % 101;
        const gpu::Buffer in = upload(x, "in"), out(*device, 256, "out");
        run("handOver", {2}, {128}, {in.address(), out.address(), rounds});
        for (int t = 0; t < 64; ++t) {
            int sum = 0;
            for (int i = 0; i < rounds; ++i)
                sum += x[static_cast<size_t>(64 * i + 63 - t)];
            QCOMPARE(download<int>(out)[static_cast<size_t>(t)], sum);
        }
    }

    void countersDoNotDependOnThreads() {
        const int n = 1000;
        const gpu::Buffer out(*device, n * 4, "out");
        const gpu::LaunchStats one = run("collatz", {8}, {128}, {out.address(), n}, 1),
                               two = run("collatz", {8}, {128}, {out.address(), n}, 2);
        QCOMPARE(one.warpInstructions, two.warpInstructions);
        QCOMPARE(one.threadInstructions, two.threadInstructions);
        QCOMPARE(one.divergentBranches, two.divergentBranches);
        for (size_t i = 0; i < one.lines.size(); ++i)
            QCOMPARE(one.lines[i].threads, two.lines[i].threads);
    }
};

QTEST_GUILESS_MAIN(ProgramsTest)
#include "programs_test.moc"
