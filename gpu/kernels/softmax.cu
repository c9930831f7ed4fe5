// Softmax of rows, one block a row.
//
//   softmax_3pass   reads the row three times: maximum, sum, result.
//   softmax_online  reads it twice: maximum and sum come out of one pass (Milakov and Gimelshein, arXiv 1805.02867).
//   softmax_nomax   reads it twice and takes no maximum off: what is above 88.7 overflows.
//   softmax_attention_f32, _f16, _bf16
//                   the same between attention's two products where a library computes these: f32 scores, which come
//                   scaled, become probabilities in the number format of the second product. Keys that a row does not see
//                   are not read and get 0.
#include "attention.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

constexpr int mostWarps = 32;

/// The same for all threads of a block.
struct BlockReduce {
    float part[mostWarps];
    template <class Warp>
    __device__ float all(float x, float start, Warp warp) {
        x = warp(x);
        __syncthreads();
        if (threadIdx.x % 32 == 0)
            part[threadIdx.x / 32] = x;
        __syncthreads();
        return warp(threadIdx.x % 32 < blockDim.x / 32 ? part[threadIdx.x % 32] : start);
    }
    __device__ float max(float x) {
        return all(x, -CUDART_INF_F, [](float y) { return groupMax<32>(y); });
    }
    __device__ float sum(float x) {
        return all(x, 0, [](float y) { return groupSum<32>(y); });
    }
};

} // namespace

extern "C" __global__ void softmax_3pass(const float* x, float* y, int n) {
    __shared__ BlockReduce reduce;
    const long long row = (long long)blockIdx.x * n;
    float most = -CUDART_INF_F;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        most = fmaxf(most, x[row + i]);
    most = reduce.max(most);
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += fastExp2((x[row + i] - most) * log2e);
    const float inverse = 1 / reduce.sum(sum);
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[row + i] = fastExp2((x[row + i] - most) * log2e) * inverse;
}

extern "C" __global__ void softmax_online(const float* x, float* y, int n) {
    __shared__ BlockReduce reduce;
    const long long row = (long long)blockIdx.x * n;
    float most = -CUDART_INF_F, sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        const float value = x[row + i], next = fmaxf(most, value), base = baseOf(next);
        sum = sum * fastExp2((most - base) * log2e) + fastExp2((value - base) * log2e);
        most = next;
    }
    const float all = reduce.max(most);
    const float inverse = 1 / reduce.sum(sum * fastExp2((most - baseOf(all)) * log2e));
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[row + i] = fastExp2((x[row + i] - all) * log2e) * inverse;
}

extern "C" __global__ void softmax_nomax(const float* x, float* y, int n) {
    __shared__ BlockReduce reduce;
    const long long row = (long long)blockIdx.x * n;
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += fastExp2(x[row + i] * log2e);
    const float inverse = 1 / reduce.sum(sum);
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[row + i] = fastExp2(x[row + i] * log2e) * inverse;
}

// ---- attention: s, p [heads, queryLen, keyLen], lse [heads, queryLen]; a block for each (query, head)

namespace {

template <class T>
__device__ T rounded(float x);
template <>
__device__ float rounded<float>(float x) {
    return x;
}
template <>
__device__ __half rounded<__half>(float x) {
    return __float2half_rn(x);
}
template <>
__device__ __nv_bfloat16 rounded<__nv_bfloat16>(float x) {
    return __float2bfloat16_rn(x);
}

template <class T>
__device__ void attentionRow(const float* s, T* p, float* lse, int queryLen, int keyLen, int causal) {
    __shared__ BlockReduce reduce;
    AttentionProblem<T> problem{};
    problem.queryLen = queryLen, problem.keyLen = keyLen, problem.causal = causal;
    const int visible = problem.visible(blockIdx.x);
    const long long row = (long long)blockIdx.y * queryLen + blockIdx.x;
    s += row * keyLen;
    p += row * keyLen;
    float most = -CUDART_INF_F, sum = 0;
    for (int i = threadIdx.x; i < visible; i += blockDim.x) {
        const float value = s[i], next = fmaxf(most, value), base = baseOf(next);
        sum = sum * fastExp2((most - base) * log2e) + fastExp2((value - base) * log2e);
        most = next;
    }
    const float all = baseOf(reduce.max(most));
    sum = reduce.sum(sum * fastExp2((most - all) * log2e));
    const float inverse = sum == 0 ? 0 : 1 / sum;
    for (int i = threadIdx.x; i < keyLen; i += blockDim.x)
        p[i] = rounded<T>(i < visible ? fastExp2((s[i] - all) * log2e) * inverse : 0);
    if (threadIdx.x == 0)
        lse[row] = sum == 0 ? -CUDART_INF_F : all + logf(sum);
}

} // namespace

extern "C" __global__ void softmax_attention_f32(const float* s, float* p, float* lse, int queryLen, int keyLen, int causal) {
    attentionRow(s, p, lse, queryLen, keyLen, causal);
}
extern "C" __global__ void softmax_attention_f16(const float* s, __half* p, float* lse, int queryLen, int keyLen, int causal) {
    attentionRow(s, p, lse, queryLen, keyLen, causal);
}
extern "C" __global__ void softmax_attention_bf16(const float* s, __nv_bfloat16* p, float* lse, int queryLen, int keyLen, int causal) {
    attentionRow(s, p, lse, queryLen, keyLen, causal);
}
