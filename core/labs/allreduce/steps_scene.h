// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/allreduce/collective_job.h"
#include "core/labs/allreduce/replay.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::allreduce {

/// A run to be shown step by step: ranks as columns, chunks as rows.
struct ShownRun {
    const CollectiveJob* job;
    const collectives::Schedule* schedule;
    const collectives::MessageLog* log;
    const collectives::Contributions* contributions;
    Replay* replay;
};

/// Where the runs' grids lie on the canvas, side by side.
struct ScenePlan {
    explicit ScenePlan(const std::vector<ShownRun>& runs);
    double width = 1, height = 1;
    std::vector<double> left; ///< of each run's first column
    bool chips = true; ///< a small field for each rank whose elements are in it; otherwise a colour says how many
    bool values = true, counts = true;
};

/// The scene after step `step` of every run (-1: the start); a run that has ended keeps its last.
lab::Steps::Step sceneAt(const ScenePlan& plan, std::vector<ShownRun>& runs, int64_t step);

} // namespace warplight::labs::allreduce
