// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstdint>
#include <span>
#include <string>

namespace warplight::labs::precision {

/// How many numbers have which exponent.
struct ExponentCounts {
    std::string label;               ///< of what
    std::span<const int64_t> counts; ///< by exponent
    int lowest = 0;                  ///< exponent of the first
    int64_t numbers = 0;             ///< of which shares are; zeros count among them
};

/// Their shares as bars over the exponents moved by `scale`, and above the bars how far each judged format reaches.
lab::Series exponentShares(const ExponentCounts& counts, int scale);

} // namespace warplight::labs::precision
