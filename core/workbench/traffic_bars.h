// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/measured_traffic.h"
#include "core/workbench/runner.h"

#include <optional>
#include <vector>

namespace warplight::workbench {

/// What one implementation moved at one point.
struct TrafficPoint {
    Contestant who;
    Problem problem;
    double x = 0;
    VirtualPoint seen;
    gpu::TensorTraffic compulsory;
    std::optional<gpu::TensorTraffic> algorithmic; ///< none: nobody has derived it
    std::optional<MeasuredBytes> measured;         ///< by the counters of a real GPU
};

/// Counted bytes of the points of one problem, stacked by tensor. A bar that would leave nothing of the others to see
/// is left out, and said so.
void putBars(const OperatorList& operators, std::vector<TrafficPoint> points, lab::Run& run);

} // namespace warplight::workbench
