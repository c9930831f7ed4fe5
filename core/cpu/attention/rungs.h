// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/cpu/attention/block_sparse.h"
#include "core/cpu/rounding.h"
#include "core/cpu/run.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace warplight::cpu {

/// Throws InputError for what attentionForward does not take.
void checkShape(const AttentionProblem& problem);

/// The rungs behind attentionForward; the problem has been checked.
AttentionCost referenceAttention(const AttentionProblem& problem, const Execution& execution);
AttentionCost standardAttention(const AttentionProblem& problem, const Execution& execution);
AttentionCost onlineAttention(const AttentionProblem& problem, const Execution& execution);
AttentionCost flashAttention(const AttentionProblem& problem, const Execution& execution);
AttentionCost flashPackedAttention(const AttentionProblem& problem, const Execution& execution);
AttentionCost flashBf16Attention(const AttentionProblem& problem, const Execution& execution);

/// The formula in double precision. `mask` null: all that the causal mask leaves is seen.
RunCost attentionByFormula(const AttentionProblem& problem, const RunOptions& options, const BlockMask* mask);

constexpr double ln2 = 0.69314718055994530942;
constexpr double log2e = 1.44269504088896340736;

/// One (batch, query head): where its tensors begin.
struct HeadView {
    const float *q, *k, *v;
    float *o, *lse; ///< lse may be null
};

inline int64_t headCount(const AttentionProblem& p) { return p.batch * p.queryHeads; }

/// Which of the batch * keyHeads key heads a query head reads (grouped-query attention).
inline int64_t keyHeadOf(const AttentionProblem& p, int64_t head) {
    return head / p.queryHeads * p.keyHeads + head % p.queryHeads / (p.queryHeads / p.keyHeads);
}

inline HeadView headView(const AttentionProblem& p, int64_t head) {
    const int64_t query = head * p.queryLen * p.headDim, key = keyHeadOf(p, head) * p.keyLen * p.headDim;
    return {p.q + query, p.k + key, p.v + key, p.o + query, p.lse ? p.lse + head * p.queryLen : nullptr};
}

/// Keys 0 .. visibleKeys-1 are seen by the query row: all, or up to the bottom-right diagonal.
inline int64_t visibleKeys(const AttentionProblem& p, int64_t row) {
    return p.causal ? std::clamp<int64_t>(row + 1 + p.keyLen - p.queryLen, 0, p.keyLen) : p.keyLen;
}

/// A row of blocks of a mask.
struct BlockRow {
    const uint8_t* visible; ///< a byte for each block of keys
    const int32_t* part;    ///< null: what is visible is whole
};

inline BlockRow blocksOf(const BlockMask& mask, const AttentionProblem& p, int64_t head, int64_t queryBlock) {
    const int64_t row = head % mask.heads * ceilDiv(p.queryLen, mask.blockSize) + queryBlock;
    const int64_t offset = row * ceilDiv(p.keyLen, mask.blockSize);
    return {mask.visible + offset, mask.part ? mask.part + offset : nullptr};
}

/// The bits of a row of a block: one for each of its keys.
inline const uint64_t* pairsOf(const BlockMask& mask, int64_t place, int64_t rowOfBlock) {
    return mask.bits + (place * mask.blockSize + rowOfBlock) * ceilDiv(mask.blockSize, 64);
}

/// Whether a mask leaves a pair, whose blocks are those of `row`, visible.
inline bool isVisible(const BlockMask& mask, const BlockRow& row, int64_t query, int64_t key) {
    const int64_t block = key / mask.blockSize, at = key % mask.blockSize;
    if (!row.visible[block])
        return false;
    if (!row.part || row.part[block] < 0)
        return true;
    return pairsOf(mask, row.part[block], query % mask.blockSize)[at / 64] >> (at % 64) & 1;
}

/// Writes a row of O and its log-sum-exp from what was gathered: output Σ 2^(score2 - max) · v and sum Σ 2^(score2 -
/// max) in units of log2.
inline void writeRow(const HeadView& head, int64_t headDim, int64_t row, const float* output, double max, double sum) {
    const float inverse = sum == 0 ? 0.0f : static_cast<float>(1 / sum);
    for (int64_t c = 0; c < headDim; ++c)
        head.o[row * headDim + c] = sum == 0 ? 0.0f : output[c] * inverse;
    if (head.lse)
        head.lse[row] =
            static_cast<float>(sum == 0 ? -std::numeric_limits<double>::infinity() : (max + std::log2(sum)) * ln2);
}

/// The partial sums of a row's lanes together.
inline double sumOfLanes(const float* sums, int64_t lanes) {
    double sum = 0;
    for (int64_t lane = 0; lane < lanes; ++lane)
        sum += static_cast<double>(sums[lane]);
    return sum;
}

} // namespace warplight::cpu
