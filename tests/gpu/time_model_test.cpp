// SPDX-License-Identifier: GPL-3.0-or-later
// What kernels read from the clock, and how many blocks a multiprocessor holds.
#include "gpu/ops/attention.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/thinned.h"

#include <QFile>
#include <QTest>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <utility>

#include <cmath>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::gpu;

class TimeModelTest : public QObject {
    Q_OBJECT
    std::unique_ptr<Device> device = vgpu::makeVirtualDevice();

    /// Clock, and nanoseconds, at the end of each block's last warp: `count` multiply-adds by each of four warps.
    std::pair<std::vector<uint64_t>, std::vector<uint64_t>> clocksOf(int count, const std::string& gpu, int threads) {
        std::string text =
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n.reg .f32 %x;\n"
            ".reg .b64 %a, %o, %c, %n;\n.reg .b32 %t, %b;\n.reg .pred %p;\nmov.f32 %x, 0f3f800000;\n";
        for (int i = 0; i < count; ++i)
            text += "fma.rn.f32 %x, %x, %x, %x;\n";
        text += "mov.u64 %c, %clock64;\nmov.u64 %n, %globaltimer;\nmov.u32 %t, %tid.x;\nsetp.ne.u32 %p, %t, 127;\n@%p "
                "bra DONE;\nld.param.u64 %a, [out];\nmov.u32 %b, %ctaid.x;\nmul.wide.u32 %o, %b, 16;\nadd.s64 %a, %a, "
                "%o;\nst.global.u64 [%a], %c;\nst.global.u64 [%a+8], %n;\nDONE:\nret;\n}\n";
        constexpr uint32_t blocks = 5;
        const Buffer out(*device, blocks * 16, "out");
        LaunchConfig config;
        config.grid = {blocks};
        config.block = {128};
        config.gpu = gpu;
        config.threads = threads;
        device->load(text, "clock.ptx")->kernel("k").launch(config, std::vector<Argument>{out.address()});
        uint64_t values[2 * blocks];
        out.download(values);
        std::vector<uint64_t> clocks, nanoseconds;
        for (size_t i = 0; i < blocks; ++i) {
            clocks.push_back(values[2 * i]);
            nanoseconds.push_back(values[2 * i + 1]);
        }
        return {clocks, nanoseconds};
    }

  private slots:
    void clocksAreTheModels() {
        // Four warps of n multiply-adds on 64 lanes: 2n clocks; on 128 lanes n would do, but each waits 4.5 clocks for
        // its result, of which three are under way: 1.5n.
        for (const auto& [gpu, expected] : {std::pair("A100", 2.0), std::pair("H100", 1.5)}) {
            const auto [clocks, nanoseconds] = clocksOf(2000, gpu, 1);
            const double per = static_cast<double>(clocks[0]) / 2000;
            QVERIFY2(std::fabs(per / expected - 1) < 0.01, qPrintable(QString("%1 %2").arg(gpu).arg(per)));
            const double hz = static_cast<double>(clocks[0]) / static_cast<double>(nanoseconds[0]) * 1e9;
            QVERIFY(std::fabs(hz / vgpu::gpuProfile(gpu).clockHz - 1) < 0.01);
        }
    }

    void clocksDependNeitherOnThreadsNorOnTheBlock() {
        const auto one = clocksOf(500, "A100", 1), two = clocksOf(500, "A100", 2);
        QVERIFY(one == two);
        for (const uint64_t clock : one.first)
            QCOMPARE(clock, one.first[0]);
    }

