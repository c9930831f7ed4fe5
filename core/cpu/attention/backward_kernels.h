// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Building blocks of the backward rungs beside those of kernels.h, compiled once per instruction set.
struct BackwardKernels {
    /// Σ a[i] · b[i].
    float (*dot)(const float* a, const float* b, int64_t count);
    /// s[j] becomes the weight 2^(s[j] · scale2 - lse2); count a multiple of `lanes`.
    void (*weights)(float* s, int64_t count, float scale2, float lse2);
    /// dp[j] becomes the gradient of the score p[j] · (dp[j] - d); count a multiple of `lanes`.
    void (*scoreGradients)(const float* p, float* dp, int64_t count, float d);
    /// out [keys, columns] += pᵀ x with p [queries, keys] and x [queries, columns]; columns a multiple of `lanes`. Key
    /// j is seen by queries firstSeeing + j and later ones only (causal); -keys or less = all.
    void (*accumulateTransposed)(const float* p, int64_t pStride, int64_t queries, int64_t keys, int64_t firstSeeing,
                                 const float* x, int64_t xStride, float* out, int64_t outStride, int64_t columns);
};

/// The best for this machine, or what useTarget() chose.
const BackwardKernels& backwardKernels();

} // namespace warplight::cpu
