// SPDX-License-Identifier: GPL-3.0-or-later
// The CUDA device where the stand-in driver can show what a real one rarely does: full memory, old drivers, limits, no
// GPU. What holds for any GPU is in any_gpu_test.cpp.
#include "gpu/cuda/cuda_device.h"
#include "gpu/cuda/device_list.h"
#include "gpu/error.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/add_one.h"
#include "tests/gpu/standin/control.h"
#include "tests/sentence.h"

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

    void gpusWithoutMemoryPoolsWork() {
        standIn.pools(0);
        cuda::CudaDevice device(0, options);
        gpu::Buffer buffer(device, 1000, "x");
        std::vector<uint8_t> x(1000), back(1000);
        std::iota(x.begin(), x.end(), uint8_t(0));
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
