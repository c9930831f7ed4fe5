// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/sparse/low_rank.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace warplight::sparse {

/// The rungs behind lowRankForward; the problem has been checked and has queries and keys.
cpu::RunCost byFormulaInDouble(const LowRankProblem& problem, const cpu::RunOptions& options);
cpu::RunCost byFormulaInSingle(const LowRankProblem& problem, const cpu::RunOptions& options);
/// What these hold a thread, without pseudo-inverses.
int64_t formulaBytes(const LowRankProblem& problem, bool inDouble);
/// What a pseudo-inverse and its matrices hold.
int64_t pseudoInverseBytes(int64_t rank);

/// Means of `segments` of the rows of each head: [heads, rows, columns] to [heads, segments, columns]; sums are in f64.
std::vector<float> means(const float* rows, int64_t heads, int64_t count, int64_t columns, int64_t segments,
                         const cpu::RunOptions& options);
/// The first row of a segment of `count` rows.
constexpr int64_t segmentBegin(int64_t segment, int64_t segments, int64_t count) { return segment * count / segments; }

/// values = A⁺ landmarks for one head, A = softmax(scale · queries keysᵀ); all [rank, headDim].
void throughLandmarks(const LowRankProblem& problem, const float* queries, const float* keys, const float* landmarks,
                      float* values, const std::atomic<bool>* cancel);

inline int64_t keyHeadOf(const cpu::AttentionProblem& p, int64_t head) {
    return head / p.queryHeads * p.keyHeads + head % p.queryHeads / (p.queryHeads / p.keyHeads);
}

} // namespace warplight::sparse
