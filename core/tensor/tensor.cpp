// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tensor/tensor.h"

#include "core/error.h"
#include "core/tensor/pieces.h"

#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::tensor {

void round(std::span<float> values, number::Format format, const std::atomic<bool>* cancel) {
    if (!number::isSmallFloat(format))
        return;
    inPieces(values.size(), sizeof(float), cancel, [&](size_t begin, size_t end) {
        for (float& x : values.subspan(begin, end - begin))
            x = number::rounded(x, format);
    });
}

void round(Tensor& tensor, number::Format format, const std::atomic<bool>* cancel) {
    round(tensor.values, format, cancel);
    tensor.format = format;
}

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
