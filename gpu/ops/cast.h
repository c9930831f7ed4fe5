// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace warplight::gpu {

/// Kernels that round f32 to smaller formats (gpu/kernels/cast.cu, cast_f8.cu), to nearest even. Numbers beyond the
/// range become infinite in f16 and bf16, the largest number in e4m3 and e5m2; infinity stays one, in e4m3 NaN.

/// The compute capability that casts to a format need beyond that of all kernels, 89: 8.9; 0: none.
int architectureOfCast(number::Format to);

struct CastRun : Launched {
    std::vector<float> y;
    bool found = false; ///< whether a number of y is not finite
};
/// y = factor · x, a product of f32, as f16, bf16, e4m3 or e5m2, copied to the device and back; buffers are called x, y
/// and found. Throws InputError for a negative count and for a device whose compute capability is not enough, and as
/// Launcher::start.
CastRun cast(KernelLibrary& library, number::Format to, int64_t count, const float* x, float factor,
             const LaunchOptions& options = {});
/// What its loop asks memory for where all is finite: x once, y once. (Else each thread that finds a number that is not
/// writes to found.)
TensorTraffic castTraffic(number::Format to, int64_t count);
/// Device memory of x, y and found; INT64_MAX when the size overflows.
int64_t castBytes(number::Format to, int64_t count);

/// The bits of the largest |x| that is finite of each array of f32 (address, count), 4 bytes each, in a buffer "amax"
/// that the launcher keeps; returns its address.
uint64_t launchAmax(Launcher& launcher, const std::vector<std::pair<uint64_t, int64_t>>& arrays);

/// y = x · 2^e as e4m3 or e5m2, to nearest even, with the largest e that keeps the largest |x| (its bits at `amax`)
/// within the format.
void launchScaledCast(Launcher& launcher, number::Format to, uint64_t x, uint64_t y, uint64_t amax, int64_t count);
/// The same of x [rows, columns] to y [columns, rows], both multiples of 32.
void launchTransposedCast(Launcher& launcher, number::Format to, uint64_t x, uint64_t y, uint64_t amax, int64_t rows,
                          int64_t columns);

/// What launchAmax of so many numbers asks of the buffer amax.
Traffic amaxTraffic(int64_t count);
/// Bytes of it that either cast of so many numbers, a multiple of 1024, reads.
double scaleTraffic(int64_t count);

} // namespace warplight::gpu
