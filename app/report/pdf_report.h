#pragma once

#include "app/report/report.h"

#include <vector>

namespace warplight::app {

/// The report as an A4 PDF with vector figures. Throws std::runtime_error naming the file.
void writePdfReport(const std::vector<const lab::RunRecord*>& runs, const QString& file, const ReportOptions& options);

} // namespace warplight::app
