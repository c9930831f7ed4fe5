// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::tensor {

/// A dense row-major array. Whatever it is stored as, its numbers are at hand as f32, which holds those of f16, bf16,
/// e4m3 and e5m2 exactly: kernels of the CPU compute in f32 and those of GPUs get the stored form when they are copied
/// there.
struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values;                   ///< product(shape) elements, last axis fastest
    number::Format format = number::Format::F32; ///< what the numbers are stored as

    int64_t size() const { return static_cast<int64_t>(values.size()); }
};

/// Rounds every number to the format, and remembers it. Throws Cancelled.
void round(Tensor& tensor, number::Format format, const std::atomic<bool>* cancel = nullptr);
void round(std::span<float> values, number::Format format, const std::atomic<bool>* cancel = nullptr);

/// Number of elements of a shape; throws InputError when the product overflows or a dimension is negative.
int64_t elementCount(std::span<const int64_t> shape);

/// "[2, 8, 1024, 64]"
std::string shapeText(std::span<const int64_t> shape);

} // namespace warplight::tensor
