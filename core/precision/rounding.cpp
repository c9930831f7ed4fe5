// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/rounding.h"

#include "core/error.h"
#include "core/precision/stored.h"
#include "core/tensor/philox.h"
#include "core/tensor/pieces.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::precision {
namespace {

using number::FloatFormat;
using Scale = BlockFormat::Scale;

constexpr BlockFormat formats[] = {{"mxfp8-e4m3", "MXFP8 E4M3", "e4m3", 32, Scale::PowerOfTwo},
                                   {"mxfp8-e5m2", "MXFP8 E5M2", "e5m2", 32, Scale::PowerOfTwo},
                                   {"mxfp6-e3m2", "MXFP6 E3M2", "e3m2", 32, Scale::PowerOfTwo},
                                   {"mxfp6-e2m3", "MXFP6 E2M3", "e2m3", 32, Scale::PowerOfTwo},
                                   {"mxfp4", "MXFP4", "e2m1", 32, Scale::PowerOfTwo},
                                   {"nvfp4", "NVFP4", "e2m1", 16, Scale::E4M3OfTensor}};

/// Of [0, 1): the chance of the number at a place.
double diceAt(uint64_t place, uint64_t seed) {
    const auto words = tensor::philox({static_cast<uint32_t>(place), static_cast<uint32_t>(place >> 32), 0, 0},
                                      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    return words[0] * 0x1p-32;
}

double largestFinite(std::span<const float> values) {
    float most = 0;
    for (const float x : values)
        if (std::isfinite(x))
            most = std::max(most, std::fabs(x));
    return static_cast<double>(most);
}

/// E8M0 holds 2^-127 to 2^127.
double powerOfTwoFor(double largest, const FloatFormat& element) {
    return largest == 0 ? 1 : std::ldexp(1.0, std::clamp(std::ilogb(largest) - element.highestExponent(), -127, 127));
}

/// Rounds the numbers from `place` on and counts.
class Rounder {
  public:
    Rounder(const Target& t, const HowToRound& h) : target(t), how(h) {}

    void round(std::span<float> values, uint64_t place, double blockScale) {
        // What shares a scale saturates: a block's largest number may lie above the element's range.
        const number::Beyond beyond = target.block ? number::Beyond::Saturate : how.beyond;
        for (float& x : values) {
            const double given = static_cast<double>(x), scaled = given * how.scale / blockScale,
                         dice = how.rounding == number::Rounding::Stochastic ? diceAt(place, how.seed) : 0;
            ++place;
            const double kept = number::rounded(scaled, *target.element, how.rounding, beyond, dice);
            const auto made = static_cast<float>(kept * blockScale / how.scale);
            count(x, made, stateOf(scaled, kept, *target.element));
            x = made;
        }
    }

    RoundingCounts counts;

  private:
    void count(float given, float made, Stored::State state) {
        ++counts.values;
        if (std::isnan(given) || std::isinf(given)) {
            ++(std::isnan(given) ? counts.nan : counts.infinite);
            return;
        }
        counts.exact += made == given;
        counts.overflowed += !std::isfinite(made);
        counts.saturated += state == Stored::State::Saturated;
        counts.flushed += made == 0 && given != 0;
        counts.subnormal += made != 0 && state == Stored::State::Subnormal;
        if (given != 0 && made != 0 && std::isfinite(made))
            counts.largestRelativeError = std::max(counts.largestRelativeError,
                                                   std::fabs(static_cast<double>(made) - static_cast<double>(given)) /
                                                       std::fabs(static_cast<double>(given)));
    }

    const Target& target;
    const HowToRound& how;
};

} // namespace

std::span<const BlockFormat> blockFormats() { return formats; }

std::string Target::id() const { return std::string(block ? block->id : element->id); }

std::vector<std::string> targetNames() {
    std::vector<std::string> names;
    for (const FloatFormat& f : number::floatFormats())
        names.emplace_back(f.id);
    for (const BlockFormat& f : formats)
        names.emplace_back(f.id);
    return names;
}

Target targetByName(const std::string& name) {
    for (const FloatFormat& f : number::floatFormats())
        if (f.id == name)
            return {&f, nullptr};
    for (const BlockFormat& f : formats)
        if (f.id == name)
            return {&number::floatFormat(f.element), &f};
    throw InputError(fmt::format("number format '{}': expected one of {}", name, fmt::join(targetNames(), ", ")));
}

RoundingCounts roundTo(std::span<float> values, const Target& target, const HowToRound& how,
                       const std::atomic<bool>* cancel) {
    Rounder rounder(target, how);
    if (!target.block) {
        inPieces(values.size(), 64, cancel,
                 [&](size_t begin, size_t end) { rounder.round(values.subspan(begin, end - begin), begin, 1); });
        return rounder.counts;
    }
    const FloatFormat& element = *target.element;
    const FloatFormat& e4m3 = number::floatFormat("e4m3");
    // So that the tensor's largest number has the largest scale and the largest element.
    const double largest = largestFinite(values) * how.scale,
                 ofTensor =
                     largest == 0
                         ? 1
                         : static_cast<double>(static_cast<float>(largest / (element.largest() * e4m3.largest())));
    const auto size = static_cast<size_t>(target.block->blockSize);
    for (size_t begin = 0; begin < values.size(); begin += size) {
        if (begin % (1 << 16) == 0)
            checkCancelled(cancel);
        const auto block = values.subspan(begin, std::min(size, values.size() - begin));
        const double most = largestFinite(block) * how.scale;
        double scale = powerOfTwoFor(most, element);
        if (target.block->scale == Scale::E4M3OfTensor) {
            scale = ofTensor * number::rounded(most / element.largest() / ofTensor, e4m3, number::Rounding::NearestEven,
                                               number::Beyond::Saturate);
            if (scale == 0) // nothing of the block is large enough for a scale: all of it goes
                scale = ofTensor * e4m3.leastSubnormal();
        }
        rounder.round(block, begin, scale);
    }
    return rounder.counts;
}

} // namespace warplight::precision
