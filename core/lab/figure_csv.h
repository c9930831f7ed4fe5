// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <string>

namespace warplight::lab {

/// The figure's numbers as tidy CSV (RFC 4180, LF, %.17g, SI base units): one observation a row, every row
/// with `device`, `provenance`. Series: curve, x, y, low, high. Heat maps: row, col, value of the cells that are here
/// (lazy ones: the finest complete level in the record's tiles). Tables as they stand. Sources: a line a row, its
/// counters as columns that say their provenance (those of both panes, by id). Timelines: a span a row. Empty for
/// notes. A run's warnings come first, each as a line "# Note: ..."; a curve that was measured elsewhere has its own
/// `device`.
std::string figureCsv(const RunRecord& record, const Figure& figure);

} // namespace warplight::lab
