// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/selective_scan.h"

#include <cstdint>
#include <vector>

namespace warplight::gpu {

/// Gradients of Σ dY ∘ Y, each like what it is the gradient of; empty where that is not there.
struct SelectiveGradients : Launched {
    std::vector<float> du, ddelta, da, db, dc, dd, dz, dbias;
};

/// Gradients of selectiveScan's Y from its inputs and `dy` [batch, dim, length]
/// (gpu/kernels/selective_scan_backward.cu, where the formulas are). A block goes back through time with four channels
/// and computes states again, from those at the beginnings of chunks of 512 steps. Sums over channels and sequences are
/// added up in one order: the same bits each time. Buffers are called u, delta, A, B, C, D, z, delta-bias, state, dY,
/// and d… for gradients; between the kernels there are "states" and, where there is more than one part to add up,
/// dA-parts, dB-parts, dC-parts, dD-parts and ddelta-bias-parts. Throws InputError as checkShape does, KernelError,
/// Cancelled.
SelectiveGradients selectiveScanBackward(KernelLibrary& library, const SelectiveShape& shape,
                                         const SelectiveTensors& tensors, const float* dy,
                                         const LaunchOptions& options = {});

/// What the loops of its kernels ask memory for, derived by hand.
TensorTraffic algorithmicBackwardTraffic(const SelectiveShape& shape);

/// Device memory that it takes, its tensors included; INT64_MAX when the size overflows.
int64_t backwardDeviceBytes(const SelectiveShape& shape);

} // namespace warplight::gpu
