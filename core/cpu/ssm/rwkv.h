// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/cpu/ssm/recurrence.h"

#include <cstdint>

namespace warplight::cpu {

/// RWKV-4's weighted average of values (Peng et al. 2023), channel by channel: o_t = (p + e^(u + k_t) v_t) /
/// (q + e^(u + k_t)), then p = e^w p + e^k_t v_t and q = e^w q + e^k_t. p and q are kept relative to the largest
/// exponent so far, which begins at -1e38, so that nothing overflows.
struct Rwkv4Shape {
    int64_t batch = 1, length = 0, channels = 0;
};
struct Rwkv4Tensors {
    const float *k = nullptr, *v = nullptr; ///< [batch, length, channels]
    const float *w = nullptr, *u = nullptr; ///< [channels]: logarithm of the decay a step, and a bonus for the own step
    float* o = nullptr;                     ///< [batch, length, channels]
};

/// RWKV-6's state of K × V numbers a head (Peng et al. 2024): o_t = (S + diag(u) k_t v_tᵀ)ᵀ r_t, then
/// S = diag(e^w_t) S + k_t v_tᵀ.
struct Rwkv6Shape {
    int64_t batch = 1, length = 0, heads = 1;
    int64_t keyDim = 0, valueDim = 0; ///< K and V
    int64_t allHeads() const { return batch * heads; }
};
struct Rwkv6Tensors {
    const float *r = nullptr, *k = nullptr; ///< [batch, length, heads, keyDim]
    const float* v = nullptr;               ///< [batch, length, heads, valueDim]
    const float* w = nullptr;               ///< [batch, length, heads, keyDim], logarithms of the decays
    const float* u = nullptr;               ///< [heads, keyDim]
    float* o = nullptr;                     ///< [batch, length, heads, valueDim]
    float* last = nullptr; ///< S after the last step, [batch, heads, keyDim, valueDim]; null: not wanted
};
constexpr int64_t largestRwkvDim = 512; ///< of keyDim and valueDim

/// Throw InputError, one sentence, for shapes that there are none of.
void checkShape(const Rwkv4Shape& shape);
void checkShape(const Rwkv6Shape& shape);

/// Run one rung. What is no number stays in its channel or head and never reaches a step before it; where w is -inf,
/// nothing of the steps before is left. Results are bitwise the same for any number of threads. Throw InputError,
/// Cancelled, std::bad_alloc.
RunCost rwkv4(RecurrenceRung rung, const Rwkv4Shape& shape, const Rwkv4Tensors& tensors,
              const RunOptions& options = {});
RunCost rwkv6(RecurrenceRung rung, const Rwkv6Shape& shape, const Rwkv6Tensors& tensors,
              const RunOptions& options = {});

/// What RunCost::extraBytes will be at most.
int64_t extraBytesAtMost(RecurrenceRung rung, const Rwkv4Shape& shape, int threads = 0);
int64_t extraBytesAtMost(RecurrenceRung rung, const Rwkv6Shape& shape, int threads = 0);

/// Sums and products, an exponential counted as one: 18 a step and channel; 7 K V a step and head.
double flopsOf(const Rwkv4Shape& shape);
double flopsOf(const Rwkv6Shape& shape);

} // namespace warplight::cpu
