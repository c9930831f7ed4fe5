// How fast the virtual GPU is, on one core, with all counters on: thread-instructions a second on the scalar attention
// kernels, and modelled tensor-core work a second on the mma kernel. usage: vgpu_bench [seqLen]
#include "gpu/ops/attention.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <random>

using namespace warplight;

namespace {

constexpr int repetitions = 5;
constexpr double instructionBar = 1.0e9, tensorBar = 20.0e9;

struct Rate {
    double instructions = 0, tensor = 0, seconds = 0; ///< a second; a second; in all
};

/// The median of several runs.
Rate measure(gpu::KernelLibrary& library, gpu::AttentionRung rung, const gpu::AttentionShape& shape,
             gpu::NumberFormat format, const std::vector<float>& x) {
    std::vector<Rate> rates;
    for (int i = 0; i < repetitions; ++i) {
        gpu::AttentionOptions options;
        options.format = format;
        options.threads = 1;
        const gpu::AttentionRun run =
            gpu::attentionForward(library, rung, shape, x.data(), x.data(), x.data(), options);
        double instructions = 0, tensor = 0, seconds = 0;
        for (const gpu::LaunchRecord& launch : run.launches) {
            instructions += static_cast<double>(launch.stats.threadInstructions);
            tensor += static_cast<double>(launch.stats.tensorFlops);
            seconds += launch.stats.hostSeconds;
        }
        rates.push_back({instructions / seconds, tensor / seconds, seconds});
    }
    std::sort(rates.begin(), rates.end(), [](const Rate& a, const Rate& b) { return a.seconds < b.seconds; });
    return rates[rates.size() / 2];
}

} // namespace

int main(int argc, char** argv) {
    const int64_t seqLen = argc > 1 ? std::atoll(argv[1]) : 512;
    const auto device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library(*device);
    std::mt19937 random(1);
    std::normal_distribution<float> gaussian;
    fmt::print("one core, all counters on, seqLen {}, headDim 64 (measured)\n", seqLen);
    fmt::print("{:<14}{:>22}{:>18}{:>10}\n", "kernel", "thread-instructions/s", "tensor GFLOP/s", "seconds");
    for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs()) {
        const bool decode = rung.id == gpu::AttentionRung::FlashDecode;
        const gpu::AttentionShape shape{1, 1, 1, decode ? 4 : seqLen, decode ? 64 * seqLen : seqLen, 64, 0.125f, false};
        std::vector<float> x(static_cast<size_t>(std::max(shape.queryLen, shape.keyLen) * 64));
        for (float& value : x)
            value = gaussian(random);
        const Rate rate =
            measure(library, rung.id, shape, rung.halfInputs ? gpu::NumberFormat::F16 : gpu::NumberFormat::F32, x);
        const bool good = rung.halfInputs ? rate.tensor >= tensorBar : rate.instructions >= instructionBar;
        fmt::print("{:<14}{:>20.2f}e9{:>18.1f}{:>10.3f}  {}\n", rung.name, rate.instructions * 1e-9, rate.tensor * 1e-9,
                   rate.seconds, good ? "" : "below its bar");
    }
    fmt::print("bars: {:.1f}e9 thread-instructions/s on scalar kernels, {:.0f} GFLOP/s on tensor cores\n",
               instructionBar * 1e-9, tensorBar * 1e-9);
    return 0;
}
