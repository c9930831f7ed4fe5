// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// C = A · B, row-major: A [m, k], B [k, n], C [m, n]. Sums and C are f32 whatever the format of A and B.
struct MatmulShape {
    int64_t m = 0, n = 0, k = 0;
};

/// The rungs of the ladder (gpu/kernels/matmul.cu), and the device's matrix library.
enum class MatmulRung { Naive, Tiled, Mma, Cublas };
std::string_view name(MatmulRung rung); ///< "naive", "tiled", "mma", "cublas"

/// Why a rung does not take a shape and format on a device, as a sentence; empty: it does. naive and tiled take f32,
/// mma takes f16 in whole tiles (m and n multiples of 64, k of 32), cublas f32, f16 and bf16 where there is a library.
std::string whyNot(Device& device, MatmulRung rung, const MatmulShape& shape, number::Format format);

/// Launches a rung on a and b of that format and c in f32, in device memory. Nothing is launched where C is empty.
/// Throws InputError with whyNot's sentence, and as Launcher::start.
void launchMatmul(Launcher& launcher, MatmulRung rung, const MatmulShape& shape, number::Format format, uint64_t a,
                  uint64_t b, uint64_t c);

struct MatmulRun : Launched {
    std::vector<float> c;
};
/// The same with the matrices (f32, rounded to the format) copied to the device and C back; buffers are called A, B, C.
MatmulRun matmul(KernelLibrary& library, MatmulRung rung, const MatmulShape& shape, number::Format format,
                 const float* a, const float* b, const LaunchOptions& options = {});

/// Each matrix once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const MatmulShape& shape, number::Format format);
/// What the loops of a rung ask memory for; cublas: each matrix once at least, how often more is its own.
TensorTraffic algorithmicTraffic(MatmulRung rung, const MatmulShape& shape, number::Format format);

/// Device memory of A, B and C; INT64_MAX when the size overflows.
int64_t deviceBytes(const MatmulShape& shape, number::Format format);

} // namespace warplight::gpu
