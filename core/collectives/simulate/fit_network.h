// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"
#include "core/collectives/simulate/network.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::collectives {

/// A collective that was measured.
struct MeasuredPoint {
    std::string algorithm;
    Collective collective = Collective::Allreduce;
    int ranks = 2;
    int64_t elements = 0, elementBytes = 4;
    double seconds = 0;
    AlgorithmOptions options;
};

struct NetworkFit {
    Network network; ///< the shape that was given, with the fitted α, β and γ
    struct Point {
        double fitted = 0;           ///< seconds
        double relativeResidual = 0; ///< (measured - fitted) / measured
    };
    std::vector<Point> points;
    double r2 = 0; ///< of the logarithm of seconds; 1 = exact; 0 where all points took the same time
    /// Standard errors, from the residuals; 0 for a parameter that was set to 0.
    double latencyError = 0, secondsPerByteError = 0, secondsPerReducedByteError = 0;
    /// False: in these points reduced bytes are proportional to sent ones, to a part in a thousand, or there are none.
    /// γ is then set to 0, and β holds what both cost together.
    bool tellsReductionApart = true;
    std::string remark; ///< one sentence for the reader when something could not be told; otherwise empty
};

/// Fits α, β and γ to measured points: least squares of relative residuals, so that small messages count as much as
/// large ones, no parameter below 0. An algorithm's coefficients are those of its critical path, found by simulating it
/// on a network of `shape` (full mesh, ring or fat tree: one α and one β), and again at the fitted parameters, since
/// the critical path may change with them.
/// Throws InputError, naming the point, for times of 0 or less, fewer than three points, and for islands.
NetworkFit fitNetwork(const std::vector<MeasuredPoint>& points, const Network& shape = {},
                      const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::collectives
