// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace warplight::number {

/// The 8-bit floating-point formats (OCP 8-bit Floating Point Specification, revision 1.0).
struct E4M3 {
    static constexpr int exponentBits = 4, fractionBits = 3, bias = 7;
    static constexpr bool hasInfinity = false; ///< S.1111.111 is NaN, the largest number is 448
    static constexpr double largest = 448;
};
struct E5M2 {
    static constexpr int exponentBits = 5, fractionBits = 2, bias = 15;
    static constexpr bool hasInfinity = true;
    static constexpr double largest = 57344;
};

template <class Format>
float fromFloat8(uint8_t bits) {
    const int exponent = bits >> Format::fractionBits & ((1 << Format::exponentBits) - 1);
    const int fraction = bits & ((1 << Format::fractionBits) - 1);
    const float sign = bits & 0x80 ? -1.0f : 1.0f;
    const bool top = exponent == (1 << Format::exponentBits) - 1;
    if (Format::hasInfinity ? top : top && fraction == (1 << Format::fractionBits) - 1) {
        if (Format::hasInfinity && fraction == 0)
            return sign * std::numeric_limits<float>::infinity();
        return std::numeric_limits<float>::quiet_NaN();
    }
    const int hidden = exponent == 0 ? 0 : 1 << Format::fractionBits;
    const int power = (exponent == 0 ? 1 : exponent) - Format::bias - Format::fractionBits;
    return sign * std::ldexp(static_cast<float>(fraction + hidden), power);
}

/// To nearest even; beyond the range to the largest finite number (.satfinite); NaN to NaN.
template <class Format>
uint8_t toFloat8(double value) {
    const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
    if (std::isnan(value))
        return 0x7f;
    double size = std::fabs(value);
    const auto largestBits = static_cast<uint8_t>(Format::hasInfinity ? 0x7b : 0x7e);
    if (size >= Format::largest)
        return sign | largestBits;
    int exponent = size > 0 ? std::ilogb(size) : -1000;
    exponent = exponent < 1 - Format::bias ? 1 - Format::bias : exponent;
    // Whole units of the last place; a carry moves into the exponent by itself.
    const auto units = static_cast<int>(std::nearbyint(std::ldexp(size, Format::fractionBits - exponent)));
    const int code = units + ((exponent + Format::bias - 1) << Format::fractionBits);
    return sign | static_cast<uint8_t>(code > largestBits ? largestBits : code);
}

} // namespace warplight::number
