// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace warplight::precision {

/// Arithmetic of a format as a GPU's scalar units have it: each operation is rounded once, to nearest, ties to even;
/// subnormal numbers are kept. Values are held as `Number`, which has all of the format's.

struct F32Arithmetic {
    using Number = float;
    static float rounded(float x) { return x; }
    static float add(float a, float b) { return a + b; }
    static float multiply(float a, float b) { return a * b; }
    static float multiplyAdd(float a, float b, float c) { return std::fma(a, b, c); }
};

/// Of a format of 16 bits, computed in f64. There a product is exact and a sum has more than twice the bits, so that
/// the second rounding changes nothing; a product and a number together do not: what f64 loses of them stays in its
/// last bit ("rounding to odd"; Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
template <int fractionBits, int lowestExponent, int highestExponent>
struct NarrowArithmetic {
    using Number = double;

    static double rounded(double x) {
        constexpr double beyond = halfWayBeyond();
        if (!(std::fabs(x) < beyond))
            return std::isnan(x) ? x : std::copysign(std::numeric_limits<double>::infinity(), x);
        // 1.5 · 2^k, so large that the sum's last place is the format's at x: adding it rounds, the rest is exact.
        const uint64_t exponent = std::max(std::bit_cast<uint64_t>(x) & exponentMask, leastExponent);
        const double large = std::bit_cast<double>((exponent + (uint64_t(52 - fractionBits) << 52)) | half);
        return std::copysign((x + large) - large, x);
    }
    static double add(double a, double b) { return rounded(a + b); }
    static double multiply(double a, double b) { return rounded(a * b); }
    static double multiplyAdd(double a, double b, double c) {
        const double product = a * b, sum = product + c, back = sum - product;
        const double lost = (product - (sum - back)) + (c - back); // exactly: Knuth's TwoSum
        if (lost == 0 || !std::isfinite(sum))
            return rounded(sum);
        const uint64_t bits = std::bit_cast<uint64_t>(sum);
        return rounded(std::bit_cast<double>(bits & 1 ? bits : (lost > 0) == (sum > 0) ? bits | 1 : bits - 1));
    }

  private:
    static constexpr uint64_t exponentMask = uint64_t(0x7ff) << 52, half = uint64_t(1) << 51,
                              leastExponent = uint64_t(1023 + lowestExponent) << 52;
    /// Half a unit behind the largest number: from there on it is infinity.
    static constexpr double halfWayBeyond() {
        const uint64_t fraction = (uint64_t(1) << 52) - (uint64_t(1) << (51 - fractionBits));
        return std::bit_cast<double>(uint64_t(1023 + highestExponent) << 52 | fraction);
    }
};

using F16Arithmetic = NarrowArithmetic<10, -14, 15>;
using Bf16Arithmetic = NarrowArithmetic<7, -126, 127>;

/// Returns use(arithmetic) with that of f16, bf16 or, of all others, f32.
template <class Use>
auto withArithmetic(number::Format format, const Use& use) {
    if (format == number::Format::F16)
        return use(F16Arithmetic());
    if (format == number::Format::BF16)
        return use(Bf16Arithmetic());
    return use(F32Arithmetic());
}

} // namespace warplight::precision
