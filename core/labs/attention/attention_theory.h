// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::attention {

/// What attention's Traffic shows besides: the papers' formulas with tiles that fill the chip, and from which tile on
/// FlashAttention-1's order moves less than standard attention, as counted.
workbench::TrafficExtras trafficTheory();

} // namespace warplight::labs::attention
