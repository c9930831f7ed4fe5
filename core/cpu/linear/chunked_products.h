// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/linear_attention.h"

#include <cstdint>

namespace warplight::cpu {

/// Whether the chunked form of f32 has matrix products for a rule: those that add, and decay by a number a step.
bool hasChunkProducts(const LinearShape& shape);
RunCost chunkedByProducts(const LinearShape& shape, const LinearTensors<float>& tensors, const RunOptions& options);
int64_t chunkedProductsBytesAtMost(const LinearShape& shape, int threads);

} // namespace warplight::cpu
