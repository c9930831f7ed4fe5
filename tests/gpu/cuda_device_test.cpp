// SPDX-License-Identifier: GPL-3.0-or-later
// The CUDA device on the stand-in driver: copies, memory, modules, arguments, and the list of GPUs.
#include "gpu/cuda/cuda_device.h"
#include "gpu/cuda/device_list.h"
#include "gpu/error.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/standin/control.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <numeric>

using namespace warplight;
using namespace warplight::test;

namespace {

const std::string folder = WARPLIGHT_STANDIN_FOLDER;

/// What an action says when it throws InputError; "" when it does not.
template <class F>
std::string sentenceOf(F action) {
    try {
        action();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

/// Bytes that do not repeat within any copy here.
std::vector<uint8_t> pattern(size_t bytes, unsigned seed) {
    std::vector<uint8_t> x(bytes);
    for (size_t i = 0; i < bytes; ++i)
        x[i] = static_cast<uint8_t>((i + seed) * 0x9E3779B97F4A7C15u >> 56);
    return x;
}

constexpr const char* addOne = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry addOne(.param .u64 addOne_x, .param .u32 addOne_n)
{
    .reg .pred %p<2>;
    .reg .b32 %r<6>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [addOne_x];
    ld.param.u32 %r1, [addOne_n];
    mov.u32 %r2, %tid.x;
    setp.ge.u32 %p1, %r2, %r1;
    @%p1 bra $L1;
    mul.wide.u32 %rd2, %r2, 4;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.u32 %r3, [%rd3];
    add.u32 %r4, %r3, 1;
    st.global.u32 [%rd3], %r4;
$L1:
    ret;
}
)";

} // namespace

class CudaDeviceTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    cuda::CudaOptions options{0.9, standIn.path};

  private slots:
    void init() {
        useStandInLibraries();
        standIn.reset();
    }
    void cleanup() { QCOMPARE(standIn.liveObjects(), ""); }

    void copiesKeepTheirBytes_data() {
        QTest::addColumn<int>("bytes");
        for (const int bytes : {0, 1, 4095, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (12 << 20) + 7})
            QTest::addRow("%d bytes", bytes) << bytes;
    }
    void copiesKeepTheirBytes() {
        QFETCH(int, bytes);
        cuda::CudaDevice device(0, options);
        std::vector<uint8_t> source = pattern(static_cast<size_t>(bytes), 1), back(source.size());
        const std::vector<uint8_t> kept = source;
        gpu::Buffer buffer(device, bytes, "x");
        buffer.upload(source.data());
        std::fill(source.begin(), source.end(), uint8_t(0xee)); // an upload has read its source when it returns
        buffer.download(back.data());
        QVERIFY(back == kept);
    }

