// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"
#include "core/precision/sums.h"
#include "gpu/number/float_format.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// One order in one accumulator format, and what it made.
struct RanSum {
    warplight::precision::NamedOrder order;
    const number::FloatFormat* accumulator;
    warplight::precision::SumCourse course;
};

/// All that a run of the page Sums has to show.
struct SumsRun {
    std::string what; ///< "65536 terms, uniform, 0 to 1, in FP16"
    std::vector<int64_t> lengths;
    std::vector<size_t> growing, even; ///< indices of the lengths that grow by √2, and of those at equal distances
    warplight::precision::ExactCourse exact;
    std::vector<const number::FloatFormat*> accumulators; ///< the narrowest first
    std::vector<RanSum> all;                              ///< of one accumulator after the other

    /// |sum − exact| / |exact| at lengths[i]; infinite for a sum that is no finite number, NaN where the exact one is
    /// 0.
    double relativeError(const RanSum& ran, size_t i) const;
};

/// The lengths of a run, from 1 to the longest.
void chooseLengths(SumsRun& sums, int64_t longest);

void putHeadlines(const SumsRun& sums, lab::Run& run);
lab::Figure errorFigure(const SumsRun& sums);
lab::Figure runningFigure(const SumsRun& sums);
lab::Figure ordersTable(const SumsRun& sums);

} // namespace warplight::labs::precision
