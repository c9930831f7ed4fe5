// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/precision/loss_scaler.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace warplight::precision {

inline constexpr int f16Bits = 11; ///< significant bits of a normal f16, the leading one too

/// What a training run recorded of its gradients, unscaled, one entry a step.
struct GradientSeries {
    std::string name;            ///< the file's
    std::vector<double> largest; ///< [steps]: largest |gradient|; infinite where the step itself was not finite
    size_t bins = 0;             ///< 0: sizes were not recorded
    int lowest = 0;              ///< exponent of the first bin
    /// [steps, bins]: share of the gradients other than 0 that have the exponent `lowest` + i; those below are in the
    /// first bin.
    std::vector<float> shares;
    /// `shares` is [bins], the same for all steps, and `lowest` counts from the exponent of the step's largest.
    bool assumed = false;
    std::vector<double> loss; ///< [steps] or empty

    size_t steps() const { return largest.size(); }
    bool hasSizes() const { return bins > 0; }
    std::span<const float> sizes(size_t step) const {
        return std::span(shares).subspan(assumed ? 0 : step * bins, bins);
    }
};

/// For a series without sizes: they are taken to lie below the step's largest as they do in `like`, mean over its
/// steps.
void assumeSizesOf(const GradientSeries& like, GradientSeries& series);

inline constexpr int64_t mostSteps = 1'000'000;

/// A .npz with `largest` [steps] and, if it has them, `exponents` [steps, bins], `lowest` and `loss` (as
/// resources/examples/make_gradients.py writes them); a .npy [steps] of norms; text or CSV with one number a line, of
/// several columns the one that is named after a gradient or norm, else the last. Throws InputError naming the file,
/// the line or array and what was expected, Cancelled.
GradientSeries readGradientSeries(const std::string& file, const std::atomic<bool>* cancel = nullptr);
/// Such a .npz that is held in memory.
GradientSeries gradientSeriesOf(std::span<const std::byte> npz, const std::string& name);

/// What a scale does to the gradients of a step that fits, at nearest rounding to f16.
struct Kept {
    double lostBits = 0; ///< of the 11 of an f16, mean over the gradients: subnormal ones have fewer
    double flushed = 0;  ///< share that becomes 0
};
/// By the sizes of the step; gradients of one exponent are taken for evenly spread in log2 where the scale is no power
/// of two. Nothing is lost of a series without sizes.
Kept keptAt(const GradientSeries& series, size_t step, double scale);

/// The largest power of two of f32 by which nothing of the step overflows, as its exponent; nothing where no scale
/// helps (not finite) or any does (all 0).
std::optional<int> bestExponent(double largest);

/// A scaler's way through a series. The recorded gradients stay what they are: a step that is skipped here would have
/// changed all that came after.
struct Replay {
    std::vector<double> scales;   ///< [steps], in each step
    std::vector<uint8_t> skipped; ///< [steps]
    int64_t skips = 0;
    double lostBits = 0;         ///< mean over all steps; a skipped one loses all 11
    double flushed = 0;          ///< mean share over the steps that were not skipped
    double lowest = 0, last = 0; ///< of the scales
};
/// Throws Cancelled.
Replay replay(const GradientSeries& series, const ScalerRules& rules, const std::atomic<bool>* cancel = nullptr);
/// With the best power of two in each step: what no scaler can do better, since it knows the step beforehand.
Replay replayBest(const GradientSeries& series, const std::atomic<bool>* cancel = nullptr);
/// The power of two, as its exponent, that loses the fewest bits when it never changes.
int bestStaticExponent(const GradientSeries& series, const std::atomic<bool>* cancel = nullptr);

/// How much of what scaling can save was saved, in percent: 100 loses no more bits than `best`, 0 no fewer than
/// `unscaled` (a scale of 1). Where scaling saves less than a hundredth of a bit, in percent of all bits.
double score(const Replay& played, const Replay& best, const Replay& unscaled);

} // namespace warplight::precision
