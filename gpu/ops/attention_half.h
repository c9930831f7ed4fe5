// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/sums.h"
#include "gpu/ops/attention.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// Attention by three kernels with S and P in 16 bits (gpu/kernels/attention_half.cu).
struct HalfAttention {
    number::Format format = number::Format::F16; ///< of all tensors: f16, or bf16 with sums in f32
    number::Sums sums = number::Sums::Single;
    bool scaleFirst = false;     ///< Q is scaled before the product instead of the sum behind it
    bool subtractMaximum = true; ///< before the exponentials
};

struct HalfAttentionRun : AttentionRun {
    std::vector<float> s, p; ///< [heads, queryLen, keyLen] as they were stored, where they were asked for
};

/// Runs it on tensors as attentionForward takes them; `keepsScores`: S and P come back, too. Buffers are called Q, K,
/// V, S, P, O, lse. Throws InputError for what the kernels cannot launch, Cancelled.
HalfAttentionRun attentionInHalf(KernelLibrary& library, const HalfAttention& how, const AttentionShape& shape,
                                 const float* q, const float* k, const float* v, bool keepsScores = false,
                                 const LaunchOptions& options = {});

/// Device memory that it takes; INT64_MAX when the size overflows.
int64_t deviceBytes(const HalfAttention& how, const AttentionShape& shape);

} // namespace warplight::gpu
