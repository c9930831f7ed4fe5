// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention_half.h"

#include <cstdint>

namespace warplight::gpu {

/// Runs mma-e4m3 (gpu/kernels/attention_f8.cu) on tensors of f32 as attentionForward takes them: the device casts Q, K
/// and V to e4m3, each by a scale with which its largest finite size becomes 448; infinities become NaN. O is f32.
/// Buffers are called Q, K, V, their 8-bit copies Q8, K8, V8, the largest sizes amax, O, lse and S.
/// `keepsScores`: S (f32) comes back, too, from a kernel of its own; P never leaves the registers.
/// Without `subtractMaximum` a weight above 448 / 256 is NaN, as what is beyond e4m3. Throws InputError for what the
/// kernels cannot launch and for GPUs without 8-bit products, Cancelled.
HalfAttentionRun attentionInF8(KernelLibrary& library, const AttentionShape& shape, const float* q, const float* k,
                               const float* v, bool subtractMaximum = true, bool keepsScores = false,
                               const LaunchOptions& options = {});

/// Device memory that it takes without S; INT64_MAX when the size overflows.
int64_t deviceBytesInF8(const AttentionShape& shape);

/// What its loops ask memory for, copies and their scales included.
TensorTraffic algorithmicTrafficInF8(const AttentionShape& shape);

} // namespace warplight::gpu
