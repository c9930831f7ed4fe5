// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace warplight::number {

/// To a neighbour: the nearer one (of two as near the even one), towards zero, towards ±infinity, or either by chance:
/// up with the probability of the distance from the lower one.
enum class Rounding { NearestEven, TowardZero, Up, Down, Stochastic };

/// What becomes of a number beyond the range, where the format has a choice: infinity (E4M3, which has none: NaN) or
/// the largest number.
enum class Beyond { Infinity, Saturate };

/// A binary floating-point format of at most 64 bits: sign, exponent, fraction, from the highest bit down.
struct FloatFormat {
    /// What codes of the highest exponent mean: infinity and NaN as IEEE 754 has them; NaN for the one of all ones
    /// (E4M3 of the OCP 8-bit specification); numbers, all of them (the 4- and 6-bit formats of the OCP microscaling
    /// specification).
    enum class Specials { Ieee, OneNan, None };
    std::string_view id;    ///< "e4m3", as written on the command line
    std::string_view title; ///< "FP8 E4M3"
    int exponentBits, fractionBits;
    Specials specials;

    int bits() const { return 1 + exponentBits + fractionBits; }
    int bias() const { return (1 << (exponentBits - 1)) - 1; }
    int lowestExponent() const { return 1 - bias(); } ///< of normal numbers
    int highestExponent() const;
    uint64_t largestCode() const; ///< of the largest finite number
    double largest() const;
    double leastNormal() const;
    double leastSubnormal() const;
    double epsilon() const; ///< distance from 1 to the next larger number
};

/// f64, f32, tf32 (19 bits of an f32), f16, bf16, e5m2, e4m3, e3m2, e2m3, e2m1.
std::span<const FloatFormat> floatFormats();
/// Throws std::out_of_range naming those there are.
const FloatFormat& floatFormat(std::string_view id);

/// The value of a code, exactly. Bits above the format's are not looked at.
double decode(uint64_t code, const FloatFormat& format);

/// The code of what is left of a value. `dice`, of [0, 1), decides a stochastic rounding. NaN becomes a quiet NaN of
/// its sign; in a format without, the largest number (as PTX's cvt.satfinite).
uint64_t encode(double value, const FloatFormat& format, Rounding rounding = Rounding::NearestEven,
                Beyond beyond = Beyond::Infinity, double dice = 0);

/// decode(encode(value)).
double rounded(double value, const FloatFormat& format, Rounding rounding = Rounding::NearestEven,
               Beyond beyond = Beyond::Infinity, double dice = 0);

/// Distance between the format's numbers around a finite value within its range.
double spacing(double value, const FloatFormat& format);

/// The next number of the format above or below one of its own; beyond the last finite one infinity, or NaN where there
/// is none.
double next(double value, const FloatFormat& format, bool up);

} // namespace warplight::number
