// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/gradient_series.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace warplight::precision {
namespace {

constexpr int leastNormal = -14, leastSubnormal = -24; ///< exponents of f16
constexpr int widestRange = 64;                        ///< of sizes that are assumed, beside those recorded
constexpr size_t stepsBetweenLooks = 4096;             ///< at the wish to cancel

/// Bits that a number of this exponent lacks in f16.
double lostOf(int exponent) {
    return exponent >= leastNormal ? 0 : exponent >= leastSubnormal ? leastNormal - exponent : f16Bits;
}

Kept keptAtExponent(std::span<const float> sizes, int lowest) {
    Kept kept;
    for (size_t i = 0; i < sizes.size(); ++i) {
        const int exponent = lowest + static_cast<int>(i);
        kept.lostBits += static_cast<double>(sizes[i]) * lostOf(exponent);
        if (exponent < leastSubnormal - 1) // above half of the least number rounding is up
            kept.flushed += static_cast<double>(sizes[i]);
    }
    return kept;
}

/// Plays steps one after the other: `scaleOf(step)` before each, `told(overflowed)` after.
template <class ScaleOf, class Told>
Replay play(const GradientSeries& series, const std::atomic<bool>* cancel, const ScaleOf& scaleOf, const Told& told) {
    Replay r;
    r.scales.reserve(series.steps());
    r.skipped.reserve(series.steps());
    r.lowest = std::numeric_limits<double>::infinity();
    double lost = 0, flushed = 0;
    for (size_t step = 0; step < series.steps(); ++step) {
        if (step % stepsBetweenLooks == 0)
            checkCancelled(cancel);
        const double scale = scaleOf(step);
        const bool overflowed = overflowsF16(series.largest[step], scale);
        if (overflowed) {
            ++r.skips;
            lost += f16Bits;
        } else {
            const Kept kept = keptAt(series, step, scale);
            lost += kept.lostBits;
            flushed += kept.flushed;
        }
        r.scales.push_back(scale);
        r.skipped.push_back(overflowed);
        r.lowest = std::min(r.lowest, scale);
        r.last = scale;
        told(overflowed);
    }
    const auto steps = static_cast<double>(series.steps());
    r.lostBits = lost / std::max(steps, 1.0);
    r.flushed = flushed / std::max(steps - static_cast<double>(r.skips), 1.0);
    return r;
}

} // namespace

void assumeSizesOf(const GradientSeries& like, GradientSeries& series) {
    std::vector<double> sum(like.bins + static_cast<size_t>(widestRange));
    double steps = 0;
    for (size_t step = 0; step < like.steps(); ++step) {
        if (!bestExponent(like.largest[step]))
            continue;
        // What is `behind` the largest lies that many bins before the last.
        const int behind = std::ilogb(like.largest[step]) - (like.assumed ? 0 : like.lowest);
        for (size_t i = 0; i < like.bins; ++i)
            if (const auto at = static_cast<std::ptrdiff_t>(sum.size()) - 1 - behind + static_cast<std::ptrdiff_t>(i);
                at >= 0 && at < static_cast<std::ptrdiff_t>(sum.size()))
                sum[static_cast<size_t>(at)] += static_cast<double>(like.sizes(step)[i]);
        ++steps;
    }
    sum.erase(sum.begin(), std::find_if(sum.begin(), sum.end(), [](double share) { return share > 0; }));
    series.assumed = true;
    series.bins = sum.size();
    series.lowest = 1 - static_cast<int>(sum.size());
    series.shares.resize(sum.size());
    std::transform(sum.begin(), sum.end(), series.shares.begin(),
                   [&](double share) { return static_cast<float>(share / std::max(steps, 1.0)); });
}

Kept keptAt(const GradientSeries& series, size_t step, double scale) {
    if (!series.hasSizes() || (series.assumed && !bestExponent(series.largest[step])))
        return {};
    if (!(scale > 0))
        return {static_cast<double>(f16Bits), 1};
    const double power = std::log2(scale), whole = std::floor(power), rest = power - whole;
    const int lowest =
        series.lowest + static_cast<int>(whole) + (series.assumed ? std::ilogb(series.largest[step]) : 0);
    Kept kept = keptAtExponent(series.sizes(step), lowest);
    if (rest > 0) {
        const Kept above = keptAtExponent(series.sizes(step), lowest + 1);
        kept.lostBits += rest * (above.lostBits - kept.lostBits);
        kept.flushed += rest * (above.flushed - kept.flushed);
    }
    return kept;
}

std::optional<int> bestExponent(double largest) {
    if (!(largest > 0) || !std::isfinite(largest))
        return {};
    int exponent = std::ilogb(f16Overflow) - std::ilogb(largest);
    if (overflowsF16(largest, std::ldexp(1.0, exponent)))
        --exponent;
    return std::min(exponent, std::numeric_limits<float>::max_exponent - 1);
}

Replay replay(const GradientSeries& series, const ScalerRules& rules, const std::atomic<bool>* cancel) {
    LossScaler scaler(rules);
    return play(
        series, cancel, [&](size_t) { return scaler.scale(); }, [&](bool overflowed) { scaler.update(overflowed); });
}

Replay replayBest(const GradientSeries& series, const std::atomic<bool>* cancel) {
    double scale = 1; // stays where any would do
    return play(
        series, cancel,
        [&](size_t step) {
            if (const auto best = bestExponent(series.largest[step]))
                scale = std::ldexp(1.0, *best);
            return scale;
        },
        [](bool) {});
}

int bestStaticExponent(const GradientSeries& series, const std::atomic<bool>* cancel) {
    std::optional<int> least, most;
    for (size_t step = 0; step < series.steps(); ++step)
        if (const auto best = bestExponent(series.largest[step])) {
            least = std::min(least.value_or(*best), *best);
            most = std::max(most.value_or(*best), *best);
        }
    // Below the least nothing overflows and ever more is lost; above the most every step overflows.
    int found = least.value_or(0);
    double fewest = std::numeric_limits<double>::infinity();
    for (int exponent = found; exponent <= most.value_or(found); ++exponent) {
        ScalerRules fixed{std::ldexp(1.0, exponent), 1, 1};
        if (const double lost = replay(series, fixed, cancel).lostBits; lost < fewest) {
            fewest = lost;
            found = exponent;
        }
    }
    return found;
}

double score(const Replay& played, const Replay& best, const Replay& unscaled) {
    constexpr double least = 0.01; // bits
    const double all = unscaled.lostBits - best.lostBits < least ? f16Bits : unscaled.lostBits;
    return all > best.lostBits ? std::clamp(100 * (all - played.lostBits) / (all - best.lostBits), 0.0, 100.0) : 100;
}

} // namespace warplight::precision
