#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::tensor {

/// Element types as they are stored in files. In memory a Tensor always holds f32.
enum class DType { F16, BF16, F32, F64, I8, U8, I16, U16, I32, U32, I64, U64, Bool };

std::string name(DType dtype); ///< "f16", "bf16", "f32", ... as written on the command line
int64_t bytesPerElement(DType dtype);

/// A dense row-major array of f32.
struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values; ///< product(shape) elements, last axis fastest

    int64_t size() const { return static_cast<int64_t>(values.size()); }
};

/// Number of elements of a shape; throws InputError when the product overflows or a dimension is negative.
int64_t elementCount(std::span<const int64_t> shape);

/// "[2, 8, 1024, 64]"
std::string shapeText(std::span<const int64_t> shape);

} // namespace warplight::tensor
