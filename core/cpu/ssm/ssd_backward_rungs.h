// SPDX-License-Identifier: GPL-3.0-or-later
// The chunked rung behind ssdBackward(), of shapes that have been checked.
#pragma once

#include "core/cpu/ssm/ssd_backward.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {

/// Of a chunk; pairs of more steps cost more than the states that they spare.
constexpr int64_t mostBackSteps = 256;

inline int64_t backChunk(const SsdShape& s) {
    return std::clamp<int64_t>(s.chunk, 1, std::clamp<int64_t>(s.length, 1, mostBackSteps));
}

RunCost chunkedSsdBackward(const SsdShape& shape, const SsdTensors& tensors, const SsdGradients& gradients,
                           const RunOptions& options);
int64_t chunkedSsdBackwardBytesAtMost(const SsdShape& shape, int threads);

} // namespace warplight::cpu
