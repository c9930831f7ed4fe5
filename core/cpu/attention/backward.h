// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// The gradients of Σ dO ∘ O with respect to Q, K and V (Dao et al. 2022, appendix B):
///   dV = Pᵀ dO, dP = dO Vᵀ, dS = P ∘ (dP - D), D = rowsum(dO ∘ O), dQ = scale · dS K, dK = scale · dSᵀ Q.
struct BackwardProblem {
    AttentionProblem forward;    ///< its o and lse are inputs here, as the forward pass left them; lse is needed
    const float* dOut = nullptr; ///< like o
    float* dq = nullptr;         ///< like q
    float* dk = nullptr;         ///< like k
    float* dv = nullptr;         ///< like v
};

/// The rungs of the ladder, slowest first.
enum class BackwardRung { Reference, Standard, Flash2 };

/// "reference", "standard-bwd", "flash2-bwd", in ladder order. Valid for the whole life of the program.
std::span<const RungInfo<BackwardRung>> backwardRungs();

/// Runs one rung, for the shapes that attentionForward takes. Gradients of rows without keys and of keys that no row
/// sees are 0. A gradient is NaN where the chain rule on what a row sees gives NaN, and nowhere else: what is behind
/// the mask touches nothing. The result is bitwise the same for any number of threads. `reference` computes P anew in
/// double precision and reads neither o nor lse. Throws InputError for other shapes, std::bad_alloc when `standard-bwd`
/// cannot hold P, Cancelled.
RunCost attentionBackward(BackwardRung rung, const BackwardProblem& problem, const RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(BackwardRung rung, const AttentionProblem& problem, int threads = 0);

/// Useful floating-point operations: 10 · headDim for each visible (query, key) pair, for five products (10·N²·d per
/// head, about half of it when causal).
double usefulBackwardFlops(const AttentionProblem& problem);

} // namespace warplight::cpu
