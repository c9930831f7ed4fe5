// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/allreduce/carrier.h"

#include <atomic>
#include <cstdint>

namespace warplight::labs::allreduce {

/// One size of a race: what a carrier takes for it, again and again.
struct MeasuredPoint {
    double seconds = 0, low = 0, high = 0; ///< median, 10th and 90th percentile
    int64_t repetitions = 0;
    int64_t wrong = 0; ///< elements, of all ranks, that are not what they should be

    double algorithmBandwidth(int64_t bytes) const { return static_cast<double>(bytes) / seconds; }
};

/// Warms up, repeats for about `budget` seconds (3 to 2000 times), and compares every element that the collective
/// promises to every rank.
/// Inputs are small whole numbers, so that the outcome is exact whatever the order; see tests.
MeasuredPoint measurePoint(Carrier& carrier, const CollectiveJob& job, double budget, const std::atomic<bool>* cancel);

/// The vectors measurePoint begins with, and what each element should be in the end.
RankVectors countingVectors(number::Format type, int ranks, int64_t elements,
                            const std::atomic<bool>* cancel = nullptr);
double countingResult(collectives::Reduction reduction, int ranks, int64_t index);

} // namespace warplight::labs::allreduce
