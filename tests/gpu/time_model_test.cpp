// What kernels read from the clock, and how many blocks a multiprocessor holds.
#include "gpu/ops/attention.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>

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

    void occupancyTakesTheCompilersRegisters() {
        // ptxas: 168 registers at most for flash2-mma at headDim 64, so that 65,536 are enough for three blocks of 128.
        KernelLibrary library(*device);
        const std::map<int, int> registers = kernelRegisters("attention_mma", "flash2_mma_f16_d64");
        QCOMPARE(registers.size(), size_t{6});
        const std::vector<float> x(64 * 64, 0.25f);
        AttentionOptions options;
        options.format = NumberFormat::F16;
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
