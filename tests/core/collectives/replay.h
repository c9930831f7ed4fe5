// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"
#include "numbers.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace warplight::test {

using Vectors = std::vector<std::vector<double>>; ///< one a rank

/// A schedule step by step, one rank after the other, in doubles rounded to the type after each operation. Everything
/// that is sent is taken from a copy made before the step. after(step, vectors) is called after each.
inline void replay(const collectives::Schedule& schedule, number::Format type, collectives::Reduction reduction,
                   Vectors& vectors, const std::function<void(int64_t, const Vectors&)>& after = {}) {
    using collectives::Reduction;
    collectives::Step step;
    for (int64_t index = 0; index < schedule.steps(); ++index) {
        const Vectors before = vectors;
        for (int rank = 0; rank < schedule.ranks(); ++rank) {
            schedule.step(rank, index, step);
            for (const auto& receive : step.receives)
                for (auto i = static_cast<size_t>(receive.range.begin); i < static_cast<size_t>(receive.range.end);
                     ++i) {
                    const double comes = before[static_cast<size_t>(receive.from)][i];
                    double& mine = vectors[static_cast<size_t>(rank)][i];
                    mine = !receive.reduce               ? comes
                           : reduction == Reduction::Max ? std::max(mine, comes)
                                                         : rounded(type, mine + comes);
                }
        }
        if (after)
            after(index, vectors);
    }
}

} // namespace warplight::test
