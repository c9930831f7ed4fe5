// Softmax of rows, one block a row.
//
//   softmax_3pass   reads the row three times: maximum, sum, result.
//   softmax_online  reads it twice: maximum and sum come out of one pass (Milakov and Gimelshein, arXiv 1805.02867).
#include "attention.cuh"

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
        const float value = x[row + i], next = fmaxf(most, value);
        sum = sum * fastExp2((most - next) * log2e) + fastExp2((value - next) * log2e);
        most = next;
    }
    const float all = reduce.max(most);
    const float inverse = 1 / reduce.sum(most == -CUDART_INF_F ? 0 : sum * fastExp2((most - all) * log2e));
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[row + i] = fastExp2((x[row + i] - all) * log2e) * inverse;
}
