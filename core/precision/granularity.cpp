// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/granularity.h"

#include "core/error.h"
#include "core/precision/rounding.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::precision {
namespace {

constexpr double scaleBits = 32;

double relativeError(std::span<const float> values, std::span<const float> stored) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        const double x = static_cast<double>(values[i]), difference = static_cast<double>(stored[i]) - x;
        if (!std::isfinite(x))
            continue;
        error += difference * difference;
        norm += x * x;
    }
    return norm > 0 ? std::sqrt(error / norm) : 0;
}

/// Rounds in place: `share` neighbours have one scale.
void roundScaled(std::span<float> values, int64_t share, const Target& target, const std::atomic<bool>* cancel) {
    const auto size = static_cast<size_t>(std::max<int64_t>(share, 1));
    for (size_t begin = 0; begin < values.size(); begin += size) {
        const auto part = values.subspan(begin, std::min(size, values.size() - begin));
        float most = 0;
        for (const float x : part)
            most = std::isfinite(x) ? std::max(most, std::fabs(x)) : most;
        HowToRound how;
        how.beyond = number::Beyond::Saturate;
        const auto scale = static_cast<float>(target.element->largest() / static_cast<double>(most));
        if (most > 0 && std::isfinite(scale))
            how.scale = static_cast<double>(scale);
        roundTo(part, target, how, cancel);
    }
}

} // namespace

std::vector<StorageCost> storageCosts(std::span<const float> values, int64_t rowLength,
                                      const std::atomic<bool>* cancel) {
    std::vector<StorageCost> all;
    std::vector<float> stored;
    const auto add = [&](std::string family, std::string title, double bits) {
        all.push_back({std::move(family), std::move(title), bits, relativeError(values, stored)});
    };
    HowToRound saturating;
    saturating.beyond = number::Beyond::Saturate;
    for (const char* id : {"f16", "bf16", "e5m2", "e4m3"}) {
        stored.assign(values.begin(), values.end());
        const Target target = targetByName(id);
        roundTo(stored, target, saturating, cancel);
        add("no scale", id, target.element->bits());
    }
    const auto whole = static_cast<int64_t>(values.size());
    for (const char* id : {"e4m3", "e2m1"})
        for (const auto& [share, name] :
             {std::pair(whole, std::string("the tensor")), std::pair(rowLength, std::string("each row")),
              std::pair(int64_t{128}, std::string("each 128")), std::pair(int64_t{32}, std::string("each 32"))}) {
            stored.assign(values.begin(), values.end());
            const Target target = targetByName(id);
            roundScaled(stored, share, target, cancel);
            add(fmt::format("{} with f32 scales", id), fmt::format("{}, a scale for {}", id, name),
                target.element->bits() + scaleBits / static_cast<double>(std::max<int64_t>(share, 1)));
        }
    for (const BlockFormat& format : blockFormats()) {
        stored.assign(values.begin(), values.end());
        const Target target = targetByName(std::string(format.id));
        roundTo(stored, target, saturating, cancel);
        add("microscaling", std::string(format.title), target.element->bits() + 8.0 / format.blockSize);
    }
    return all;
}

} // namespace warplight::precision
