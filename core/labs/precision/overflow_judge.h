// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/half_steps.h"

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// One head whose scores are watched.
struct OverflowHead {
    cpu::MapProblem problem; ///< points into what the page holds
    const float* v = nullptr;
};

/// A way to compute it, with words.
struct NamedRecipe {
    std::string id, title;
    cpu::HalfRecipe recipe;
};
/// As it is, and each remedy by itself.
std::vector<NamedRecipe> remediesOf(const cpu::HalfRecipe& recipe);

/// What a recipe makes of some rows. All of it counted.
struct Verdict {
    static constexpr int lowest = -24, highest = 40; ///< powers of two of the histogram
    struct Sizes { ///< scores by ⌊log₂⌋ of what meets the limit, from `lowest` on
        std::vector<int64_t> kept, flushed, lost;
    };
    struct Deaths {
        int64_t count = 0, query = -1;
        cpu::HalfOrigin first;
    };
    int64_t rows = 0, scores = 0, outputs = 0;
    int64_t lostScores = 0, lostOutputs = 0, lostRows = 0;   ///< rows: with an output that is infinite or NaN
    std::map<cpu::HalfStep, Deaths> scoresBy;                ///< scores, by what made them infinite or NaN
    std::map<cpu::HalfStep, Deaths> rowsBy;                  ///< rows, by what came first in them
    std::vector<double> headroom;                            ///< bits from a row's largest score to the limit
    double error = std::numeric_limits<double>::quiet_NaN(); ///< of O, relative, over the rows that are finite
    Sizes sizes;

    double medianHeadroom() const; ///< of the rows with a score; NaN if there are none
};

/// O of some rows in f64: [rows, headDim].
std::vector<double> exactOutputs(const OverflowHead& head, const std::vector<int64_t>& rows,
                                 const std::atomic<bool>* cancel);

/// Throws Cancelled.
Verdict judge(const cpu::HalfSteps& steps, const OverflowHead& head, const std::vector<int64_t>& rows,
              const std::vector<double>& exact, const std::atomic<bool>* cancel);

} // namespace warplight::labs::precision
