// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace warplight::cuda {

/// Names of the counters that measure a launch's traffic on one chip; they differ between generations. From
/// resources/cupti_metrics.json, which is part of the program.
struct TrafficMetrics {
    std::string chip;                  ///< CUPTI's name of it, "GA100"
    std::string family;                ///< "Ampere"
    std::string dramRead, dramWritten; ///< bytes; empty: an integrated chip, which has no such counter
    std::string l2Read, l2Written;     ///< sectors that the multiprocessors asked L2 for
    std::string l1;                    ///< bytes
    std::string duration;              ///< nanoseconds
    int sectorBytes = 32;              ///< of L2
    int passes = 1;                    ///< times a launch has to run to count them all

    bool hasDram() const { return !dramRead.empty(); }
    /// All names, in the order of the fields.
    std::vector<std::string> names() const;
};

/// Throws CountersUnavailable naming the chips that are known when `chip` is none of them.
TrafficMetrics trafficMetrics(std::string_view chip);

/// Of all families, oldest first.
std::vector<std::string> chipsWithTrafficMetrics();

} // namespace warplight::cuda
