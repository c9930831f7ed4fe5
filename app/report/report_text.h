// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/report/report.h"

#include <QString>
#include <cstddef>
#include <utility>
#include <vector>

namespace warplight::app {

using Pairs = std::vector<std::pair<QString, QString>>; ///< name and value

/// "Race and Accuracy" unless the options name a title.
QString reportTitle(const std::vector<lab::RunRecord>& runs, const ReportOptions& options);
/// Of a run: "Race", or the id of an experiment that has no title.
QString runName(const lab::RunRecord& run);
/// Machine, device and time of a run.
Pairs circumstances(const lab::RunRecord& run, const ReportOptions& options);
/// The settings of a run; of a text of several lines its first.
Pairs settingsOf(const lab::RunRecord& run);

/// What a run says itself, as one paragraph: how it ended and on what it ran, its headline numbers with where they come
/// from, its warnings, and what is remarked about its code. Nothing is concluded from them.
QString findings(const lab::RunRecord& run);

/// "214 GFLOP/s", "2.31×"; "–" while it is not known.
QString metricText(const lab::Metric& metric);

/// The steps that tell an algorithm: first, last, the one that it opens at, then those that differ most from the ones
/// taken. Ascending indices, at most `most` (2 or more), and no step that looks like another one of them.
std::vector<size_t> tellingSteps(const lab::Steps& steps, size_t most);
constexpr size_t mostFrames = 6; ///< of a film strip

} // namespace warplight::app
