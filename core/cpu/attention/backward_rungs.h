// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/backward.h"
#include "core/cpu/attention/rungs.h"
#include "core/cpu/run.h"

#include <cmath>
#include <cstdint>

namespace warplight::cpu {

/// The rungs behind attentionBackward; the problem has been checked and has at least one head.
RunCost referenceBackward(const BackwardProblem& problem, const RunOptions& options);
RunCost standardBackward(const BackwardProblem& problem, const RunOptions& options);
RunCost flash2Backward(const BackwardProblem& problem, const RunOptions& options);

/// Keys of a chunk of flash2Backward, in blocks: the keys of a head are cut where heads are few, depending on the
/// problem alone. Each chunk adds up a dQ of its own.
int64_t backwardChunks(const AttentionProblem& problem);

/// Where the gradients of a (batch, query head) and of the key head that it reads begin.
struct BackwardView {
    const float *dOut, *o, *lse;
    float* dq;
    int64_t keyHead;
};

inline BackwardView backwardView(const BackwardProblem& problem, int64_t head) {
    const AttentionProblem& p = problem.forward;
    const int64_t query = head * p.queryLen * p.headDim;
    return {problem.dOut + query, p.o + query, p.lse + head * p.queryLen, problem.dq + query, keyHeadOf(p, head)};
}

/// The first of the query heads that read a key head; the others follow.
inline int64_t firstReader(const AttentionProblem& p, int64_t keyHead) {
    return keyHead / p.keyHeads * p.queryHeads + keyHead % p.keyHeads * (p.queryHeads / p.keyHeads);
}

/// What a row's scores are taken against, in units of log2: its log-sum-exp, or 0 where all scores are -inf.
inline float shiftOf(float lse) {
    return std::isinf(lse) && lse < 0 ? 0.0f : static_cast<float>(static_cast<double>(lse) * log2e);
}

/// Query i of those from rowBegin on sees key j of those from keyBegin on when i >= firstSeeing + j.
inline int64_t firstSeeing(const AttentionProblem& p, int64_t rowBegin, int64_t keyBegin) {
    return p.causal ? keyBegin + p.queryLen - p.keyLen - rowBegin : -p.keyLen - 1;
}

} // namespace warplight::cpu
