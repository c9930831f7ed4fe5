// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/model/config.h"

#include <cstdint>

namespace warplight::model {

/// How a unit of a model attends: causal, max(q·k, 0)² / (m s), where m is the number of keys that a row sees. What a
/// token becomes then depends neither on what follows it nor on how much does.
cpu::GauShape unitShape(const Config& config, int64_t batch, int64_t length);

} // namespace warplight::model
