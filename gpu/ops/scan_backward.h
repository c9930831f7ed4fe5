// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/scan.h"

#include <cstdint>
#include <span>
#include <vector>

namespace warplight::gpu {

/// Gradients of the linear scan of rows of real numbers from the state h0, f32 (gpu/kernels/scan_backward.cu).
struct ScanBackwardShape {
    int64_t channels = 0, length = 0;
};

/// Row-major and contiguous: a, the states h and their gradients dh [channels, length], h0 [channels].
struct ScanBackwardTensors {
    const float *a = nullptr, *h0 = nullptr, *h = nullptr, *dh = nullptr;
};

/// Serial, Chunked and LookBack.
std::span<const ScanRungInfo> scanBackwardRungs();

struct ScanBackwardRun : Launched {
    std::vector<float> da, db; ///< [channels, length]
    std::vector<float> dh0;    ///< [channels]
};

/// Throws InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const ScanBackwardShape& shape);

/// g_t = dh_t + a_{t+1} g_{t+1}; db_t = g_t, da_t = g_t h_{t-1}, dh0 = a_0 g_0. Copies the tensors to the device, runs
/// one of scanBackwardRungs, copies the gradients back. Buffers are called A, H, h0, dH, dA, dB, dh0, and between the
/// kernels as scan's. Throws InputError as checkShape does and for other rungs, KernelError, Cancelled.
ScanBackwardRun scanBackward(KernelLibrary& library, ScanRung rung, const ScanBackwardShape& shape,
                             const ScanBackwardTensors& tensors, const LaunchOptions& options = {});

/// As of scan. The last step's state is not needed.
TensorTraffic compulsoryTraffic(const ScanBackwardShape& shape);
TensorTraffic algorithmicTraffic(ScanRung rung, const ScanBackwardShape& shape);
int64_t deviceBytes(ScanRung rung, const ScanBackwardShape& shape);

} // namespace warplight::gpu
