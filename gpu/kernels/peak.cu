// How fast arithmetic can be: independent chains, enough of them to hide an instruction's latency, nothing else.
#include "tensor_core.cuh"

namespace {
constexpr int chains = 8, unrolled = 16;
}

/// 2 · 8 · 16 FLOP a thread and round.
extern "C" __global__ void fma_peak(float* out, float x, int rounds) {
    float sum[chains];
#pragma unroll
    for (int i = 0; i < chains; ++i)
        sum[i] = threadIdx.x + i;
    for (int round = 0; round < rounds; ++round)
#pragma unroll
        for (int step = 0; step < unrolled; ++step)
#pragma unroll
            for (int i = 0; i < chains; ++i)
                sum[i] = fmaf(sum[i], x, 1.0f);
    float all = 0;
#pragma unroll
    for (int i = 0; i < chains; ++i)
        all += sum[i];
    out[blockIdx.x * blockDim.x + threadIdx.x] = all;
}

/// 8 · 4 products of m16n8k16 a warp and round, 4,096 FLOP each.
extern "C" __global__ void mma_peak(float* out, unsigned x, int rounds) {
    float sum[chains][4] = {};
    const unsigned a[4] = {x, x, x, x};
    for (int round = 0; round < rounds; ++round)
#pragma unroll
        for (int step = 0; step < 4; ++step)
#pragma unroll
            for (int i = 0; i < chains; ++i)
                multiplyAdd<__half>(sum[i], a, x, x);
    float all = 0;
#pragma unroll
    for (int i = 0; i < chains; ++i)
        all += sum[i][0] + sum[i][1] + sum[i][2] + sum[i][3];
    out[blockIdx.x * blockDim.x + threadIdx.x] = all;
}
