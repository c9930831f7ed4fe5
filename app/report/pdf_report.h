#pragma once

#include "app/report/report.h"

#include <vector>

namespace warplight::app {

/// The report as an A4 PDF with vector figures. Throws std::runtime_error naming the file, as the pieces do.
ReportPieces pdfPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options);

} // namespace warplight::app
