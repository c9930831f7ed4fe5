// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/number/float_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace warplight::number {
namespace {

using Specials = FloatFormat::Specials;
constexpr FloatFormat formats[] = {
    {"f64", "FP64", 11, 52, Specials::Ieee},      {"f32", "FP32", 8, 23, Specials::Ieee},
    {"tf32", "TF32", 8, 10, Specials::Ieee},      {"f16", "FP16", 5, 10, Specials::Ieee},
    {"bf16", "BF16", 8, 7, Specials::Ieee},       {"e5m2", "FP8 E5M2", 5, 2, Specials::Ieee},
    {"e4m3", "FP8 E4M3", 4, 3, Specials::OneNan}, {"e3m2", "FP6 E3M2", 3, 2, Specials::None},
    {"e2m3", "FP6 E2M3", 2, 3, Specials::None},   {"e2m1", "FP4 E2M1", 2, 1, Specials::None}};

uint64_t ones(int bits) { return (uint64_t(1) << bits) - 1; }

/// Whole units of the last place that are left of `units` >= 0.
double wholeUnits(double units, bool negative, Rounding rounding, double dice) {
    const double lower = std::floor(units), rest = units - lower;
    switch (rounding) {
    case Rounding::NearestEven:
        return rest > 0.5 || (rest == 0.5 && std::fmod(lower, 2) != 0) ? lower + 1 : lower;
    case Rounding::TowardZero:
        return lower;
    case Rounding::Up:
        return rest > 0 && !negative ? lower + 1 : lower;
    case Rounding::Down:
        return rest > 0 && negative ? lower + 1 : lower;
    case Rounding::Stochastic:
        return dice < rest ? lower + 1 : lower;
    }
    return lower;
}

/// Whether a number beyond the range goes to infinity, rather than to the largest number.
bool leavesRange(bool negative, Rounding rounding) {
    return rounding == Rounding::NearestEven || rounding == Rounding::Stochastic ||
           rounding == (negative ? Rounding::Down : Rounding::Up);
}

uint64_t infinityOrNan(const FloatFormat& f) {
    return f.specials == Specials::Ieee ? ones(f.exponentBits) << f.fractionBits : ones(f.bits() - 1);
}

uint64_t nanCode(const FloatFormat& f) {
    switch (f.specials) {
    case Specials::Ieee:
        return infinityOrNan(f) | uint64_t(1) << (f.fractionBits - 1);
    case Specials::OneNan:
        return ones(f.bits() - 1);
    case Specials::None:
        break;
    }
    return f.largestCode();
}

} // namespace

int FloatFormat::highestExponent() const {
    return static_cast<int>(ones(exponentBits)) - bias() - (specials == Specials::Ieee ? 1 : 0);
}

uint64_t FloatFormat::largestCode() const {
    return (specials == Specials::Ieee ? ones(exponentBits) << fractionBits
                                       : ones(bits() - 1) + (specials == Specials::None ? 1 : 0)) -
           1;
}

double FloatFormat::largest() const { return decode(largestCode(), *this); }
double FloatFormat::leastNormal() const { return std::ldexp(1.0, lowestExponent()); }
double FloatFormat::leastSubnormal() const { return std::ldexp(1.0, lowestExponent() - fractionBits); }
double FloatFormat::epsilon() const { return std::ldexp(1.0, -fractionBits); }

std::span<const FloatFormat> floatFormats() { return formats; }

const FloatFormat& floatFormat(std::string_view id) {
    std::string known;
    for (const FloatFormat& f : formats) {
        if (f.id == id)
            return f;
        known += (known.empty() ? "" : ", ") + std::string(f.id);
    }
    throw std::out_of_range("number format '" + std::string(id) + "': expected one of " + known);
}

double decode(uint64_t code, const FloatFormat& f) {
    const bool negative = code >> (f.bits() - 1) & 1;
    const uint64_t fraction = code & ones(f.fractionBits);
    const auto exponent = static_cast<int>(code >> f.fractionBits & ones(f.exponentBits));
    double size = 0;
    if (f.specials == Specials::Ieee && exponent == static_cast<int>(ones(f.exponentBits)))
        size = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    else if (f.specials == Specials::OneNan && (code & ones(f.bits() - 1)) == ones(f.bits() - 1))
        size = std::numeric_limits<double>::quiet_NaN();
    else
        size = std::ldexp(static_cast<double>(fraction + (exponent > 0 ? uint64_t(1) << f.fractionBits : 0)),
                          std::max(exponent, 1) - f.bias() - f.fractionBits);
    return std::copysign(size, negative ? -1.0 : 1.0);
}

uint64_t encode(double value, const FloatFormat& f, Rounding rounding, Beyond beyond, double dice) {
    const bool negative = std::signbit(value);
    const uint64_t sign = static_cast<uint64_t>(negative) << (f.bits() - 1);
    if (std::isnan(value))
        return f.specials == Specials::None ? f.largestCode() : sign | nanCode(f);
    const uint64_t outside =
        sign | (beyond == Beyond::Saturate || f.specials == Specials::None ? f.largestCode() : infinityOrNan(f));
    if (std::isinf(value))
        return outside;
    const double size = std::fabs(value);
    if (size == 0)
        return sign;
    const int exponent = std::max(std::ilogb(size), f.lowestExponent());
    const double units = wholeUnits(std::ldexp(size, f.fractionBits - exponent), negative, rounding, dice);
    if (exponent > f.highestExponent() + 1) // units would not fit the code
        return leavesRange(negative, rounding) ? outside : sign | f.largestCode();
    // A carry of the fraction moves into the exponent by itself; the hidden bit counts as one exponent.
    const uint64_t code =
        static_cast<uint64_t>(units) + (static_cast<uint64_t>(exponent - f.lowestExponent()) << f.fractionBits);
    if (code <= f.largestCode())
        return sign | code;
    return leavesRange(negative, rounding) ? outside : sign | f.largestCode();
}

double rounded(double value, const FloatFormat& format, Rounding rounding, Beyond beyond, double dice) {
    return decode(encode(value, format, rounding, beyond, dice), format);
}

double spacing(double value, const FloatFormat& f) {
    const int exponent =
        value == 0 ? f.lowestExponent() : std::clamp(std::ilogb(value), f.lowestExponent(), f.highestExponent());
    return std::ldexp(1.0, exponent - f.fractionBits);
}

double next(double value, const FloatFormat& f, bool up) {
    if (std::isnan(value) || (std::isinf(value) && (value > 0) == up))
        return value;
    const uint64_t signBit = uint64_t(1) << (f.bits() - 1), code = encode(value, f);
    const bool negative = code & signBit;
    const uint64_t size = code & (signBit - 1);
    if (size == 0)
        return up ? f.leastSubnormal() : -f.leastSubnormal();
    if (negative == up)
        return decode(code - 1, f);
    return size == f.largestCode() && f.specials == Specials::None ? std::numeric_limits<double>::quiet_NaN()
                                                                   : decode(code + 1, f);
}

} // namespace warplight::number
