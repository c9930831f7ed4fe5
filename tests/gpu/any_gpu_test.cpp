// SPDX-License-Identifier: GPL-3.0-or-later
// What the CUDA device does on any GPU: the one that is here, or the stand-in that WARPLIGHT_LIBCUDA names.
#include "gpu/cuda/cuda_device.h"
#include "gpu/cuda/device_list.h"
#include "gpu/error.h"
#include "gpu/ops/attention.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/add_one.h"
#include "tests/sentence.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

/// Bytes that do not repeat within any copy here.
std::vector<uint8_t> pattern(size_t bytes, unsigned seed) {
    std::vector<uint8_t> x(bytes);
    for (size_t i = 0; i < bytes; ++i)
        x[i] = static_cast<uint8_t>((i + seed) * 0x9E3779B97F4A7C15u >> 56);
    return x;
}

/// Writes to address 0.
constexpr const char* writeNowhere = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry writeNowhere()
{
    .reg .b64 %rd<2>;
    mov.u64 %rd1, 0;
    st.global.u64 [%rd1], %rd1;
    ret;
}
)";

} // namespace

class AnyGpuTest : public QObject {
    Q_OBJECT
    std::unique_ptr<cuda::CudaDevice> shared; ///< for the long tables
    std::unique_ptr<gpu::KernelLibrary> library;

    gpu::Measured timeOfAttention(int64_t length) {
        const std::vector<float> x(static_cast<size_t>(length) * 64, 0.5f);
        gpu::AttentionOptions options;
        options.measure = gpu::Repetitions{1, 3, true};
        return *gpu::attentionForward(*library, gpu::AttentionRung::Flash2, {1, 1, 1, length, length, 64, 0.1f, false},
                                      x.data(), x.data(), x.data(), options)
                    .measured;
    }

  private slots:
    void initTestCase() {
        const cuda::DeviceList list = cuda::deviceList();
        QVERIFY2(!list.gpus.empty(), list.whyNone.c_str());
        shared = std::make_unique<cuda::CudaDevice>(0);
        library = std::make_unique<gpu::KernelLibrary>(*shared);
    }
    void cleanupTestCase() {
        library.reset();
        shared.reset();
    }

    void copiesKeepTheirBytes_data() {
        QTest::addColumn<int>("bytes");
        for (const int bytes : {0, 1, 4095, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (12 << 20) + 7})
            QTest::addRow("%d bytes", bytes) << bytes;
    }
    void copiesKeepTheirBytes() {
        QFETCH(int, bytes);
        cuda::CudaDevice device(0);
        std::vector<uint8_t> source = pattern(static_cast<size_t>(bytes), 1), back(source.size());
        const std::vector<uint8_t> kept = source;
        gpu::Buffer buffer(device, bytes, "x");
        buffer.upload(source.data());
        std::fill(source.begin(), source.end(), uint8_t(0xee)); // an upload has read its source when it returns
        buffer.download(back.data());
        QVERIFY(back == kept);
    }

    void copiesInsideABufferGoWhereTheyShould() {
        cuda::CudaDevice device(0);
        const std::vector<uint8_t> all = pattern(100, 1), part = pattern(10, 9);
        gpu::Buffer buffer(device, 100, "x");
        buffer.upload(all.data());
        device.upload(buffer.address() + 40, part.data(), 10);
        std::vector<uint8_t> back(20), expected(all.begin() + 35, all.begin() + 55);
        std::copy(part.begin(), part.end(), expected.begin() + 5);
        device.download(back.data(), buffer.address() + 35, 20);
        QVERIFY(back == expected);
    }

    void copiesOutsideABufferAreRefusedAsOnTheVirtualGpu() {
        cuda::CudaDevice device(0);
        const auto other = vgpu::makeVirtualDevice();
        std::vector<uint8_t> x(200);
        for (gpu::Device* d : {static_cast<gpu::Device*>(&device), other.get()}) {
            gpu::Buffer buffer(*d, 100, "x");
            const uint64_t at = buffer.address();
            QVERIFY(sentenceOf([&] { d->upload(at, x.data(), 101); }).starts_with("a copy of 101 bytes at 0x"));
            QVERIFY(sentenceOf([&] { d->download(x.data(), at + 99, 2); }).ends_with("is not inside a buffer"));
            QVERIFY(sentenceOf([&] { d->download(x.data(), at - 1, 1); }).ends_with("is not inside a buffer"));
            QCOMPARE(sentenceOf([&] { d->release(at + 1); }).substr(0, 10), "address 0x");
        }
    }

    void impossibleSizesAndSharesAreRefused() {
        cuda::CudaDevice device(0);
        QVERIFY(sentenceOf([&] { device.allocate(-1, "x"); }).starts_with("'x' needs -1 bytes"));
        QVERIFY(
            sentenceOf([&] { device.allocate(INT64_MAX, "x"); }).starts_with("'x' needs 9223372036854775807 bytes"));
        for (const double share : {0.0, 1.5, -1.0, std::nan("")})
            QVERIFY(sentenceOf([&] {
                        cuda::CudaDevice(0, {share, {}});
                    }).find("expected above 0 and at most 1") != std::string::npos);
    }

