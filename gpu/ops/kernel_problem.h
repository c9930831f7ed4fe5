// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

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

inline uint32_t ceilDiv(int64_t a, int64_t b) { return static_cast<uint32_t>((a + b - 1) / b); }

/// Head dimensions that the flash kernels are compiled for; smaller ones run padded, in shared memory only.
inline int64_t paddedDim(int64_t headDim) {
    return headDim <= 32 ? 32 : headDim <= 64 ? 64 : headDim <= 128 ? 128 : 256;
}

} // namespace warplight::gpu
