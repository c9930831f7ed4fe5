// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

namespace warplight::labs::allreduce {

struct RegimePoint {
    double bytes, seconds;
};

/// t(n) = latency + n · secondsPerByte (Hockney 1994).
struct LatencyBandwidth {
    double latency = 0;        ///< s, not negative
    double secondsPerByte = 0; ///< positive
    double typicalMiss = 0;    ///< root mean square of (fit - measured) / measured
    double at(double bytes) const { return latency + bytes * secondsPerByte; }
    /// Hockney's n½: half of the greatest bandwidth is reached there.
    double halfBandwidthBytes() const { return latency / secondsPerByte; }
};

/// Least squares on relative errors, so that small messages count as much as large ones. Unset for fewer than two
/// sizes, and when no bandwidth can be told.
std::optional<LatencyBandwidth> fitLatencyBandwidth(const std::vector<RegimePoint>& points);

} // namespace warplight::labs::allreduce
