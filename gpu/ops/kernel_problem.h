// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention.h"

#include <cstdint>

namespace warplight::gpu {

/// AttentionProblem<T> of gpu/kernels/attention.cuh.
struct KernelProblem {
    uint64_t q, k, v, o, lse;
    int32_t queryHeads, keyHeads, queryLen, keyLen, headDim;
    float scale;
    int32_t causal, unused = 0;
};
static_assert(sizeof(KernelProblem) == 72);

/// `headDim`: of a row in memory, with what it is padded by.
inline KernelProblem kernelProblem(const AttentionShape& s, const AttentionAddresses& at, int64_t headDim) {
    const auto int32 = [](int64_t x) { return static_cast<int32_t>(x); };
    return {at.q,
            at.k,
            at.v,
            at.o,
            at.lse,
            int32(s.queryHeads),
            int32(s.keyHeads),
            int32(s.queryLen),
            int32(s.keyLen),
            int32(headDim),
            s.scale,
            s.causal};
}

inline int64_t wholeMultiple(int64_t length, int64_t of) { return (length + of - 1) / of * of; }
inline uint32_t ceilDiv(int64_t a, int64_t b) { return static_cast<uint32_t>((a + b - 1) / b); }

/// Head dimensions that the flash kernels are compiled for; smaller ones run padded, in shared memory only.
inline int64_t paddedDim(int64_t headDim) {
    return headDim <= 32 ? 32 : headDim <= 64 ? 64 : headDim <= 128 ? 128 : 256;
}

/// Keys of a tile of the rungs on tensor cores that load what they multiply: what two buffers of K and V leave room
/// for.
inline int64_t keysOfTile(AttentionRung rung, int64_t paddedDim) {
    return rung == AttentionRung::MmaTf32 ? 2048 / paddedDim : paddedDim <= 128 ? 64 : 32;
}

} // namespace warplight::gpu
