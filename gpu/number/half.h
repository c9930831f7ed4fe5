// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace warplight::number {

/// The 16-bit formats as GPUs have them, bit exact. Rounding is to nearest, ties to even; NaN stays NaN.

constexpr float bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t floatToBf16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if (std::isnan(value))
        return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float f16ToFloat(uint16_t bits) {
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;
    const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 0x1f)
        return std::bit_cast<float>(static_cast<uint32_t>(bits & 0x8000) << 16 | 0x7f800000u |
                                    static_cast<uint32_t>(fraction) << 13);
    if (exponent == 0) // subnormal: units of 2^-24
        return sign * std::ldexp(static_cast<float>(fraction), -24);
    return sign * std::ldexp(static_cast<float>(fraction | 0x400), exponent - 25);
}

inline uint16_t floatToF16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    if (std::isnan(value))
        return static_cast<uint16_t>(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    const float size = std::fabs(value);
    if (size >= 65520.0f) // half way from 65504 to what would be 65536
        return static_cast<uint16_t>(sign | 0x7c00);
    if (size < std::ldexp(1.0f, -14)) // subnormal or zero: whole units of 2^-24; a carry makes the least normal
        return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(size, 24))));
    const uint32_t rounded = (bits & 0x7fffffff) + 0xfff + (bits >> 13 & 1);
    return static_cast<uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}

} // namespace warplight::number
