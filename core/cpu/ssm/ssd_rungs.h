// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs behind ssd(), of shapes that have been checked.
#pragma once

#include "core/cpu/ssm/ssd.h"
#include "core/cpu/workspace.h"

#include <cstdint>

namespace warplight::cpu {

/// e^a, head by head: [batch · heads, length]. Without an initial state that of step 0 is 0: it has nothing to act on,
/// not even as NaN.
float* decaysOf(const SsdShape& shape, const SsdTensors& tensors, const RunOptions& options, Workspace& space);

/// The state of a head, [headDim, stateDim] as tensors have it, to and from rows of `columns` ≥ headDim numbers, one
/// for each of stateDim; what is beyond headDim becomes zero.
void toRows(const SsdShape& shape, const float* state, int64_t columns, float* rows);
void fromRows(const SsdShape& shape, const float* rows, int64_t columns, float* state);

RunCost recurrentSsd(const SsdShape& shape, const SsdTensors& tensors, const RunOptions& options);
/// In chunks of so many steps.
RunCost chunkedSsd(const SsdShape& shape, int64_t chunk, const SsdTensors& tensors, const RunOptions& options);
int64_t chunkedSsdBytesAtMost(const SsdShape& shape, int64_t chunk, int threads);

} // namespace warplight::cpu
