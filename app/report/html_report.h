// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/report/report.h"

#include <vector>

namespace warplight::app {

/// The report as one self-contained HTML page, which prints as well. Throws std::runtime_error naming the file, as the
/// pieces do.
ReportPieces htmlPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options);

} // namespace warplight::app
