#include "core/formats/decode.h"

#include "core/error.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>

namespace warplight::formats {
namespace {

using tensor::DType;

template <class Stored, class Convert>
void convertAll(std::span<const std::byte> raw, bool bigEndian, std::vector<float>& out, Convert convert) {
    for (size_t i = 0; i < out.size(); ++i) {
        std::array<std::byte, sizeof(Stored)> bytes;
        std::memcpy(bytes.data(), raw.data() + i * sizeof(Stored), sizeof(Stored));
        if (bigEndian)
            std::reverse(bytes.begin(), bytes.end());
        Stored stored;
        std::memcpy(&stored, bytes.data(), sizeof(Stored));
        out[i] = convert(stored);
    }
}

template <class Stored>
void convertNumbers(std::span<const std::byte> raw, bool bigEndian, std::vector<float>& out) {
    convertAll<Stored>(raw, bigEndian, out, [](Stored x) { return static_cast<float>(x); });
}

/// From first axis fastest to last axis fastest.
std::vector<float> rowMajor(const std::vector<float>& from, const std::vector<int64_t>& shape) {
    std::vector<float> to(from.size());
    std::vector<int64_t> index(shape.size());
    for (const float value : from) {
        int64_t place = 0;
        for (size_t axis = 0; axis < shape.size(); ++axis)
            place = place * shape[axis] + index[axis];
        to[static_cast<size_t>(place)] = value;
        for (size_t axis = 0; axis < shape.size() && ++index[axis] == shape[axis]; ++axis)
            index[axis] = 0;
    }
    return to;
}

} // namespace

tensor::Tensor decodeElements(std::span<const std::byte> raw, DType dtype, bool bigEndian, bool fortranOrder,
                              std::vector<int64_t> shape, const std::string& where) {
    const int64_t count = tensor::elementCount(shape);
    int64_t bytes = 0;
    if (__builtin_mul_overflow(count, tensor::bytesPerElement(dtype), &bytes) ||
        static_cast<uint64_t>(bytes) != raw.size())
        throw InputError(fmt::format("{}: {} bytes of data for shape {} of {}, expected {} elements of {} bytes", where,
                                     raw.size(), tensor::shapeText(shape), tensor::name(dtype), count,
                                     tensor::bytesPerElement(dtype)));
    tensor::Tensor result{std::move(shape), std::vector<float>(static_cast<size_t>(count))};
    auto& out = result.values;
    switch (dtype) {
    case DType::F16:
        convertAll<uint16_t>(raw, bigEndian, out, number::f16ToFloat);
        break;
    case DType::BF16:
        convertAll<uint16_t>(raw, bigEndian, out, number::bf16ToFloat);
        break;
    case DType::F32:
        convertNumbers<float>(raw, bigEndian, out);
        break;
    case DType::F64:
        convertNumbers<double>(raw, bigEndian, out);
        break;
    case DType::I8:
        convertNumbers<int8_t>(raw, bigEndian, out);
        break;
    case DType::U8:
        convertNumbers<uint8_t>(raw, bigEndian, out);
        break;
    case DType::I16:
        convertNumbers<int16_t>(raw, bigEndian, out);
        break;
    case DType::U16:
        convertNumbers<uint16_t>(raw, bigEndian, out);
        break;
    case DType::I32:
        convertNumbers<int32_t>(raw, bigEndian, out);
        break;
    case DType::U32:
        convertNumbers<uint32_t>(raw, bigEndian, out);
        break;
    case DType::I64:
        convertNumbers<int64_t>(raw, bigEndian, out);
        break;
    case DType::U64:
        convertNumbers<uint64_t>(raw, bigEndian, out);
        break;
    case DType::Bool:
        convertAll<uint8_t>(raw, bigEndian, out, [](uint8_t x) { return x ? 1.0f : 0.0f; });
        break;
    }
    if (fortranOrder && result.shape.size() > 1)
        out = rowMajor(out, result.shape);
    return result;
}

} // namespace warplight::formats
