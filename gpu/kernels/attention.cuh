// What all attention kernels share: the problem, and where a head's tensors lie in it.
//
// O = softmax(scale · Q Kᵀ + mask) V. Tensors are row-major and contiguous:
//   q, o [batch, queryHeads, queryLen, headDim]; k, v [batch, keyHeads, keyLen, headDim]; lse [batch, queryHeads, queryLen].
// Query head h reads key head h / (queryHeads / keyHeads). The causal mask is aligned bottom-right: query i sees key j
// when j <= i + keyLen - queryLen. A row that sees no key gives o = 0, lse = -inf.
//
// o and lse are NaN where IEEE arithmetic on what a row sees says so: fmaxf passes over a NaN, but its weight is NaN and so
// is the row's sum, which is asked whether it is 0, never whether it is above. What is behind the mask touches no row: its
// weight of 0 is not multiplied with a value that may be NaN. Scores of -inf are weights of 0, also where all are.
#pragma once

#include <math_constants.h>

template <class T>
struct AttentionProblem {
    const T* q;
    const T* k;
    const T* v;
    T* o;
    float* lse;
    int queryHeads, keyHeads, queryLen, keyLen, headDim;
    float scale;
    int causal;

    __device__ long long queryHead(int head) const { return (long long)head * queryLen * headDim; }
    __device__ long long keyHead(int head) const { // head = batch · queryHeads + query head
        const int batch = head / queryHeads, h = head % queryHeads;
        return (long long)(batch * keyHeads + h / (queryHeads / keyHeads)) * keyLen * headDim;
    }
    /// Keys that query `row` sees: 0 … visible - 1.
    __device__ int visible(int row) const {
        if (!causal)
            return keyLen;
        const int last = row + keyLen - queryLen + 1;
        return last < 0 ? 0 : last < keyLen ? last : keyLen;
    }
    /// The first query that sees `key`; queryLen or more: none does.
    __device__ int firstSeeing(int key) const {
        const int first = key + queryLen - keyLen;
        return causal && first > 0 ? first : 0;
    }
};

/// e^x by the GPU's own base-2 exponential: one multiplication and one MUFU instruction.
__device__ __forceinline__ float fastExp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
constexpr float log2e = 1.4426950408889634f, ln2 = 0.6931471805599453f;

/// What scores are taken against: their maximum, or 0 where all are -inf.
__device__ __forceinline__ float baseOf(float most) { return most == -CUDART_INF_F ? 0 : most; }

/// The largest, and the sum, over the lanes of a group of `width` consecutive lanes.
template <int width>
__device__ __forceinline__ float groupMax(float x) {
#pragma unroll
    for (int step = width / 2; step > 0; step /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
    return x;
}
template <int width>
__device__ __forceinline__ float groupSum(float x) {
#pragma unroll
    for (int step = width / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}
