// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/decode.h"

#include "core/error.h"
#include "core/tensor/pieces.h"
#include "core/tensor/release.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace warplight::formats {
namespace {

/// Where numbers come from and where they go.
struct Conversion {
    std::span<const std::byte> raw;
    bool bigEndian;
    std::vector<float>& out;
    const std::atomic<bool>* cancel;
};

template <class Stored, class Convert>
void convertAll(const Conversion& c, Convert convert) {
    inPieces(c.out.size(), sizeof(float), c.cancel, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
            std::array<std::byte, sizeof(Stored)> bytes;
            std::memcpy(bytes.data(), c.raw.data() + i * sizeof(Stored), sizeof(Stored));
            if (c.bigEndian)
                std::reverse(bytes.begin(), bytes.end());
            Stored stored;
            std::memcpy(&stored, bytes.data(), sizeof(Stored));
            c.out[i] = convert(stored);
        }
    });
}

template <class Stored>
void convertNumbers(const Conversion& c) {
    convertAll<Stored>(c, [](Stored x) { return static_cast<float>(x); });
}

/// From first axis fastest to last axis fastest.
std::vector<float> rowMajor(const std::vector<float>& from, const std::vector<int64_t>& shape,
                            const std::atomic<bool>* cancel) {
    std::vector<float> to;
    growTo(to, from.size(), cancel);
    std::vector<int64_t> index(shape.size());
    inPieces(from.size(), sizeof(float), cancel, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
            int64_t place = 0;
            for (size_t axis = 0; axis < shape.size(); ++axis)
                place = place * shape[axis] + index[axis];
            to[static_cast<size_t>(place)] = from[i];
            for (size_t axis = 0; axis < shape.size() && ++index[axis] == shape[axis]; ++axis)
                index[axis] = 0;
        }
    });
    return to;
}

} // namespace

tensor::Tensor decodeElements(std::span<const std::byte> raw, number::Format dtype, bool bigEndian, bool fortranOrder,
                              std::vector<int64_t> shape, const std::string& where, const std::atomic<bool>* cancel) {
    const int64_t count = tensor::elementCount(shape);
    int64_t bytes = 0;
    if (__builtin_mul_overflow(count, number::bytes(dtype), &bytes) || static_cast<uint64_t>(bytes) != raw.size())
        throw InputError(fmt::format("{}: {} bytes of data for shape {} of {}, expected {} elements of {} bytes", where,
                                     raw.size(), tensor::shapeText(shape), number::name(dtype), count,
                                     number::bytes(dtype)));
    const bool isTurned = fortranOrder && shape.size() > 1;
    requireMemory({saturatedProduct(count, isTurned ? 2 * sizeof(float) : sizeof(float)), 0, where, {}});
    tensor::Tensor result{std::move(shape), {}};
    auto& out = result.values;
    const ReleasesBeside release(out);
    growTo(out, static_cast<size_t>(count), cancel);
    const Conversion conversion{raw, bigEndian, out, cancel};
    switch (dtype) {
    case number::Format::F16:
        convertAll<uint16_t>(conversion, number::f16ToFloat);
        break;
    case number::Format::BF16:
        convertAll<uint16_t>(conversion, number::bf16ToFloat);
        break;
    case number::Format::F32:
        convertNumbers<float>(conversion);
        break;
    case number::Format::F64:
        convertNumbers<double>(conversion);
        break;
    case number::Format::I8:
        convertNumbers<int8_t>(conversion);
        break;
    case number::Format::U8:
        convertNumbers<uint8_t>(conversion);
        break;
    case number::Format::I16:
        convertNumbers<int16_t>(conversion);
        break;
    case number::Format::U16:
        convertNumbers<uint16_t>(conversion);
        break;
    case number::Format::I32:
        convertNumbers<int32_t>(conversion);
        break;
    case number::Format::U32:
        convertNumbers<uint32_t>(conversion);
        break;
    case number::Format::I64:
        convertNumbers<int64_t>(conversion);
        break;
    case number::Format::U64:
        convertNumbers<uint64_t>(conversion);
        break;
    case number::Format::Bool:
        convertAll<uint8_t>(conversion, [](uint8_t x) { return x ? 1.0f : 0.0f; });
        break;
    case number::Format::E4M3:
    case number::Format::E5M2:
        convertAll<uint8_t>(conversion, [dtype](uint8_t x) { return number::byteToFloat(x, dtype); });
        break;
    }
    if (isTurned)
        out = rowMajor(out, result.shape, cancel);
    return result;
}

} // namespace warplight::formats
