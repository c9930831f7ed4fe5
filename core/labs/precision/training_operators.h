// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::precision {

/// What mixed precision training adds to each step, as operators: a cast that takes the loss scale off and looks for
/// infinities, and AdamW on f32 weights with 16-bit gradients.
workbench::Operator castOperator();
workbench::Operator adamwOperator();

} // namespace warplight::labs::precision
