// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/kernel_names.h"
#include "core/profiles/kernel_record.h"
#include "gpu/virtual/gpu_profile.h"

#include <atomic>
#include <cstdint>
#include <optional>

namespace warplight::labs::profile {

/// What the virtual GPU makes of a launch that somebody else's GPU has measured.
struct OwnModel {
    int64_t seqLen = 0, heads = 0; ///< as the grid says: rows of whole tiles
    double askedBytes = 0;         ///< counted
    double dramBytes = 0;          ///< modelled
    double seconds = 0;            ///< modelled
    double flops = 0;              ///< 4·N²·d a head
};

/// Runs the kernel with the launch's grid: square, without a mask, headDim as compiled. Nothing for kernels whose grid
/// does not tell their shape (all but fused_2pass, flash2, flash2_mma and attention_tf32), or that would take longer
/// than some seconds. Throws Cancelled.
std::optional<OwnModel> modelOwnKernel(const profiles::OurKernel& kernel, const profiles::Extent& grid,
                                       const vgpu::GpuProfile& gpu, const std::atomic<bool>* cancel);

} // namespace warplight::labs::profile
