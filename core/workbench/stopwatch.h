// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <vector>

namespace warplight::workbench {

/// What repeated timing of one call gave, in seconds.
struct Timing {
    double median = 0, p10 = 0, p90 = 0;
    int repetitions = 0;
};

/// Quantile of a sorted list with linear interpolation between neighbours (Hyndman & Fan 1996, type 7).
double quantile(const std::vector<double>& sorted, double fraction);

/// Calls work() once to warm up, then until two successive medians agree within 2 % (at least five times) or
/// `secondsAtMost` are spent (at least once). The warm-up's time alone decides when one call exceeds the limit.
Timing timeRepeatedly(const std::function<void()>& work, double secondsAtMost);

} // namespace warplight::workbench
