// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"

#include <cstdint>

namespace warplight::cpu {

/// What AttentionCost::extraBytes of a run will be at most; INT64_MAX when the size overflows. `threads` as in
/// Execution.
int64_t extraBytesAtMost(Implementation implementation, const AttentionProblem& problem, int threads = 0);

} // namespace warplight::cpu
