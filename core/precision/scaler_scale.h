// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/precision/scaler_line.h"
#include "core/precision/scaler_words.h"

#include <vector>

namespace warplight::precision {

/// The scales that a line tells, by name ("loss scale", "grad_scale", "amp/scale") and the numbers behind it: one, or
/// two with "from", "to" or an arrow. Windows, factors, limits and initial values of scalers are none. `certain`: the
/// line is of a scaler, so that a mere "scale" is one.
std::vector<ScalerLine::Scale> scalesIn(const ScalerWords& words, bool certain);

/// Whether these words, all of them, are a name for a scale: a column's.
bool isScaleName(const ScalerWords& words);

} // namespace warplight::precision
