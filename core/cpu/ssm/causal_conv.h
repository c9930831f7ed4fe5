// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

enum class ConvRung {
    Reference, ///< Plain in double precision, rounded once
    Plain,     ///< number by number
    Vectors    ///< steps in lanes
};
std::span<const RungInfo<ConvRung>> convRungs();

/// The depthwise causal convolution before Mamba's selective scan: each channel for itself, y_t = bias + Σ_k w_k
/// x_{t-width+1+k} with zeros before the first step, and silu of that where it is asked for.
struct ConvProblem {
    int64_t batch = 1, dim = 0, length = 0, width = 4;
    bool silu = false;
    const float* x = nullptr;    ///< [batch, dim, length]
    const float* w = nullptr;    ///< [dim, width]
    const float* bias = nullptr; ///< [dim]; null: none
    float* y = nullptr;          ///< as x; not x
};
constexpr int64_t widestConv = 16;

/// Throws InputError, one sentence, for shapes that there are none of.
void checkShape(const ConvProblem& problem);
/// What is no number reaches `width` steps of its channel. The same bits for any number of threads. Holds nothing.
/// Throws InputError, Cancelled.
RunCost causalConv(ConvRung rung, const ConvProblem& problem, const RunOptions& options = {});
/// 2 · width a step and channel, and 4 for silu (an exponential, a sum, a quotient, a product).
double flopsOf(const ConvProblem& problem);

} // namespace warplight::cpu
