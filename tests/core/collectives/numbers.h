// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/reduction.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace warplight::test {

inline constexpr number::Format everyType[]{number::Format::F32, number::Format::F64, number::Format::F16,
                                            number::Format::BF16};

/// To the nearest of the type, ties to even. Exact sums, and quotients by short numbers, of 16-bit values may pass f32
/// on the way: it has more than twice their bits.
inline double rounded(number::Format type, double value) {
    switch (type) {
    case number::Format::F64:
        return value;
    case number::Format::F16:
        return static_cast<double>(number::f16ToFloat(number::floatToF16(static_cast<float>(value))));
    case number::Format::BF16:
        return static_cast<double>(number::bf16ToFloat(number::floatToBf16(static_cast<float>(value))));
    default:
        return static_cast<double>(static_cast<float>(value));
    }
}

inline std::vector<std::byte> encoded(number::Format type, const std::vector<double>& values) {
    const auto size = static_cast<size_t>(number::bytes(type));
    std::vector<std::byte> bytes(values.size() * size);
    for (size_t i = 0; i < values.size(); ++i) {
        const auto narrow = static_cast<float>(values[i]);
        const uint16_t half = type == number::Format::F16 ? number::floatToF16(narrow) : number::floatToBf16(narrow);
        const void* from = size == 2   ? static_cast<const void*>(&half)
                           : size == 4 ? static_cast<const void*>(&narrow)
                                       : static_cast<const void*>(&values[i]);
        std::memcpy(bytes.data() + i * size, from, size);
    }
    return bytes;
}

inline std::vector<double> decoded(number::Format type, std::span<const std::byte> bytes) {
    const auto size = static_cast<size_t>(number::bytes(type));
    std::vector<double> values(bytes.size() / size);
    for (size_t i = 0; i < values.size(); ++i) {
        uint16_t half = 0;
        float narrow = 0;
        void* into = size == 2   ? static_cast<void*>(&half)
                     : size == 4 ? static_cast<void*>(&narrow)
                                 : static_cast<void*>(&values[i]);
        std::memcpy(into, bytes.data() + i * size, size);
        if (size == 2)
            narrow = type == number::Format::F16 ? number::f16ToFloat(half) : number::bf16ToFloat(half);
        if (size != 8)
            values[i] = static_cast<double>(narrow);
    }
    return values;
}

/// Whole numbers from -7 to 15: any 17 of them add up exactly in every type and order (bf16 holds 256).
inline double smallNumber(int rank, int64_t index) {
    const uint64_t mixed = static_cast<uint64_t>(index) * 2654435761u + static_cast<uint64_t>(rank) * 40503u;
    return static_cast<double>((mixed >> 7) % 23) - 7;
}

inline std::vector<double> smallNumbers(int rank, int64_t length) {
    std::vector<double> values(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i)
        values[static_cast<size_t>(i)] = smallNumber(rank, i);
    return values;
}

/// What an allreduce of smallNumbers leaves at `index`, added up directly.
inline double exactResult(number::Format type, collectives::Reduction reduction, int ranks, int64_t index) {
    double sum = 0, largest = -std::numeric_limits<double>::infinity();
    for (int rank = 0; rank < ranks; ++rank) {
        sum += smallNumber(rank, index);
        largest = std::max(largest, smallNumber(rank, index));
    }
    return reduction == collectives::Reduction::Max       ? largest
           : reduction == collectives::Reduction::Average ? rounded(type, sum / ranks)
                                                          : sum;
}

/// Unlike small numbers, sums of these depend on the order: 24 bits from -1 to 1, times a power of two.
inline double roughNumber(number::Format type, int rank, int64_t index) {
    uint64_t x = static_cast<uint64_t>(index) * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(rank) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 31)) * 0x94d049bb133111ebu;
    x ^= x >> 29;
    return rounded(type, std::ldexp(static_cast<double>(x & 0xffffff) / 8388608 - 1, static_cast<int>(x >> 60) - 8));
}

inline std::vector<double> roughNumbers(number::Format type, int rank, int64_t length) {
    std::vector<double> values(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i)
        values[static_cast<size_t>(i)] = roughNumber(type, rank, i);
    return values;
}

} // namespace warplight::test