    void tensorCoresTakeTheirTimeByTheFormat() { // shares of the f16 peak, as the GPUs' white papers give them
        const auto seconds = [&](const char* shape, const char* sums, const char* inputs, const char* gpu) {
            const bool half = std::string(sums) == "f16";
            const std::string d = half ? "{%r0, %r1}" : "{%f0, %f1, %f2, %f3}";
            std::string text = ".version 8.4\n.target sm_89\n.address_size 64\n.visible .entry k()\n{\n.reg .f32 "
                               "%f<4>;\n.reg .b32 %r<8>;\n";
            for (int i = 0; i < 4; ++i)
                text += fmt::format("mov.b32 %f{0}, 0f00000000;\nmov.b32 %r{0}, 0;\nmov.b32 %r{1}, 0;\n", i, i + 4);
            for (int i = 0; i < 64; ++i)
                text += fmt::format("mma.sync.aligned.{}.row.col.{}.{}.{}.{} {}, {{%r2, %r3, %r4, %r5}}, {{%r6, %r7}}, "
                                    "{};\n",
                                    shape, sums, inputs, inputs, sums, d, d);
            text += "ret;\n}\n";
            LaunchConfig config;
            config.grid = {256};
            config.block = {1024};
            config.gpu = gpu;
            return device->load(text, "mma.ptx")->kernel("k").launch(config, {}).modelled->parts.at("tensor cores");
        };
        for (const auto& [gpu, speedUp] : {std::pair("A100", 1.0), std::pair("RTX4090", 2.0)}) {
            const double f16 = seconds("m16n8k16", "f32", "f16", gpu);
            const auto is = [&](double time, double share) { return std::fabs(time / f16 - share) < 1e-9; };
            QVERIFY(f16 > 0 && is(seconds("m16n8k16", "f32", "bf16", gpu), 1));
            QVERIFY(is(seconds("m16n8k16", "f16", "f16", gpu), 1 / speedUp));
            QVERIFY(is(seconds("m16n8k8", "f32", "tf32", gpu), 1)); // half the products, at half the rate
            QVERIFY(is(seconds("m16n8k32", "f32", "e4m3", gpu), 1));
        }
    }

    /// The first lessons of every course: products of matrices, each step in its place, and about as far from the one
    /// before as others measured on an RTX A6000 at 4,096 (S. Boehm, "How to Optimize a CUDA Matmul Kernel for
    /// cuBLAS-like Performance", 2022: 309, 1987, 2980, 8475, 15972 and 18237 GFLOP/s).
    void aLadderOfMatrixProductsComesOutInOrder() {
        struct Rung {
            const char* kernel;
            uint32_t tile;
            Extent block;
            double measured; ///< GFLOP/s
        };
        const Rung rungs[] = {{"naive", 32, {32, 32}, 309},        {"coalesced", 32, {32, 32}, 1987},
                              {"sharedTiles", 32, {32, 32}, 2980}, {"registers1d", 64, {512}, 8475},
                              {"registers2d", 128, {256}, 15972},  {"vectorised", 128, {256}, 18237}};
        QFile file(WARPLIGHT_TEST_DATA "/data/ptx/matmul_ladder.ptx");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto module = device->load(file.readAll().toStdString(), "matmul_ladder.ptx");
        constexpr uint32_t rows = 2688, columns = 512; // 84 blocks of 128 × 128: each multiprocessor has one
        constexpr int inner = 64;
        std::vector<float> a(rows * inner), b(inner * columns), expected(rows * columns), c(rows * columns);
        for (size_t i = 0; i < a.size(); ++i)
            a[i] = static_cast<float>(i % 7) - 3;
        for (size_t i = 0; i < b.size(); ++i)
            b[i] = static_cast<float>(i % 5) - 2;
        for (size_t row = 0; row < rows; ++row)
            for (size_t k = 0; k < inner; ++k)
                for (size_t column = 0; column < columns; ++column)
                    expected[row * columns + column] += a[row * inner + k] * b[k * columns + column];
        Buffer da(*device, rows * inner * 4, "A"), db(*device, inner * columns * 4, "B"),
            dc(*device, rows * columns * 4, "C");
        da.upload(a.data());
        db.upload(b.data());
        double before = 0, measuredBefore = 0;
        for (size_t r = 0; r < std::size(rungs); r += static_cast<size_t>(test::thinned(3))) {
            const Rung& rung = rungs[r];
            LaunchConfig config;
            config.grid = {columns / rung.tile, rows / rung.tile};
            config.block = rung.block;
            config.gpu = "A6000";
            const LaunchStats stats = module->kernel(rung.kernel)
                                          .launch(config, std::vector<Argument>{da.address(), db.address(),
                                                                                dc.address(), int(columns), inner});
            dc.download(c.data());
            QVERIFY2(c == expected, rung.kernel);
            // Without the launch, which 4,096 hides.
            const double part = stats.modelled->parts.at(stats.modelled->limit);
            const double rate = 2e-9 * rows * columns * inner / part;
            qInfo("%-12s %8.0f GFLOP/s modelled, %6.0f measured, limited by %s", rung.kernel, rate, rung.measured,
                  stats.modelled->limit.c_str());
            QVERIFY2(rate > before, rung.kernel);
            QVERIFY2(rate > rung.measured / 2 && rate < rung.measured * 2, rung.kernel);
            if (before > 0) {
                const double step = rate / before / (rung.measured / measuredBefore);
                QVERIFY2(step > 0.5 && step < 2, rung.kernel);
            }
            before = rate;
            measuredBefore = rung.measured;
        }
    }