    void copiesInsideABufferGoWhereTheyShould() {
        cuda::CudaDevice device(0, options);
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
        cuda::CudaDevice device(0, options);
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

    void memoryIsTakenUpToTheCap() {
        standIn.memory(10'000'000);
        cuda::CudaDevice device(0, {0.5, standIn.path});
        QCOMPARE(device.memoryInfo().cap, int64_t(5'000'000));
        {
            const gpu::Buffer first(device, 3'000'000, "first");
            QCOMPARE(
                sentenceOf([&] { const gpu::Buffer b(device, 2'000'001, "S"); }),
                "'S' needs 2000001 bytes of GPU memory; of 10000000 on Stand-in GPU (cuda:0) 7000000 are free, and "
                "3000000 of at most 5000000 are in use here");
            const gpu::Buffer second(device, 2'000'000, "second");
            QCOMPARE(device.held(), (std::vector<std::string>{"first", "second"}));
            QCOMPARE(device.memoryInfo().inUse, int64_t(5'000'000));
        }
        QVERIFY(device.held().empty());
        const gpu::Buffer again(device, 5'000'000, "again"); // what was released can be taken again
    }

    void memoryThatSomebodyElseTookIsNamed() {
        standIn.memory(10'000'000);
        cuda::CudaDevice device(0, {1, standIn.path});
        standIn.memory(1'000'000); // the rest is gone
        QCOMPARE(
            sentenceOf([&] { const gpu::Buffer b(device, 2'000'000, "S"); }),
            "'S' needs 2000000 bytes of GPU memory; of 1000000 on Stand-in GPU (cuda:0) 1000000 are free, and 0 of "
            "at most 10000000 are in use here");
        QVERIFY(device.held().empty());
        const gpu::Buffer fits(device, 900'000, "fits");
    }

    void impossibleSizesAndSharesAreRefused() {
        cuda::CudaDevice device(0, options);
        QVERIFY(sentenceOf([&] { device.allocate(-1, "x"); }).starts_with("'x' needs -1 bytes"));
        QVERIFY(
            sentenceOf([&] { device.allocate(INT64_MAX, "x"); }).starts_with("'x' needs 9223372036854775807 bytes"));
        for (const double share : {0.0, 1.5, -1.0, std::nan("")})
            QVERIFY(sentenceOf([&] {
                        cuda::CudaDevice(0, {share, standIn.path});
                    }).find("expected above 0 and at most 1") != std::string::npos);
    }

    void gpusWithoutMemoryPoolsWork() {
        standIn.pools(0);
        cuda::CudaDevice device(0, options);
        gpu::Buffer buffer(device, 1000, "x");
        const std::vector<uint8_t> x = pattern(1000, 1);
        std::vector<uint8_t> back(1000);
        buffer.upload(x.data());
        buffer.download(back.data());
        QVERIFY(back == x);
    }

    void kernelsAreDescribedAsByTheVirtualGpu_data() {
        QTest::addColumn<std::string>("library");
        QTest::newRow("the driver tells") << standIn.path;
        QTest::newRow("an old driver does not") << folder + "/libcuda_old.so.1";
    }
    void kernelsAreDescribedAsByTheVirtualGpu() {
        QFETCH(std::string, library);
        const StandIn used(library);
        {
            cuda::CudaDevice device(0, {0.9, library});
            const auto other = vgpu::makeVirtualDevice();
            for (const char* family : {"attention_flash", "softmax"}) {
                const std::string text(gpu::kernelText(family));
                const auto module = device.load(text, "x.ptx"), expected = other->load(text, "x.ptx");
                QCOMPARE(module->kernels(), expected->kernels());
                for (const std::string& name : module->kernels()) {
                    const gpu::KernelInfo &a = module->kernel(name).info(), &b = expected->kernel(name).info();
                    QCOMPARE(a.name, b.name);
                    QCOMPARE(a.sharedBytes, b.sharedBytes);
                    QCOMPARE(a.maxThreads, b.maxThreads);
                    QCOMPARE(a.parameters.size(), b.parameters.size());
                    for (size_t i = 0; i < a.parameters.size(); ++i) {
                        QCOMPARE(a.parameters[i].name, b.parameters[i].name);
                        QCOMPARE(a.parameters[i].type, b.parameters[i].type);
                        QCOMPARE(a.parameters[i].bytes, b.parameters[i].bytes);
                    }
                }
            }
        }
        QCOMPARE(used.liveObjects(), "");
    }

    void launchesThatDoNotFitAreRefusedAsOnTheVirtualGpu() {
        cuda::CudaDevice device(0, options);
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
        QCOMPARE(standIn.counts().kernels, uint64_t(0));
    }

    void whatOnlyRealGpusLimitIsRefusedToo() {
        cuda::CudaDevice device(0, options);
        const gpu::Buffer x(device, 400, "x");
        const auto module = device.load(addOne, "add.ptx");
        const auto launch = [&](gpu::Extent grid, gpu::Extent block, int64_t shared) {
            gpu::LaunchConfig config;
            config.grid = grid, config.block = block, config.dynamicShared = shared;
            const std::vector<gpu::Argument> arguments{x.address(), 100};
            return sentenceOf([&] { module->kernel("addOne").launch(config, arguments); });
        };
        QCOMPARE(launch({1, 65536}, {32}, 0),
                 "kernel addOne: a grid of 1 × 65536 × 1 is not within 2147483647 × 65535 × 65535");
        QCOMPARE(launch({1}, {1, 1, 65}, 0), "kernel addOne: a block of 1 × 1 × 65 is not within 1024 × 1024 × 64");
        QCOMPARE(launch({1}, {32}, 163 * 1024 + 1),
                 "kernel addOne needs 166913 bytes of shared memory; a block has at most 166912");
        QCOMPARE(launch({1}, {32}, 163 * 1024), ""); // beyond what every block gets, it is asked for
        standIn.fault("cuLaunchKernel", 1, 701);
        QCOMPARE(launch({1}, {32}, 0),
                 "kernel addOne needs 32 registers a thread: a block of 32 threads does not fit on "
                 "Stand-in GPU (cuda:0)");
        QCOMPARE(launch({1}, {32}, 0), "");
    }

    void launchesComputeWhatTheySay() {
        cuda::CudaDevice device(0, options);
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
        cuda::CudaDevice device(0, options);
        std::string text = addOne;
        text.replace(text.find("mul.wide.u32"), 12, "mul.wade.u32");
        const std::string sentence = sentenceOf([&] { device.load(text, "add.ptx"); });
        QVERIFY2(sentence.starts_with("add.ptx:15: ") && sentence.find("mul.wade.u32") != std::string::npos,
                 sentence.c_str());
        QCOMPARE(sentenceOf([&] { device.load(addOne, "add.ptx")->kernel("addTwo"); }),
                 "add.ptx: there is no kernel 'addTwo'; there are addOne");
    }

    void ptxIsWrittenForTheDriverThatIsThere() {
        standIn.driver(12020);
        cuda::CudaDevice device(0, options);
        const std::string text(gpu::kernelText("softmax"));
        QVERIFY(text.find(".version 9.0") != std::string::npos);
        QVERIFY(device.load(text, "softmax.ptx")->kernels().size() >= 2);
    }

    void gpusAreListed() {
        standIn.devices(2);
        const cuda::DeviceList list = cuda::deviceList(standIn.path);
        QCOMPARE(list.whyNone, "");
        QCOMPARE(list.gpus.size(), size_t(2));
        const cuda::GpuInfo& gpu = list.gpus[1];
        QCOMPARE(gpu.id, "cuda:1");
        QCOMPARE(gpu.name, "Stand-in GPU");
        QCOMPARE(gpu.major * 10 + gpu.minor, 80);
        QCOMPARE(gpu.multiprocessors, 4);
        QCOMPARE(gpu.memoryBytes, int64_t(2) << 30);
        QCOMPARE(gpu.l2Bytes, int64_t(1) << 20);
        QCOMPARE(gpu.clockHz, 1.41e9);
        QCOMPARE(gpu.driverVersion, 13000);
        QCOMPARE(gpu.pciBusId, "0000:65:00.0");
        QCOMPARE(gpu.detail(), "compute capability 8.0, 4 multiprocessors, 2 GB, CUDA 13.0");
    }

    void whyThereIsNoGpuIsOneSentence_data() {
        QTest::addColumn<std::string>("library");
        QTest::addColumn<int>("devices");
        QTest::addColumn<int>("driver");
        QTest::addColumn<int>("initFails");
        QTest::addColumn<std::string>("sentence");
        QTest::newRow("no library") << std::string("/no/libcuda.so.1") << 1 << 13000 << 0
                                    << std::string("There is no NVIDIA driver: /no/libcuda.so.1 was not found.");
        QTest::newRow("incomplete") << folder + "/libcuda_incomplete.so.1" << 1 << 13000 << 0
                                    << folder +
                                           "/libcuda_incomplete.so.1 has no cuGetErrorName: the NVIDIA driver is too "
                                           "old, or it is none.";
        QTest::newRow("too old") << standIn.path << 1 << 10020 << 0
                                 << std::string("The NVIDIA driver is for CUDA 10.2; 11.1 or later is needed.");
        QTest::newRow("no GPU") << standIn.path << 0 << 13000 << 0 << std::string("The NVIDIA driver finds no GPU.");
        QTest::newRow("not started") << standIn.path << 1 << 13000 << 802
                                     << std::string(
                                            "The NVIDIA driver does not start: CUDA_ERROR_SYSTEM_NOT_READY (system "
                                            "not yet initialized).");
    }
    void whyThereIsNoGpuIsOneSentence() {
        QFETCH(std::string, library);
        QFETCH(int, devices);
        QFETCH(int, driver);
        QFETCH(int, initFails);
        QFETCH(std::string, sentence);
        standIn.devices(devices);
        standIn.driver(driver);
        for (int time = 0; time < 2; ++time) { // the list tells it, and so does opening the device
            if (initFails)
                standIn.fault("cuInit", 1, initFails);
            QCOMPARE(time == 0 ? cuda::deviceList(library).whyNone : sentenceOf([&] {
                         cuda::CudaDevice(0, {0.9, library});
                     }),
                     sentence);
        }
        QVERIFY(cuda::deviceList("/no/libcuda.so.1").gpus.empty());
    }

    void theLibraryMayBeNamedByTheEnvironment() {
        qputenv("WARPLIGHT_LIBCUDA", standIn.path.c_str());
        QCOMPARE(cuda::deviceList().gpus.size(), size_t(1));
        qputenv("WARPLIGHT_LIBCUDA", "/no/libcuda.so.1");
        QCOMPARE(cuda::deviceList().whyNone, "There is no NVIDIA driver: /no/libcuda.so.1 was not found.");
        qunsetenv("WARPLIGHT_LIBCUDA");
    }

    void aGpuThatIsNotThereIsNamed() {
        QCOMPARE(sentenceOf([&] { cuda::CudaDevice(1, options); }),
                 "device cuda:1: there is 1 NVIDIA GPU here, counted from 0");
        QCOMPARE(cuda::deviceNumber("cuda:12"), 12);
        for (const char* id : {"cuda", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "vgpu", "cuda:99999999999"})
            QCOMPARE(sentenceOf([&] { cuda::deviceNumber(id); }),
                     "device '" + std::string(id) + "': expected cuda:0, cuda:1 …");
    }

    void twoDevicesOfOneProcessDoNotDisturbEachOther() {
        standIn.devices(2);
        cuda::CudaDevice first(0, options), second(1, options), firstAgain(0, options);
        gpu::Buffer a(first, 4, "a"), b(second, 4, "b"), c(firstAgain, 4, "c");
        const int32_t one = 1, two = 2, three = 3;
        a.upload(&one), b.upload(&two), c.upload(&three);
        int32_t back = 0;
        a.download(&back);
        QCOMPARE(back, 1);
        b.download(&back);
        QCOMPARE(back, 2);
        c.download(&back);
        QCOMPARE(back, 3);
    }
};

QTEST_GUILESS_MAIN(CudaDeviceTest)
#include "cuda_device_test.moc"
