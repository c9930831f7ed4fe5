// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"
#include "core/labs/precision/training_runs.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::precision {

/// Figures of trainings beside each other that grow while steps go on.
class TrainingFigures {
  public:
    /// Puts the figures, still empty.
    explicit TrainingFigures(lab::Run& run);

    /// The step that a run has just done.
    void add(const TrainingRun& training);
    /// Shows what has been added, if the last time is long enough ago or it has to be now.
    void show(const std::vector<TrainingRun>& trainings, bool now);

  private:
    void point(const char* figure, const TrainingRun& training, double y, lab::Provenance provenance);
    lab::Curve& waitingCurve(const std::string& figure, const std::string& id);

    lab::Run& run;
    std::vector<std::pair<std::string, lab::Curve>> waiting; ///< with their figures, in the order of recipes
    std::chrono::steady_clock::time_point shown{};
};

/// Mean loss of the last tenth of the steps, which batches make rise and fall; NaN of a training that ended in none.
double lastLoss(const TrainingRun& training);

/// Colours of recipes, by their names, and of scalers and formats.
std::map<std::string, int64_t> recipeColours();

} // namespace warplight::labs::precision
