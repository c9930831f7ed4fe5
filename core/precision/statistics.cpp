// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>
#include <utility>

namespace warplight::precision {
namespace {

using number::FloatFormat;

const std::array<const FloatFormat*, 4>& judged() {
    static const std::array<const FloatFormat*, 4> formats{&number::floatFormat("f16"), &number::floatFormat("bf16"),
                                                           &number::floatFormat("e4m3"), &number::floatFormat("e5m2")};
    return formats;
}

/// Sizes up to the first are 0 in a format, sizes from the second on no finite number.
std::pair<double, double> limitsOf(const FloatFormat& format) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double flushed = format.leastSubnormal() / 2; // the tie goes to the even one: to 0
    while (flushed > 0 && number::rounded(flushed, format) != 0)
        flushed = std::nextafter(flushed, 0.0);
    // Half way beyond the largest number, or just behind where the tie goes back to it.
    double over = format.largest() + number::spacing(format.largest(), format) / 2;
    while (over < infinity && std::isfinite(number::rounded(over, format)))
        over = std::nextafter(over, infinity);
    return {flushed, over};
}

} // namespace

std::span<const FloatFormat* const> judgedFormats() { return judged(); }

Statistics::Statistics(int scale) {
    for (size_t f = 0; f < limits.size(); ++f) {
        const auto [flushed, over] = limitsOf(*judged()[f]);
        limits[f] = {std::ldexp(flushed, -scale), std::ldexp(over, -scale)};
    }
    reachExponentsOf<float>();
}

template <class Number>
void Statistics::reachExponentsOf() {
    using Limits = std::numeric_limits<Number>;
    constexpr int lowest = Limits::min_exponent - Limits::digits; // min_exponent counts from 0.5, not from 1
    constexpr size_t wanted = Limits::max_exponent - lowest;
    if (bins.size() >= wanted)
        return;
    bins.insert(bins.begin(), bins.empty() ? 0 : static_cast<size_t>(first - lowest), 0);
    bins.resize(wanted);
    first = lowest;
}

template <class Number>
void Statistics::addAll(std::span<const Number> values) {
    using Limits = std::numeric_limits<Number>;
    using Bits = std::conditional_t<sizeof(Number) == sizeof(uint32_t), uint32_t, uint64_t>;
    constexpr auto infinite = std::bit_cast<Bits>(Limits::infinity()), leastNormal = std::bit_cast<Bits>(Limits::min());
    reachExponentsOf<Number>();
    count += static_cast<int64_t>(values.size());
    for (const Number x : values) {
        const Bits bits = std::bit_cast<Bits>(x) & static_cast<Bits>(~Bits{0} >> 1);
        if (bits >= infinite) {
            ++(bits > infinite ? nans : infinities);
            continue;
        }
        const auto wide = static_cast<double>(x);
        least = std::min(least, wide);
        most = std::max(most, wide);
        if (bits == 0) {
            ++zero;
            continue;
        }
        const int exponent = bits >= leastNormal
                                 ? static_cast<int>(bits >> (Limits::digits - 1)) - (Limits::max_exponent - 1)
                                 : std::ilogb(x);
        ++bins[static_cast<size_t>(exponent - first)];
        const double size = std::fabs(wide);
        for (size_t f = 0; f < lost.size(); ++f) {
            lost[f].flushed += size <= limits[f].flushedUpTo;
            lost[f].overflowed += size >= limits[f].overflowsFrom;
        }
    }
}

void Statistics::add(std::span<const float> values) { addAll(values); }
void Statistics::add(std::span<const double> values) { addAll(values); }

double Statistics::absoluteMaximum() const { return std::max(std::fabs(minimum()), std::fabs(maximum())); }

std::optional<int> Statistics::exponentPercentile(double share) const {
    const int64_t all = finite() - zero;
    if (all == 0)
        return std::nullopt;
    const auto wanted = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(share * static_cast<double>(all))));
    int64_t below = 0;
    size_t bin = 0;
    while ((below += bins[bin]) < wanted)
        ++bin;
    return first + static_cast<int>(bin);
}

std::optional<int> Statistics::bestScale(const FloatFormat& format) const {
    const double size = finite() > 0 ? absoluteMaximum() : 0;
    if (size == 0)
        return std::nullopt;
    int exponent = std::ilogb(format.largest()) - std::ilogb(size) + 1;
    while (!std::isfinite(number::rounded(std::ldexp(size, exponent), format)))
        --exponent;
    return exponent;
}

} // namespace warplight::precision
