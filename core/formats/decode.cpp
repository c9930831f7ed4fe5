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

/// Where numbers come from and where they go, as float or double.
template <class Number>
struct Conversion {
    std::span<const std::byte> raw;
    bool bigEndian;
    std::vector<Number>& out;
    const std::atomic<bool>* cancel;
};

template <class Stored, class Number, class Convert>
void convertAll(const Conversion<Number>& c, Convert convert) {
    inPieces(c.out.size(), sizeof(Number), c.cancel, [&](size_t begin, size_t end) {
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

template <class Stored, class Number>
void convertNumbers(const Conversion<Number>& c) {
    convertAll<Stored>(c, [](Stored x) { return static_cast<Number>(x); });
}

template <class Number>
void convert(const Conversion<Number>& conversion, number::Format dtype) {
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
    convert(Conversion<float>{raw, bigEndian, out, cancel}, dtype);
    if (isTurned)
        out = rowMajor(out, result.shape, cancel);
    return result;
}

bool fitsF32(number::Format dtype) {
    using enum number::Format;
    return dtype != F64 && dtype != I32 && dtype != U32 && dtype != I64 && dtype != U64;
}

std::vector<double> decodeWide(std::span<const std::byte> raw, number::Format dtype, bool bigEndian,
                               const std::string& where, const std::atomic<bool>* cancel) {
    const auto size = static_cast<size_t>(number::bytes(dtype));
    if (raw.size() % size != 0)
        throw InputError(fmt::format("{}: {} bytes of data, expected a multiple of {}", where, raw.size(), size));
    std::vector<double> out;
    requireMemory({saturatedProduct(static_cast<int64_t>(raw.size() / size), sizeof(double)), 0, where, {}});
    growTo(out, raw.size() / size, cancel);
    convert(Conversion<double>{raw, bigEndian, out, cancel}, dtype);
    return out;
}

} // namespace warplight::formats
