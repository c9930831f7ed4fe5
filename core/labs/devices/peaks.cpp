// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/devices/peaks.h"

#include "gpu/cuda/cuda_device.h"
#include "gpu/ops/kernel_library.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace warplight::labs::tools {
namespace {

constexpr int rounds = 4000;              ///< of the peak kernels' loops: some milliseconds
constexpr int64_t copied = 256ll << 20;   ///< bytes: several times the largest L2
constexpr double fmaFlops = 2 * 8 * 16;   ///< of a thread and round: see fma_peak
constexpr double mmaFlops = 8 * 4 * 4096; ///< of a warp and round: see mma_peak
constexpr int blocksPerMultiprocessor = 8;

} // namespace

GpuPeaks measureGpuPeaks(const std::string& id, int multiprocessors, const std::atomic<bool>* cancel) {
    cuda::CudaDevice device(cuda::deviceNumber(id));
    gpu::KernelLibrary kernels(device);
    gpu::LaunchConfig config;
    config.grid = {static_cast<uint32_t>(blocksPerMultiprocessor * multiprocessors)};
    config.block = {256};
    config.repeat = gpu::timedRepetitions;
    config.repeat.coldL2 = false; // what is in registers needs no cache, and a copy of this size does not fit into it
    config.cancel = cancel;
    const auto seconds = [&](const char* family, const char* kernel, std::vector<gpu::Argument> arguments) {
        return kernels.kernel(family, kernel).launch(config, arguments).measured->seconds;
    };
    GpuPeaks peaks;
    {
        const gpu::Buffer from(device, copied, "from"), to(device, copied, "to");
        const double time =
            seconds("bandwidth", "stream_copy", {from.address(), to.address(), static_cast<long long>(copied / 16)});
        peaks.bandwidth = 2.0 * static_cast<double>(copied) / time;
    }
    const gpu::Buffer out(device, 4 * 256 * static_cast<int64_t>(config.grid.count()), "out");
    const double threads = 256.0 * static_cast<double>(config.grid.count());
    peaks.f32Flops = threads * fmaFlops * rounds / seconds("peak", "fma_peak", {out.address(), 0.5f, rounds});
    peaks.tensorFlops =
        threads / 32 * mmaFlops * rounds / seconds("peak", "mma_peak", {out.address(), 0x3c003c00u, rounds});
    return peaks;
}

} // namespace warplight::labs::tools
