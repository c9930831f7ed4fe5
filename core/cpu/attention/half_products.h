// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/sums.h"

#include <cstdint>

namespace warplight::cpu {

/// Columns that are worked on together: lengths and strides below are whole multiples of it.
inline constexpr int64_t productColumns = 64;

/// sum[j] = Σ x[i] · y[i · stride + j] for i = 0 … count - 1, added up in this order exactly as a GPU's kernels add
/// them up that hold the sum in f16 or f32. Compiled once per instruction set, with the same bits from each.
struct HalfProducts {
    /// `x` and `y` hold numbers of f16 (bf16 or f32 with Sums::Single). first[j]: the i at which the sum of column j
    /// was not finite for the first time, or -1; of Sums::TensorHalf the last i of the instruction.
    void (*exact)(number::Sums sums, const float* x, const float* y, int64_t stride, int64_t count, int64_t columns,
                  float* sum, int32_t* first);
    /// The same in f32, much faster, with the largest |sum| that was seen where f16 would have rounded: every `every`
    /// products, and at the end. NaN if one was.
    void (*bounded)(const float* x, const float* y, int64_t stride, int64_t count, int64_t columns, int64_t every,
                    float* sum, float* largest);
};

/// The best for this machine, or what useTarget() chose.
const HalfProducts& halfProducts();

} // namespace warplight::cpu
