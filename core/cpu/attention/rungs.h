#pragma once

#include "core/cpu/attention/attention.h"

#include <algorithm>
#include <cstdint>

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

} // namespace warplight::cpu
