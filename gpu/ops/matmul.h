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

/// C = A · B, row-major: A [m, k], B [k, n], C [m, n]. C is f32 whatever the format of A and B, and so are the sums of
/// all rungs but half2 and mma-f16.
struct MatmulShape {
    int64_t m = 0, n = 0, k = 0;
};

/// The rungs of the ladder (gpu/kernels/matmul.cu, matmul_mma.cu, matmul_f8.cu), and the device's matrix library.
enum class MatmulRung { Naive, Tiled, Half2, Mma, MmaF16, MmaTf32, MmaE4M3, MmaE5M2, Cublas };
/// "naive", "tiled", "half2", "mma", "mma-f16", "mma-tf32", "mma-e4m3", "mma-e5m2", "cublas"
std::string_view name(MatmulRung rung);

/// The formats that a rung's kernels take.
const std::vector<number::Format>& formatsOf(MatmulRung rung);
/// The compute capability that they need beyond that of all kernels, 89: 8.9; 0: none.
int architectureOf(MatmulRung rung);
/// Why a rung does not take a shape, as a clause; empty: it does. Rungs on tensor cores take whole tiles: m and n
/// multiples of 64, k of 32 (tf32: of 16, 8-bit numbers: of 64).
std::string whyNot(MatmulRung rung, const MatmulShape& shape);
/// The same of a shape and format on a device, as a sentence; cublas needs a library.
std::string whyNot(Device& device, MatmulRung rung, const MatmulShape& shape, number::Format format);

/// Launches a rung on a and b of that format and c in f32, in device memory. mma-e4m3 and mma-e5m2 look for the largest
/// |x| of each first and make 8-bit copies, scaled by a power of two, which is taken off C again; an infinity becomes
/// one of e5m2 and the NaN of e4m3. Nothing is launched where C is empty. Throws InputError with whyNot's sentence, and
/// as Launcher::start.
void launchMatmul(Launcher& launcher, MatmulRung rung, const MatmulShape& shape, number::Format format, uint64_t a,
                  uint64_t b, uint64_t c);

struct MatmulRun : Launched {
    std::vector<float> c;
};
/// The same with the matrices (f32, rounded to the format) copied to the device and C back; buffers are called A, B, C,
/// the 8-bit copies A8 and B8, the largest |x| amax.
MatmulRun matmul(KernelLibrary& library, MatmulRung rung, const MatmulShape& shape, number::Format format,
                 const float* a, const float* b, const LaunchOptions& options = {});

/// Each matrix once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const MatmulShape& shape, number::Format format);
/// What the loops of a rung ask memory for; cublas: each matrix once at least, how often more is its own.
TensorTraffic algorithmicTraffic(MatmulRung rung, const MatmulShape& shape, number::Format format);

/// Device memory of A, B and C, and of the copies between; INT64_MAX when the size overflows.
int64_t deviceBytes(MatmulRung rung, const MatmulShape& shape, number::Format format);

} // namespace warplight::gpu
