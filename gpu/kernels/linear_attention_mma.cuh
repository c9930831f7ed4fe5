// What the two kernels of linear attention on tensor cores have in common: tiles of 64 16-bit numbers a row in swizzled
// shared memory, features and decays put into them, and the products of a warp.
#pragma once

#include "attention_mma.cuh"
#include "linear_attention.cuh"

namespace {

constexpr int tileColumns = 64, tileBytes = 64 * tileColumns * 2; ///< of 64 rows

__device__ __forceinline__ float2 unpack(unsigned pair, __half) { return __half22float2(*reinterpret_cast<const __half2*>(&pair)); }
__device__ __forceinline__ float2 unpack(unsigned pair, __nv_bfloat16) { return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&pair)); }

/// Columns [column, column + 64) of `count` rows of `width` numbers, a multiple of 8, to a tile of `size` rows; zeros outside.
template <class T>
__device__ void copyTile(unsigned to, const T* from, int size, int count, int column, int width) {
#pragma unroll 4
    for (int i = threadIdx.x; i < size * 8; i += threads) {
        const int row = i / 8, chunk = i % 8;
        const bool valid = row < count && column + chunk * 8 < width;
        copyAsync(to + Swizzle<tileColumns>::at(row, chunk), valid ? from + (long long)row * width + column + chunk * 8 : from, valid);
    }
}

/// Puts features in the place of numbers, each row times its factor if there are any; zeros from row `count` and number
/// `left` on.
template <class T>
__device__ void mapTile(unsigned char* tile, int size, int count, int left, const LinearProblem<T>& p, const float* factors) {
    if (p.map == Identity && p.root == 1 && !factors)
        return;
#pragma unroll 1
    for (int i = threadIdx.x; i < size * 32; i += threads) { // a warp a row, two numbers a lane
        const int row = i / 32, column = i % 32 * 2;
        unsigned& pair = *reinterpret_cast<unsigned*>(tile + Swizzle<tileColumns>::at(row, column / 8) + column % 8 * 2);
        const float2 x = unpack(pair, T());
        const float factor = factors ? factors[row] : 1;
        const float low = row < count && column < left ? mapped(p.map, p.root * x.x) * factor : 0;
        const float high = row < count && column + 1 < left ? mapped(p.map, p.root * x.y) * factor : 0;
        pair = pack<T>(low, high);
    }
}

/// Products of the gates of 32 steps, a lane each: of those behind this one, and of all.
__device__ __forceinline__ float productBehind(float gate, float& all) {
    const int lane = threadIdx.x % 32;
    float product = gate; // from this lane on
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const float other = __shfl_down_sync(0xffffffffu, product, step);
        product *= lane + step < 32 ? other : 1;
    }
    all = __shfl_sync(0xffffffffu, product, 0);
    const float behind = __shfl_down_sync(0xffffffffu, product, 1);
    return lane < 31 ? behind : 1;
}

/// sum[16×64] += a[16×16] · rows of a tile that begin at `row`.
template <class T>
__device__ __forceinline__ void addRows(float (&sum)[8][4], const unsigned (&a)[4], unsigned tile, int row) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
        unsigned b[4];
        loadTransposed(b, tile + Swizzle<tileColumns>::at(row + lane % 16, n + lane / 16));
        multiplyAdd<T>(sum[n], a, b[0], b[1]);
        multiplyAdd<T>(sum[n + 1], a, b[2], b[3]);
    }
}

/// A warp's 16 × 64 sums, rounded, to rows of memory of `width` numbers by way of its own 16 rows of `tile`.
template <class T>
__device__ void storeRows(const float (&sum)[8][4], const float (&divisor)[2], unsigned char* tile, T* to, int count, int column, int width) {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, first = threadIdx.x / 32 * 16;
    __syncwarp();
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int n = 0; n < 8; ++n)
            *reinterpret_cast<unsigned*>(tile + Swizzle<tileColumns>::at(first + g + 8 * half, n) + 4 * t) =
                pack<T>(sum[n][2 * half] / divisor[half], sum[n][2 * half + 1] / divisor[half]);
    __syncwarp();
#pragma unroll
    for (int i = lane; i < 16 * 8; i += 32) {
        const int row = first + i / 8, chunk = i % 8;
        if (row < count && column + chunk * 8 < width)
            *reinterpret_cast<uint4*>(to + (long long)row * width + column + chunk * 8) = *reinterpret_cast<const uint4*>(tile + Swizzle<tileColumns>::at(row, chunk));
    }
}

} // namespace
