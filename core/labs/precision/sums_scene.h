// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/precision/sum_tree.h"
#include "gpu/number/float_format.h"

#include <string>

namespace warplight::labs::precision {

/// A short sum as a film: terms on top, below them what each addition makes of two, the paler the less its rounding
/// took. Colour keys: "sum.lost", "sum.line".
lab::Steps sumScene(const warplight::precision::SumTree& tree, warplight::precision::SumOrder order,
                    const number::FloatFormat& accumulator);

} // namespace warplight::labs::precision
