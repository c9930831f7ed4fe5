// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"
#include "core/precision/scaler_log.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// Where the events of a log stand in its pictures: at the steps that they tell, or one after the other.
class ScalerLogAxis {
  public:
    /// `over`: "auto", "steps" or "events". Throws InputError where steps are wanted and the log does not have them.
    ScalerLogAxis(const warplight::precision::ScalerLog& log, const std::string& over);
    double at(size_t event) const { return places[event]; }
    const std::string& title() const { return name; } ///< "step", "update", "event"

  private:
    bool placeBySteps(const warplight::precision::ScalerLog& log);
    std::vector<double> places;
    std::string name;
};

std::vector<lab::Figure> logHeadlines(const warplight::precision::ScalerLog& log);
/// A curve for each scaler, skipped steps marked; nothing where the log tells no scale. Throws Cancelled.
std::optional<lab::Figure> logScaleFigure(const warplight::precision::ScalerLog& log, const ScalerLogAxis& axis,
                                          const lab::Run& run);
/// Skipped steps so far.
lab::Figure logSkipFigure(const warplight::precision::ScalerLog& log, const ScalerLogAxis& axis);
lab::Figure logScalerTable(const warplight::precision::ScalerLog& log);
/// What changed or was skipped, else all that was told; at most so many rows.
lab::Figure logEventTable(const warplight::precision::ScalerLog& log, int64_t rows);

} // namespace warplight::labs::precision
