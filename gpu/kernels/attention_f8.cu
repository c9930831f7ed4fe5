// mma-e4m3: attention in FlashAttention-2's order on tensor cores that multiply 8-bit numbers, sums in f32. Needs sm_89.
//
//   e4m3_rows, e4m3_columns   Q and K as they lie, V with its features as rows (four keys of a feature share a register),
//                             as e4m3: scaled so that the largest size of the tensor becomes 448. An infinity becomes the
//                             NaN of e4m3, which has none.
//   attention_e4m3_d…         S = Q Kᵀ in f32, softmax with running maximum in f32, weights as e4m3 times 256, O in f32.
//   attention_e4m3_watched_d… the same; S is written down, too, and the maximum may be kept: then a weight above 448 / 256 is
//                             a NaN, as what is beyond e4m3 is without saturation.
//
// Weights are at most 1. Times 256 is 8 more in the exponent of 2: it rounds nothing, costs nothing, and the row's sum has
// the same factor. 448 would reach 0.8 bits further down.
#include "attention_f8.cuh"

namespace {

/// A tensor's scale for a whole block, of which one thread reads the word.
__device__ float scaleOfBlock(const unsigned* amax) {
    __shared__ float scale;
    if (threadIdx.x == 0 && threadIdx.y == 0)
        scale = scaleOf(*amax);
    __syncthreads();
    return scale;
}

__device__ __forceinline__ float finiteOrNan(float x) { return fabsf(x) < CUDART_INF_F ? x : CUDART_NAN_F; }

extern __shared__ __align__(128) unsigned char dynamicShared[];

} // namespace

/// x [count, columns] to y [count, stride], four numbers of y a thread.
extern "C" __global__ void e4m3_rows(const float* x, unsigned* y, const unsigned* amax, long long count, int columns, int stride) {
    const float scale = scaleOfBlock(amax);
    const long long at = blockIdx.x * (long long)blockDim.x + threadIdx.x, row = at / (stride / 4);
    const int column = static_cast<int>(at % (stride / 4)) * 4;
    if (row >= count)
        return;
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
        four[i] = column + i < columns ? finiteOrNan(x[row * columns + column + i]) * scale : 0;
    y[at] = packBytes(four[0], four[1], four[2], four[3]);
}

/// x [heads, length, columns] to y [heads, features, stride]: a tile of 32 × 32 a block of 32 × 8 threads. What lies outside
/// x is zero.
extern "C" __global__ void e4m3_columns(const float* x, unsigned* y, const unsigned* amax, int length, int columns, int features, int stride) {
    constexpr int tile = 32;
    __shared__ float tiles[tile][tile + 1];
    const int firstKey = blockIdx.x * tile, firstFeature = blockIdx.y * tile, column = firstFeature + threadIdx.x;
    const float scale = scaleOfBlock(amax);
    const float* from = x + (long long)blockIdx.z * length * columns;
#pragma unroll
    for (int r = threadIdx.y; r < tile; r += 8)
        tiles[r][threadIdx.x] =
            firstKey + r < length && column < columns ? finiteOrNan(from[(long long)(firstKey + r) * columns + column]) * scale : 0;
    __syncthreads();
    const int thread = threadIdx.y * tile + threadIdx.x, feature = thread / 8, key = thread % 8 * 4; // four keys a thread
    if (firstFeature + feature < features && firstKey + key < stride)
        y[(((long long)blockIdx.z * features + firstFeature + feature) * stride + firstKey + key) / 4] =
            packBytes(tiles[key][feature], tiles[key + 1][feature], tiles[key + 2][feature], tiles[key + 3][feature]);
}

#define E4M3_KERNELS(D)                                                                                                                      \
    extern "C" __global__ void __launch_bounds__(threads) attention_e4m3_d##D(AttentionProblem<unsigned char> p, F8Options o) {              \
        attention<D, false>(p, o, dynamicShared);                                                                                           \
    }                                                                                                                                        \
    extern "C" __global__ void __launch_bounds__(threads) attention_e4m3_watched_d##D(AttentionProblem<unsigned char> p, F8Options o) {      \
        attention<D, true>(p, o, dynamicShared);                                                                                            \
    }
E4M3_KERNELS(32)
E4M3_KERNELS(64)
E4M3_KERNELS(128)
E4M3_KERNELS(256)
