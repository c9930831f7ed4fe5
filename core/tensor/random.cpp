// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tensor/random.h"

#include "core/tensor/philox.h"
#include "core/tensor/pieces.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace warplight::tensor {
namespace {

/// Calls use(words) for every block of four outputs of a stream.
template <class Use>
void forEachBlock(size_t outputs, uint64_t seed, uint64_t stream, const std::atomic<bool>* cancel, Use use) {
    const std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    constexpr uint64_t look = 1 << 15; // blocks between two looks at the wish to cancel: some milliseconds
    for (uint64_t block = 0; block * 4 < outputs; ++block) {
        if (block % look == 0)
            checkCancelled(cancel);
        use(static_cast<size_t>(block * 4), philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                                    static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                                                   key));
    }
}

/// In (0, 1): the middle of one of 2^32 equal intervals.
double unit(uint32_t word) { return (static_cast<double>(word) + 0.5) / 4294967296.0; }

} // namespace

void fillGaussian(std::span<float> out, uint64_t seed, uint64_t stream, float standardDeviation,
                  const std::atomic<bool>* cancel) {
    forEachBlock(out.size(), seed, stream, cancel, [&](size_t first, const std::array<uint32_t, 4>& words) {
        std::array<double, 4> values{};
        for (size_t pair = 0; pair < 4; pair += 2) { // Box & Muller 1958
            const double radius = std::sqrt(-2 * std::log(unit(words[pair]))),
                         angle = 2 * std::numbers::pi * unit(words[pair + 1]);
            values[pair] = radius * std::cos(angle);
            values[pair + 1] = radius * std::sin(angle);
        }
        for (size_t i = first; i < std::min(first + 4, out.size()); ++i)
            out[i] = standardDeviation * static_cast<float>(values[i - first]);
    });
}

void fillUniform(std::span<float> out, uint64_t seed, uint64_t stream, float low, float high,
                 const std::atomic<bool>* cancel) {
    forEachBlock(out.size(), seed, stream, cancel, [&](size_t first, const std::array<uint32_t, 4>& words) {
        for (size_t i = first; i < std::min(first + 4, out.size()); ++i) // 24 bits: exact in f32, never 1
            out[i] = low + (high - low) * (static_cast<float>(words[i - first] >> 8) / 16777216.0f);
    });
}

} // namespace warplight::tensor
