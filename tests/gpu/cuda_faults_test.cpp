// SPDX-License-Identifier: GPL-3.0-or-later
// What the CUDA device does when the driver fails: the right sentence, nothing leaks, and the process goes on.
#include "gpu/cuda/cuda_device.h"
#include "gpu/error.h"
#include "gpu/ops/attention.h"
#include "tests/gpu/standin/control.h"

#include <QTest>
#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <set>

using namespace warplight;
using namespace warplight::test;

namespace {

const std::vector<float> input(2 * 40 * 32, 0.25f);
const gpu::AttentionShape shape{1, 2, 2, 40, 40, 32, 0.2f, true};

/// Three kernels with two buffers between them.
gpu::AttentionRun compute(gpu::Device& device, const gpu::AttentionOptions& options = {}) {
    gpu::KernelLibrary library(device);
    return gpu::attentionForward(library, gpu::AttentionRung::Naive, shape, input.data(), input.data(), input.data(),
                                 options);
}

enum class Kind { Nothing, Input, Lost, Cuda, Other };
struct Outcome {
    Kind kind = Kind::Nothing;
    std::string sentence;
};

template <class F>
Outcome outcomeOf(F action) {
    try {
        action();
        return {};
    } catch (const InputError& error) {
        return {Kind::Input, error.what()};
    } catch (const DeviceLost& error) {
        return {Kind::Lost, error.what()};
    } catch (const cuda::CudaError& error) {
        return {Kind::Cuda, error.what()};
    } catch (const std::exception& error) {
        return {Kind::Other, error.what()};
    }
}

constexpr const char* outOfBounds = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry outOfBounds(.param .u64 x)
{
    .reg .b64 %rd<3>;
    ld.param.u64 %rd1, [x];
    add.s64 %rd2, %rd1, 4096;
    st.global.u64 [%rd2], %rd1;
    ret;
}
)";

} // namespace

class CudaFaultsTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    std::unique_ptr<cuda::CudaDevice> device;

    void open() { device = std::make_unique<cuda::CudaDevice>(0, cuda::CudaOptions{0.9, standIn.path}); }

  private slots:
    void init() {
        useStandInLibraries();
        standIn.reset();
        open();
    }
    void cleanup() {
        device.reset();
        QCOMPARE(standIn.liveObjects(), "");
    }

    void faultsBecomeSentences_data() {
        QTest::addColumn<std::string>("function");
        QTest::addColumn<int>("at");
        QTest::addColumn<int>("result");
        QTest::addColumn<int>("kind");
        QTest::addColumn<std::string>("sentence");
        const auto row = [](const char* name, const char* function, int call, int result, Kind kind,
                            const char* sentence) {
            QTest::newRow(name) << std::string(function) << call << result << static_cast<int>(kind)
                                << std::string(sentence);
        };
        const char* gone = "; the GPU takes no further work from this process";
        const std::string gpu = "Stand-in GPU (cuda:0): ";
        row("out of memory", "cuMemAllocAsync", 6, 2, Kind::Input,
            "'S' needs 12800 bytes of GPU memory; of 2147483648 on Stand-in GPU (cuda:0) 2147442368 are free, and "
            "41280 of "
            "at most 1932735283 are in use here");
        row("no pinned memory", "cuMemAllocHost_v2", 1, 2, Kind::Cuda,
            "Stand-in GPU (cuda:0): pinned memory for copies failed with CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
        row("refused launch", "cuLaunchKernel", 2, 1, Kind::Cuda,
            "Stand-in GPU (cuda:0): kernel naive_softmax failed with CUDA_ERROR_INVALID_VALUE (invalid argument)");
        row("launch failed", "cuLaunchKernel", 2, 719, Kind::Lost,
            (gpu + "kernel naive_softmax failed with CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)" + gone)
                .c_str());
        row("copy to the GPU", "cuMemcpyHtoDAsync_v2", 2, 999, Kind::Lost,
            (gpu + "copying to the GPU failed with CUDA_ERROR_UNKNOWN (unknown error)" + gone).c_str());
        row("copy from the GPU", "cuMemcpyDtoHAsync_v2", 1, 214, Kind::Lost,
            (gpu +
             "copying from the GPU failed with CUDA_ERROR_ECC_UNCORRECTABLE (uncorrectable ECC error encountered)" +
             gone)
                .c_str());
        row("error without a name", "cuEventRecord", 1, 12345, Kind::Cuda,
            "Stand-in GPU (cuda:0): an event failed with CUDA error 12345");
        row("no compiler", "cuModuleLoadDataEx", 1, 221, Kind::Cuda,
            "Stand-in GPU (cuda:0): loading attention_standard.ptx failed with CUDA error 221");
        row("PTX too new", "cuModuleLoadDataEx", 1, 222, Kind::Input,
            "attention_standard.ptx: Stand-in GPU (cuda:0) cannot load it: CUDA_ERROR_UNSUPPORTED_PTX_VERSION (the "
            "provided "
            "PTX was compiled with an unsupported toolchain.)");
    }
    void faultsBecomeSentences() {
        QFETCH(std::string, function);
        QFETCH(int, at);
        QFETCH(int, result);
        QFETCH(int, kind);
        QFETCH(std::string, sentence);
        standIn.fault(function.c_str(), at, result);
        const Outcome outcome = outcomeOf([&] { compute(*device); });
        QCOMPARE(outcome.sentence, sentence);
        QCOMPARE(static_cast<int>(outcome.kind), kind);
        QCOMPARE(device->held(), std::vector<std::string>{});
        if (outcome.kind == Kind::Lost) { // for the check below: the stand-in's context is new, too
            device.reset();
            open();
        }
        QVERIFY(outcomeOf([&] { compute(*device); }).kind == Kind::Nothing);
    }

    void anErrorOfAKernelNamesIt_data() {
        QTest::addColumn<int>("result");
        QTest::addColumn<std::string>("text");
        QTest::newRow("illegal address")
            << 700 << std::string("CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)");
        QTest::newRow("misaligned") << 716 << std::string("CUDA_ERROR_MISALIGNED_ADDRESS (misaligned address)");
        QTest::newRow("assertion") << 710 << std::string("CUDA_ERROR_ASSERT (device-side assert triggered)");
        QTest::newRow("failed") << 719 << std::string("CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)");
        QTest::newRow("timeout") << 702 << std::string("CUDA error 702");
    }
    void anErrorOfAKernelNamesIt() {
        QFETCH(int, result);
        QFETCH(std::string, text);
        standIn.kernelFault(3, result);
        const Outcome outcome = outcomeOf([&] { compute(*device); });
        QVERIFY(outcome.kind == Kind::Lost);
        QCOMPARE(outcome.sentence, "Stand-in GPU (cuda:0): kernel naive_output failed with " + text +
                                       "; the GPU takes no further work from this process");
        QCOMPARE(device->held(), std::vector<std::string>{});
    }

    void everyCallAfterwardsSaysTheSame() {
        gpu::Buffer buffer(*device, 8, "x");
        const auto module = device->load(outOfBounds, "x.ptx");
        gpu::Kernel& kernel = module->kernel("outOfBounds");
        const std::vector<gpu::Argument> arguments{buffer.address()};
        const Outcome first = outcomeOf([&] { kernel.launch({}, arguments); });
        QVERIFY(first.kind == Kind::Lost);
        QCOMPARE(first.sentence,
                 "Stand-in GPU (cuda:0): kernel outOfBounds failed with CUDA_ERROR_ILLEGAL_ADDRESS (an "
                 "illegal memory access was encountered); the GPU takes no further work from this process");
        int64_t value = 0;
        const std::vector<std::pair<const char*, std::function<void()>>> calls{
            {"allocate", [&] { device->allocate(8, "y"); }},    {"upload", [&] { buffer.upload(&value); }},
            {"download", [&] { buffer.download(&value); }},     {"load", [&] { device->load(outOfBounds, "x.ptx"); }},
            {"kernel", [&] { module->kernel("outOfBounds"); }}, {"launch", [&] { kernel.launch({}, arguments); }},
            {"measure", [&] { device->measure({}, [] {}); }},   {"cuBLAS", [&] { device->matrixLibrary(); }},
            {"memory", [&] { device->memoryInfo(); }}};
        for (const auto& [name, call] : calls) {
            const Outcome again = outcomeOf(call);
            QVERIFY2(again.kind == Kind::Lost && again.sentence == first.sentence, name);
        }
        QCOMPARE(device->held(), std::vector<std::string>{"x"});
    }

    void aReleaseThatFindsTheGpuLostDoesNotThrow() {
        {
            const gpu::Buffer a(*device, 8, "a"), b(*device, 8, "b");
            standIn.fault("cuMemFreeAsync", 1, 719);
        }
        QVERIFY(device->held().empty());
        const Outcome next = outcomeOf([&] { device->allocate(8, "c"); });
        QVERIFY(next.kind == Kind::Lost);
        QCOMPARE(next.sentence.substr(0, 40), "Stand-in GPU (cuda:0): releasing 'b' fai");
    }

    /// Whichever call of the driver is the first to find the GPU gone, opening the device included.
    void aGpuLostAtAnyCallIsToldOnceAndNothingLeaks() {
        device.reset();
        const auto work = [this] {
            open();
            gpu::AttentionOptions options;
            options.measure = gpu::Repetitions{1, 2, true};
            compute(*device, options);
            device.reset();
        };
        const uint64_t before = standIn.counts().calls;
        work();
        const auto calls = static_cast<int>(standIn.counts().calls - before);
        QVERIFY(calls > 100);
        std::set<std::string> sentences;
        std::vector<int> hidden;
        for (int call = 1; call <= calls; ++call) {
            device.reset();
            standIn.reset();
            standIn.fault("*", call, 999);
            const Outcome outcome = outcomeOf(work);
            const bool found = outcome.kind == Kind::Lost || outcome.kind == Kind::Input;
            if (outcome.kind == Kind::Nothing)
                hidden.push_back(call);
            else {
                QVERIFY2(found && outcome.sentence.find("CUDA_ERROR_UNKNOWN (unknown error)") != std::string::npos,
                         qPrintable(QString("call %1: %2").arg(call).arg(outcome.sentence.c_str())));
                sentences.insert(outcome.sentence);
            }
            if (device)
                QVERIFY2(device->held().empty(), qPrintable(QString::number(call)));
            device.reset();
            standIn.reset(); // a GPU that never opened keeps its error: in a new process it would be gone
            QCOMPARE(standIn.liveObjects(), "");
        }
        // Only the last calls, which give everything back, have nobody to tell.
        for (size_t i = 0; i < hidden.size(); ++i)
            QCOMPARE(hidden[i], calls - static_cast<int>(hidden.size() - i) + 1);
        for (const char* doing : {"does not start", "opening the GPU", "a stream", "copying to the GPU",
                                  "kernel naive_scores", "allocating 12800 bytes for 'S'", "overwriting the L2 cache",
                                  "a sequence of kernels", "copying from the GPU", "loading attention_standard.ptx"})
            QVERIFY2(std::any_of(sentences.begin(), sentences.end(),
                                 [&](const std::string& s) { return s.find(doing) != std::string::npos; }),
                     doing);
        QVERIFY(outcomeOf(work).kind == Kind::Nothing);
        open();
    }
};

QTEST_GUILESS_MAIN(CudaFaultsTest)
#include "cuda_faults_test.moc"
