// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/ssd.h"

#include <cstdint>
#include <vector>

namespace warplight::gpu {

/// Steps of a chunk of ssdBackward, whatever the shape says.
inline constexpr int64_t ssdBackSteps = 32;

/// Gradients of Σ dY ∘ Y: each like what it is the gradient of, da that of the logarithms.
struct SsdBackwardRun : Launched {
    std::vector<float> dx, da, db, dc;
    std::vector<float> dinitial; ///< empty where the shape begins with nothing
};

/// Gradients of SSD in f32 (gpu/kernels/ssd_backward.cu) from its tensors and dy [batch, length, heads, headDim], all
/// on the host. Where a decay is exactly 0 its gradient is 0. Buffers are called X, A, B, C, dY, initial-state, dX, dA,
/// dB, dC, dinitial-state, and between the kernels decays, states (H before each chunk), gradients (G behind it),
/// factors (what a chunk leaves) and parts (of dB and dC, a head each). Throws InputError with checkShape's sentence,
/// KernelError, Cancelled.
SsdBackwardRun ssdBackward(KernelLibrary& library, const SsdShape& shape, const SsdTensors& tensors, const float* dy,
                           const LaunchOptions& options = {});

/// What the loops of its kernels ask memory for, derived by hand from their tiles.
TensorTraffic backwardTraffic(const SsdShape& shape);

/// Device memory that it takes, its tensors included; INT64_MAX when the size overflows.
int64_t backwardDeviceBytes(const SsdShape& shape);

} // namespace warplight::gpu
