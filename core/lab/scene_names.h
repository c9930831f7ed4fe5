// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace warplight::lab {

/// What a row of bars is called: by its own name, else by that of the matrix which they stand beside, row for row; else
/// empty.
std::string rowNameOf(const Steps::Step& scene, const Steps::Bars& bars, int64_t row);

/// Whether a bar is one of several in its row: then its text says which part it is.
bool isPart(const Steps::Bars& bars, const Steps::Bars::Bar& bar);

/// Where a point of a trace stands on its scale from left to right.
double positionOf(const Steps::Trace& trace, size_t point);

} // namespace warplight::lab
