// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention_backward.h"
#include "gpu/ops/traffic.h"

#include <cstdint>

namespace warplight::gpu {

/// Each tensor of the backward pass once: Q, K, V, O, lse and dO read, dQ, dK and dV written.
TensorTraffic compulsoryBackwardTraffic(const AttentionShape& shape);

/// What the loops of a rung's kernels ask memory for (gpu/kernels/attention_backward.cu, docs/attention-traffic.md).
/// What is added to memory by atomics is read and written.
TensorTraffic algorithmicTraffic(BackwardRung rung, const AttentionShape& shape);

/// Device memory that attentionBackward takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(BackwardRung rung, const AttentionShape& shape);

} // namespace warplight::gpu
