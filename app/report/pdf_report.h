// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/report/paper.h"
#include "app/report/report.h"

#include <memory>
#include <vector>

namespace warplight::app {

/// The report as an A4 PDF with vector figures. Throws std::runtime_error naming the file, as the pieces do.
ReportPieces pdfPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options);

/// Its pages, without a file; they refer to the runs.
std::shared_ptr<const Paper> pagesOf(const std::vector<lab::RunRecord>& runs, const ReportOptions& options);

} // namespace warplight::app
