// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <vector>

namespace warplight::gpu {

/// y_t = bias + Σ_k w_k x_{t-width+1+k} of each channel, and silu of that (gpu/kernels/causal_conv.cu).
struct ConvShape {
    int64_t batch = 1, dim = 0, length = 0, width = 4;
    bool silu = false, bias = false;
};
/// f32, contiguous: x [batch, dim, length], w [dim, width], bias [dim] where the shape has one.
struct ConvTensors {
    const float *x = nullptr, *w = nullptr, *bias = nullptr;
};
struct ConvRun : Launched {
    std::vector<float> y; ///< [batch, dim, length]
};

/// Throws InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const ConvShape& shape);
/// Buffers are called x, weight, bias and y. Throws InputError as checkShape does, KernelError, Cancelled.
ConvRun causalConv(KernelLibrary& library, const ConvShape& shape, const ConvTensors& tensors,
                   const LaunchOptions& options = {});
/// What the kernel's loops ask memory for, derived by hand.
TensorTraffic algorithmicTraffic(const ConvShape& shape);
int64_t deviceBytes(const ConvShape& shape);

} // namespace warplight::gpu
