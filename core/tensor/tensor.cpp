#include "core/tensor/tensor.h"

#include "core/error.h"

#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace warplight::tensor {
namespace {

constexpr std::array<std::pair<const char*, int64_t>, 13> types{{{"f16", 2},
                                                                 {"bf16", 2},
                                                                 {"f32", 4},
                                                                 {"f64", 8},
                                                                 {"i8", 1},
                                                                 {"u8", 1},
                                                                 {"i16", 2},
                                                                 {"u16", 2},
                                                                 {"i32", 4},
                                                                 {"u32", 4},
                                                                 {"i64", 8},
                                                                 {"u64", 8},
                                                                 {"bool", 1}}};

} // namespace

std::string name(DType dtype) { return types[static_cast<size_t>(dtype)].first; }
int64_t bytesPerElement(DType dtype) { return types[static_cast<size_t>(dtype)].second; }

int64_t elementCount(std::span<const int64_t> shape) {
    int64_t count = 1;
    for (const int64_t dimension : shape)
        if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count))
            throw InputError(
                fmt::format("shape {}: expected dimensions of at least 0 whose product fits memory", shapeText(shape)));
    return count;
}

std::string shapeText(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

} // namespace warplight::tensor
