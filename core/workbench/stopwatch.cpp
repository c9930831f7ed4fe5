// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/stopwatch.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace warplight::workbench {

double quantile(const std::vector<double>& sorted, double fraction) {
    const double position = fraction * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(position);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Timing timeRepeatedly(const std::function<void()>& work, double secondsAtMost) {
    using Clock = std::chrono::steady_clock;
    constexpr size_t fewest = 5, most = 1000;
    constexpr double agreement = 0.02;
    const auto timed = [&] {
        const auto start = Clock::now();
        work();
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    const double warmUp = timed();
    std::vector<double> sorted;
    double spent = warmUp, lastMedian = 0;
    while (sorted.size() < most && (sorted.empty() || spent < secondsAtMost)) {
        if (sorted.empty() && warmUp > secondsAtMost) {
            sorted.push_back(warmUp);
            break;
        }
        const double seconds = timed();
        spent += seconds;
        sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), seconds), seconds);
        if (sorted.size() % fewest == 0) {
            const double median = quantile(sorted, 0.5);
            if (std::fabs(median - lastMedian) <= agreement * median)
                break;
            lastMedian = median;
        }
    }
    return {quantile(sorted, 0.5), quantile(sorted, 0.1), quantile(sorted, 0.9), static_cast<int>(sorted.size())};
}

} // namespace warplight::workbench
