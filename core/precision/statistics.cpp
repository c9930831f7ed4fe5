// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
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
std::pair<float, float> limitsOf(const FloatFormat& format) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    auto flushed = static_cast<float>(format.leastSubnormal() / 2); // the tie goes to the even one: to 0
    while (flushed > 0 && number::rounded(static_cast<double>(flushed), format) != 0)
        flushed = std::nextafter(flushed, 0.0f);
    // Half way beyond the largest number, or just behind where the tie goes back to it.
    auto over = static_cast<float>(format.largest() + number::spacing(format.largest(), format) / 2);
    while (over < infinity && std::isfinite(number::rounded(static_cast<double>(over), format)))
        over = std::nextafter(over, infinity);
    return {flushed, over};
}

} // namespace

std::span<const FloatFormat* const> judgedFormats() { return judged(); }

Statistics::Statistics(int scale) {
    for (size_t f = 0; f < limits.size(); ++f) {
        const auto [flushed, over] = limitsOf(*judged()[f]);
        limits[f] = {std::ldexp(static_cast<double>(flushed), -scale), std::ldexp(static_cast<double>(over), -scale)};
    }
}

void Statistics::add(std::span<const float> values) {
    count += static_cast<int64_t>(values.size());
    for (const float x : values) {
        const uint32_t bits = std::bit_cast<uint32_t>(x) & 0x7fffffff;
        if (bits >= 0x7f800000) {
            ++(bits > 0x7f800000 ? nans : infinities);
            continue;
        }
        const auto wide = static_cast<double>(x);
        least = std::min(least, wide);
        most = std::max(most, wide);
        sum += wide;
        if (bits == 0) {
            ++zero;
            continue;
        }
        const int exponent = bits >= 0x00800000 ? static_cast<int>(bits >> 23) - 127 : std::ilogb(x);
        ++bins[static_cast<size_t>(exponent - lowest)];
        const double size = std::fabs(wide);
        for (size_t f = 0; f < lost.size(); ++f) {
            lost[f].flushed += size <= limits[f].flushedUpTo;
            lost[f].overflowed += size >= limits[f].overflowsFrom;
        }
    }
}

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
    return lowest + static_cast<int>(bin);
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
