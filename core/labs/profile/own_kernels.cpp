// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/profile/own_kernels.h"

#include "gpu/ops/attention_traffic.h"
#include "gpu/virtual/virtual_device.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::profile {
namespace {

struct Launched {
    gpu::AttentionRung rung;
    int64_t tile;            ///< rows of a block
    double mostMultiplyAdds; ///< of Q Kᵀ: some seconds on the virtual GPU
};

std::optional<Launched> launchedBy(const std::string& kernel) {
    if (kernel.starts_with("fused_2pass_d"))
        return Launched{gpu::AttentionRung::Fused2Pass, 32, 3e9};
    if (kernel.starts_with("flash2_mma_"))
        return Launched{gpu::AttentionRung::Flash2Mma, 64, 1.5e10};
    if (kernel.starts_with("attention_tf32_"))
        return Launched{gpu::AttentionRung::MmaTf32, 64, 1.5e10};
    if (kernel.starts_with("flash2_d") && kernel.find("_t") == std::string::npos)
        return Launched{gpu::AttentionRung::Flash2, 32, 3e9};
    return {};
}

} // namespace

std::optional<OwnModel> modelOwnKernel(const profiles::OurKernel& kernel, const profiles::Extent& grid,
                                       const vgpu::GpuProfile& gpu, const std::atomic<bool>* cancel) {
    const auto launched = launchedBy(kernel.name);
    if (!launched || kernel.headDim <= 0 || grid[0] <= 0 || grid[1] <= 0 || grid[2] > 1)
        return {};
    OwnModel model;
    model.seqLen = static_cast<int64_t>(grid[0]) * launched->tile;
    model.heads = static_cast<int64_t>(grid[1]);
    const double n = static_cast<double>(model.seqLen),
                 work = static_cast<double>(model.heads) * n * n * kernel.headDim;
    if (!(work <= launched->mostMultiplyAdds))
        return {};
    const gpu::AttentionShape shape{1,
                                    model.heads,
                                    model.heads,
                                    model.seqLen,
                                    model.seqLen,
                                    kernel.headDim,
                                    1.0f / std::sqrt(static_cast<float>(kernel.headDim)),
                                    false};
    const auto device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library(*device);
    gpu::AttentionOptions options;
    options.format = kernel.format == "f16"    ? number::Format::F16
                     : kernel.format == "bf16" ? number::Format::BF16
                                               : number::Format::F32;
    options.gpu = gpu.id;
    options.cancel = cancel;
    const std::vector<float> values(static_cast<size_t>(model.heads * model.seqLen * kernel.headDim), 0.5f);
    const gpu::AttentionRun run =
        gpu::attentionForward(library, launched->rung, shape, values.data(), values.data(), values.data(), options);
    for (const auto& [tensor, traffic] : gpu::countedTraffic(run))
        model.askedBytes += traffic.total();
    for (const gpu::LaunchRecord& launch : run.launches) {
        model.dramBytes +=
            static_cast<double>(launch.stats.modelled->dramReadBytes + launch.stats.modelled->dramWrittenBytes);
        model.seconds += launch.stats.modelled->seconds;
    }
    model.flops = 4 * work;
    return model;
}

} // namespace warplight::labs::profile