    /// 32 lines a request against one, all in the L1: one look-up a clock for each line.
    void aRequestCostsItsLines() {
        const auto run = [&](const std::string& shift) {
            const std::string text =
                ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 x)\n{\n.reg .b64 %a, "
                "%o;\n"
                ".reg .b32 %t, %v, %s, %i;\n.reg .pred %p;\nld.param.u64 %a, [x];\nmov.u32 %t, %tid.x;\n" +
                shift +
                "cvt.u64.u32 %o, %t;\nadd.s64 %a, %a, %o;\nmov.u32 %i, 0;\nL: ld.global.u32 %v, [%a];\nadd.u32 %s, %s, "
                "%v;\nadd.u32 %i, %i, 1;\nsetp.lt.u32 %p, %i, 512;\n@%p bra L;\nst.global.u32 [%a], %s;\nret;\n}\n";
            Buffer x(*device, 4096, "x");
            x.upload(std::vector<char>(4096).data());
            LaunchConfig config;
            config.block = {32};
            config.gpu = "A100";
            return *device->load(text, "lines.ptx")
                        ->kernel("k")
                        .launch(config, std::vector<Argument>{x.address()})
                        .modelled;
        };
        const Modelled apart = run("shl.b32 %t, %t, 7;\n"), together = run("shl.b32 %t, %t, 2;\n");
        const char* part = "L1 and shared memory";
        QVERIFY(std::fabs(apart.parts.at(part) / together.parts.at(part) / 32 - 1) < 0.01);
        QVERIFY(std::fabs(apart.parts.at(part) * vgpu::gpuProfile("A100").clockHz / (513 * 32) - 1) < 0.01);
        QCOMPARE(apart.limit, std::string(part));
        QVERIFY(apart.seconds > 1.5 * together.seconds);
    }

    void occupancyTakesTheCompilersRegisters() {
        // ptxas: 168 registers at most for flash2-mma at headDim 64, so that 65,536 are enough for three blocks of 128.
        KernelLibrary library(*device);
        const std::map<int, int> registers = kernelRegisters("attention_mma", "flash2_mma_f16_d64");
        QCOMPARE(registers.size(), size_t{6});
        const std::vector<float> x(64 * 64, 0.25f);
        AttentionOptions options;
        options.format = number::Format::F16;
        for (const auto& [architecture, gpu] : {std::pair(80, "A100"), std::pair(90, "H100"), std::pair(100, "B200")}) {
            options.gpu = gpu;
            const AttentionShape shape{1, 1, 1, 64, 64, 64, 0.125f, false};
            const AttentionRun run =
                attentionForward(library, AttentionRung::Flash2Mma, shape, x.data(), x.data(), x.data(), options);
            const int of = registers.at(architecture), perWarp = (of * 32 + 255) / 256 * 256;
            QCOMPARE(run.launches[0].stats.modelled->blocksPerMultiprocessor, 65536 / (4 * perWarp));
        }
        QVERIFY(kernelRegisters("attention_mma", "no_such_kernel").empty());
    }
};

QTEST_GUILESS_MAIN(TimeModelTest)
#include "time_model_test.moc"
