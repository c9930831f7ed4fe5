// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "bench/check/process.h"
#include "core/lab/record.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace warplight::check {

/// What a Qt Test program said: {"passed", "failed", "skipped", "failures"}; zeros where it did not get to its sum.
nlohmann::json testResult(const QString& output);

/// The points of a race: {"operator", "implementation", "x", "knob", "measured", "p10", "p90", "modelled", "limit",
/// "clock", "throttled", "measured_over_modelled"}, null where there is nothing; seconds and hertz.
nlohmann::json racePoints(const lab::RunRecord& record);

/// The library's time beside the fastest kernel of ours at each point of a race: {"operator", "x", "library", "ours",
/// "library_seconds", "our_seconds", "ours_over_library"}.
nlohmann::json libraryRatios(const nlohmann::json& racePoints);

/// Bytes by tensor that differ from the formula ("differences"), and what the GPU's counters saw beside what was
/// counted and modelled ("measured": {"operator", "kernel", "counted", "dram", "dram_modelled", "l2", "l1" and their
/// ratios}).
nlohmann::json trafficOf(const lab::RunRecord& record);

/// The report as a person reads it.
std::string markdown(const nlohmann::json& report);

} // namespace warplight::check
