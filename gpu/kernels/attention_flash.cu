// Attention without S in memory, in f32 on the ordinary cores.
//
//   fused-2pass  a block holds 32 rows of Q. First pass over K: the row's maximum and sum, online (Milakov and
//                Gimelshein, arXiv 1805.02867). Second pass over K and V: the weights are final, O adds up. S is computed
//                twice, K read twice.
//   flash1       FlashAttention's order (arXiv 2205.14135, algorithm 1): outer loop over K and V, inner over Q. K and V
//                are read once, but O and the statistics go to memory and back for every tile of keys.
//   flash2       FlashAttention-2's order (arXiv 2307.08691): outer over Q, so O and the statistics stay in registers
//                until they are final.
//   flash-decode one query, keys split over blocks; a second kernel merges the parts by their log-sum-exp.
//
// Tiles of 32 queries and 32 keys; attention_tiles.cu has others.
#include "attention_flash.cuh"

// One kernel a padded head dimension: 32, 64, 128, 256. Dynamic shared memory: sizeof(FlashShared<D, 32, 32>).
#define FLASH_KERNELS(D)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(32 * lanesPerRow) fused_2pass_d##D(AttentionProblem<float> p) {               \
        fusedTwoPass(p, *reinterpret_cast<FlashShared<D, 32, 32>*>(dynamicShared));                                            \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(32 * lanesPerRow) flash1_d##D(AttentionProblem<float> p, float* m, float* l) {\
        flash1(p, m, l, *reinterpret_cast<FlashShared<D, 32, 32>*>(dynamicShared));                                            \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(32 * lanesPerRow) flash2_d##D(AttentionProblem<float> p) {                    \
        flash2(p, *reinterpret_cast<FlashShared<D, 32, 32>*>(dynamicShared));                                                  \
    }
FLASH_KERNELS(32)
FLASH_KERNELS(64)
FLASH_KERNELS(128)
FLASH_KERNELS(256)

// ---- flash-decode

/// Block (split, row of all heads): the part of the output from keys split · perSplit on, unnormalised, with its
/// statistics. A warp takes every fourth key; lanes share the head dimension. partO [rows, splits, headDim].
extern "C" __global__ void __launch_bounds__(128) flash_decode_split(AttentionProblem<float> p, float* partO, float* partMost, float* partSum, int perSplit) {
    constexpr int warps = 4, columns = 8; // headDim <= 256
    __shared__ float most[warps], sum[warps], out[warps][256];
    const int split = blockIdx.x, row = blockIdx.y % p.queryLen, head = blockIdx.y / p.queryLen;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const float* q = p.q + p.queryHead(head) + (long long)row * p.headDim;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int begin = split * perSplit, visible = p.visible(row), end = begin + perSplit < visible ? begin + perSplit : visible;
    float x[columns], o[columns] = {}, m = -CUDART_INF_F, l = 0;
#pragma unroll
    for (int c = 0; c < columns; ++c)
        x[c] = c * 32 + lane < p.headDim ? q[c * 32 + lane] * (p.scale * log2e) : 0;
    for (int j = begin + warp; j < end; j += warps) {
        float dot = 0;
#pragma unroll
        for (int c = 0; c < columns; ++c)
            if (c * 32 + lane < p.headDim)
                dot += x[c] * k[(long long)j * p.headDim + c * 32 + lane];
        const float s = groupSum<32>(dot), next = fmaxf(m, s), base = baseOf(next), rescale = fastExp2(m - base), weight = fastExp2(s - base);
        l = l * rescale + weight;
        m = next;
#pragma unroll
        for (int c = 0; c < columns; ++c)
            if (c * 32 + lane < p.headDim)
                o[c] = o[c] * rescale + weight * v[(long long)j * p.headDim + c * 32 + lane];
    }
    if (lane == 0) {
        most[warp] = m;
        sum[warp] = l;
    }
#pragma unroll
    for (int c = 0; c < columns; ++c)
        out[warp][c * 32 + lane] = o[c];
    __syncthreads();
    float all = -CUDART_INF_F, total = 0;
    for (int w = 0; w < warps; ++w)
        all = fmaxf(all, most[w]);
    const float base = baseOf(all);
    for (int w = 0; w < warps; ++w)
        total += sum[w] * fastExp2(most[w] - base);
    const long long at = (long long)blockIdx.y * gridDim.x + split;
    for (int c = threadIdx.x; c < p.headDim; c += blockDim.x) {
        float merged = 0;
        for (int w = 0; w < warps; ++w)
            merged += out[w][c] * fastExp2(most[w] - base);
        partO[at * p.headDim + c] = merged;
    }
    if (threadIdx.x == 0) {
        partMost[at] = all;
        partSum[at] = total;
    }
}

/// One block a row: merges the splits.
extern "C" __global__ void __launch_bounds__(128) flash_decode_combine(AttentionProblem<float> p, const float* partO, const float* partMost, const float* partSum, int splits) {
    const long long row = blockIdx.x;
    float most = -CUDART_INF_F, sum = 0;
    for (int i = 0; i < splits; ++i)
        most = fmaxf(most, partMost[row * splits + i]);
    const float base = baseOf(most);
    for (int i = 0; i < splits; ++i)
        sum += partSum[row * splits + i] * fastExp2(partMost[row * splits + i] - base);
    for (int c = threadIdx.x; c < p.headDim; c += blockDim.x) {
        float o = 0;
        for (int i = 0; i < splits; ++i)
            o += partO[(row * splits + i) * p.headDim + c] * fastExp2(partMost[row * splits + i] - base);
        p.o[row * p.headDim + c] = sum == 0 ? 0 : o / sum;
    }
    if (threadIdx.x == 0)
        p.lse[row] = sum == 0 ? -CUDART_INF_F : base * ln2 + logf(sum);
}
