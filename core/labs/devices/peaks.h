// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <string>

namespace warplight::labs::tools {

/// What a GPU that is here reaches with kernels that do one thing only, measured: see gpu/kernels/peak.cu,
/// bandwidth.cu.
struct GpuPeaks {
    double f32Flops = 0, tensorFlops = 0, bandwidth = 0; ///< FLOP/s, FLOP/s of f16 with f32 sums, bytes/s of a copy
};

/// Throws InputError when there is no such GPU ("cuda:N"), DeviceLost, Cancelled.
GpuPeaks measureGpuPeaks(const std::string& device, int multiprocessors, const std::atomic<bool>* cancel);

} // namespace warplight::labs::tools
