// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/report/report.h"

#include <vector>

namespace warplight::app {

/// The report as a folder with a folder a run: SVG, PNG, CSV and JSON of every figure, and the trace of a timeline.
/// Given up, it leaves neither files nor folders that were not there before; a file that it has replaced stays so.
ReportPieces folderPieces(const std::vector<lab::RunRecord>& runs, const QString& target);

} // namespace warplight::app
