// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/float_format.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::precision {

/// Small numbers that share a scale, one for each block of neighbours in memory.
struct BlockFormat {
    enum class Scale {
        PowerOfTwo,   ///< an E8M0 exponent: that of the largest number of the block, less the element's highest
                      ///< (OCP Microscaling Formats, version 1.0, section 6.3)
        E4M3OfTensor, ///< an E4M3 number, with one f32 scale for the whole tensor (NVFP4)
    };
    std::string_view id, title, element;
    int blockSize;
    Scale scale;
};

/// mxfp8-e4m3, mxfp8-e5m2, mxfp6-e3m2, mxfp6-e2m3, mxfp4, nvfp4.
std::span<const BlockFormat> blockFormats();

/// What numbers are rounded to: a format by itself, or in blocks that share a scale.
struct Target {
    const number::FloatFormat* element = nullptr;
    const BlockFormat* block = nullptr; ///< none: by itself
    std::string id() const;
};
/// Throws InputError that lists the names.
Target targetByName(const std::string& name);
std::vector<std::string> targetNames();

struct HowToRound {
    number::Rounding rounding = number::Rounding::NearestEven;
    number::Beyond beyond = number::Beyond::Infinity;
    double scale = 1;  ///< numbers are multiplied by it before and divided after
    uint64_t seed = 0; ///< of stochastic rounding: each number's chance follows from the seed and its place alone
};

/// What became of the numbers of a tensor.
struct RoundingCounts {
    int64_t values = 0;
    int64_t exact = 0;               ///< unchanged, subnormal ones too
    int64_t overflowed = 0;          ///< finite, and infinite or NaN now
    int64_t saturated = 0;           ///< finite, beyond the range, and the largest number now
    int64_t flushed = 0;             ///< not 0, and 0 now
    int64_t subnormal = 0;           ///< kept, with fewer digits than the format has
    int64_t nan = 0, infinite = 0;   ///< that came so
    double largestRelativeError = 0; ///< of finite numbers that stayed finite and not 0
};

/// Rounds in place, back to f32. Blocks are of neighbours; the last may be shorter. Throws Cancelled.
RoundingCounts roundTo(std::span<float> values, const Target& target, const HowToRound& how = {},
                       const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::precision