    void launchesThatDoNotFitAreRefusedAsOnTheVirtualGpu() {
        cuda::CudaDevice device(0);
        const auto other = vgpu::makeVirtualDevice();
        std::vector<std::vector<std::string>> said;
        for (gpu::Device* d : {static_cast<gpu::Device*>(&device), other.get()}) {
            std::vector<std::string>& sentences = said.emplace_back();
            const gpu::Buffer x(*d, 400, "x");
            const auto module = d->load(addOne, "add.ptx");
            gpu::Kernel& kernel = module->kernel("addOne");
            const auto launch = [&](gpu::Extent grid, gpu::Extent block, std::vector<gpu::Argument> arguments) {
                gpu::LaunchConfig config;
                config.grid = grid;
                config.block = block;
                sentences.push_back(sentenceOf([&] { kernel.launch(config, arguments); }));
            };
            launch({1}, {1025}, {x.address(), 100});
            launch({0}, {128}, {x.address(), 100});
            launch({1}, {128, 0}, {x.address(), 100});
            launch({1}, {128}, {x.address()});
            launch({1}, {128}, {x.address(), 100, 1});
            launch({1}, {128}, {x.address(), int64_t(100)});
            launch({1}, {128}, {100, x.address()});
        }
        QCOMPARE(said[0], said[1]);
        for (const std::string& sentence : said[0])
            QVERIFY(!sentence.empty());
    }

    void launchesComputeWhatTheySay() {
        cuda::CudaDevice device(0);
        std::vector<int32_t> x(100);
        std::iota(x.begin(), x.end(), 0);
        gpu::Buffer buffer(device, 400, "x");
        buffer.upload(x.data());
        const auto module = device.load(addOne, "add.ptx");
        gpu::LaunchConfig config;
        config.block = {128};
        const std::vector<gpu::Argument> arguments{buffer.address(), 100};
        const gpu::LaunchStats stats = module->kernel("addOne").launch(config, arguments);
        QCOMPARE(stats.blocks, uint64_t(1));
        QCOMPARE(stats.threads, uint64_t(128));
        QVERIFY(stats.measured && stats.measured->repetitions == 1);
        buffer.download(x.data());
        for (int i = 0; i < 100; ++i)
            QCOMPARE(x[static_cast<size_t>(i)], i + 1);
    }

    void compilerErrorsNameFileAndLine() {
        cuda::CudaDevice device(0);
        std::string text = addOne;
        text.replace(text.find("mul.wide.u32"), 12, "mul.wade.u32");
        const std::string sentence = sentenceOf([&] { device.load(text, "add.ptx"); });
        QVERIFY2(sentence.starts_with("add.ptx:15: ") && sentence.find("mul.wade.u32") != std::string::npos,
                 sentence.c_str());
        QCOMPARE(sentenceOf([&] { device.load(addOne, "add.ptx")->kernel("addTwo"); }),
                 "add.ptx: there is no kernel 'addTwo'; there are addOne");
    }

    void ourKernelsLoadAndAreDescribedAsByTheVirtualGpu_data() {
        QTest::addColumn<QString>("family");
        for (const std::string_view family : gpu::kernelFamilies())
            QTest::newRow(std::string(family).c_str()) << QString::fromUtf8(family.data(), qsizetype(family.size()));
    }
    void ourKernelsLoadAndAreDescribedAsByTheVirtualGpu() {
        QFETCH(QString, family);
        const auto other = vgpu::makeVirtualDevice();
        const std::string text(gpu::kernelText(family.toStdString()));
        const auto module = shared->load(text, "x.ptx"), expected = other->load(text, "x.ptx");
        QCOMPARE(module->kernels(), expected->kernels());
        for (const std::string& name : module->kernels()) {
            const gpu::KernelInfo &a = module->kernel(name).info(), &b = expected->kernel(name).info();
            QCOMPARE(a.sharedBytes, b.sharedBytes);
            QVERIFY2(a.maxThreads <= b.maxThreads, name.c_str()); // registers may leave room for fewer
            QCOMPARE(a.parameters.size(), b.parameters.size());
            for (size_t i = 0; i < a.parameters.size(); ++i)
                QCOMPARE(a.parameters[i].bytes, b.parameters[i].bytes);
        }
    }

    void timesGrowWithTheWorkAndRepeat() {
        const gpu::Measured little = timeOfAttention(64), much = timeOfAttention(256);
        for (const gpu::Measured& m : {little, much}) {
            QCOMPARE(m.repetitions, 3);
            QVERIFY(m.low > 0 && m.low <= m.seconds && m.seconds <= m.high);
        }
        QVERIFY2(much.seconds > 1.3 * little.seconds,
                 qPrintable(QString("%1 s and %2 s").arg(little.seconds).arg(much.seconds)));
    }

    /// The last one: from then on the GPU takes nothing from this process.
    void aKernelThatWritesNowhereLosesTheGpu() {
        const auto module = shared->load(writeNowhere, "nowhere.ptx");
        for (int time = 0; time < 2; ++time)
            QVERIFY_THROWS_EXCEPTION(DeviceLost, module->kernel("writeNowhere").launch({}, {}));
        QVERIFY_THROWS_EXCEPTION(DeviceLost, shared->allocate(16, "x"));
    }
};

QTEST_GUILESS_MAIN(AnyGpuTest)
#include "any_gpu_test.moc"
