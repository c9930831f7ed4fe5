// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"
#include "core/labs/training/growing_curves.h"
#include "core/labs/training/training_runs.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// Figures of trainings beside each other that grow while steps go on.
class TrainingFigures {
  public:
    /// Puts the figures, still empty.
    TrainingFigures(lab::Run& run, int64_t steps);

    /// The step that a run has just done.
    void add(const training::TrainingRun& training);
    /// That step, counted from 1, is done. Shows what has been added, if the last time is long enough ago or it has to
    /// be now.
    void show(const std::vector<training::TrainingRun>& trainings, int64_t step, bool now);

  private:
    lab::Run& run;
    training::GrowingCurves curves;
    std::chrono::steady_clock::time_point shown{};
};

/// Colours of recipes, by their names, and of scalers and formats.
std::map<std::string, int64_t> recipeColours();

} // namespace warplight::labs::precision
