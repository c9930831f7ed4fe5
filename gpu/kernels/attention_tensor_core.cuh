// What the flash kernels on tensor cores have in common: four warps of sixteen rows each, and the online softmax of
// scores that lie as mma leaves its sums. lane = 4·g + t holds columns 2t and 2t + 1 of rows g and g + 8 of each 16 × 8.
#pragma once

#include "attention.cuh"

namespace {

constexpr int warps = 4, rows = 16 * warps, threads = 32 * warps;

/// Takes the next tile of keys into a thread's two rows: their largest score so far (`most`) and the sum of their
/// exponentials (`sum`, of this thread's keys; the four of a row are added at the end), and scales `o`, the outputs so
/// far. Scores become weights. `Powers` says in which unit scores are:
///   bool subtract()            whether the largest score is taken off
///   float base(float most)     what scores are taken against
///   float rescale(float most, float base), weight(float score, float base)
template <int keyTiles, int columnTiles, class Powers>
__device__ __forceinline__ void onlineSoftmax(float (&s)[keyTiles][4], float (&o)[columnTiles][4], float (&most)[2], float (&sum)[2],
                                              const Powers& powers) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float next = most[half];
        if (powers.subtract()) {
            float tileMost = -CUDART_INF_F;
#pragma unroll
            for (int n = 0; n < keyTiles; ++n)
                tileMost = fmaxf(tileMost, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
            next = fmaxf(next, groupMax<4>(tileMost));
        }
        const float base = powers.base(next), rescale = powers.rescale(most[half], base);
        most[half] = next;
        float tileSum = 0;
#pragma unroll
        for (int n = 0; n < keyTiles; ++n)
#pragma unroll
            for (int i = 2 * half; i < 2 * half + 2; ++i) {
                s[n][i] = powers.weight(s[n][i], base);
                tileSum += s[n][i];
            }
        sum[half] = __fmaf_rn(sum[half], rescale, tileSum);
#pragma unroll
        for (int n = 0; n < columnTiles; ++n) {
            o[n][2 * half] *= rescale;
            o[n][2 * half + 1] *= rescale;
        }
    }
}

/// Exponentials of scores that are still to be scaled: `scale2` is the scale times log2 e.
struct ScaledPowers {
    float scale2;
    __device__ static constexpr bool subtract() { return true; }
    __device__ float base(float most) const { return baseOf(most) * scale2; }
    __device__ float rescale(float most, float base) const { return fastExp2(most * scale2 - base); }
    __device__ float weight(float score, float base) const { return fastExp2(score * scale2 - base); }
};

} // namespace
