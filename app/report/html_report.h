#pragma once

#include "app/report/report.h"

#include <utility>
#include <vector>

namespace warplight::app {

/// The report as one self-contained HTML page. Throws std::runtime_error naming the file, as the pieces do.
ReportPieces htmlPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options);

/// "Race and Accuracy" unless the options name a title.
QString reportTitle(const std::vector<lab::RunRecord>& runs, const ReportOptions& options);
/// Machine, device and time of a run, as pairs of name and value.
std::vector<std::pair<QString, QString>> circumstances(const lab::RunRecord& run, const ReportOptions& options);
/// The settings of a run, as pairs of name and value.
std::vector<std::pair<QString, QString>> settingsOf(const lab::RunRecord& run);

} // namespace warplight::app
