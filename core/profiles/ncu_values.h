// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/local_number.h"
#include "core/profiles/profiler_metrics.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// The values of a table of ncu --csv, which wait until all of it has told what the decimal point is.
class NcuValues {
  public:
    /// The one value of a launch, or which of those that a sum of launches has.
    enum class Of { Launch, Mean, Least, Most };

    /// A cell of this unit, of the launch or sum of launches with this index; `line` for what is said of bad ones.
    void take(size_t launch, const MetricName& metric, std::string_view unit, const std::string& text, Of of,
              int64_t line);
    /// The metrics of each of `count` launches, or sums of launches.
    std::vector<LaunchMetrics> resolve(size_t count, Of of) const;
    /// Says what was left out or had to be guessed.
    void warn(std::vector<std::string>& warnings) const;

  private:
    struct Waiting {
        size_t launch = 0;
        MetricName metric;
        LocalNumber number;
        double factor = 1;
        Of of = Of::Launch;
    };
    std::vector<Waiting> waiting;
    DecimalPoint point;
    std::set<std::string> unknownUnits;
    std::string firstBad;
    int64_t badValues = 0;
};

} // namespace warplight::profiles
