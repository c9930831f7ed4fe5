// What the tensor core's matrix products have in common: a block of four warps makes 64 × 64 results, a warp 32 × 32.
#pragma once

constexpr int mmaTile = 64;

/// Where a thread's warp works in its block's tile.
struct WarpPlace {
    int lane = threadIdx.x % 32, row = threadIdx.x / 64 * 32, column = threadIdx.x / 32 % 2 * 32;
    int firstRow = blockIdx.y * mmaTile, firstColumn = blockIdx.x * mmaTile; ///< of the block
};

/// Writes a warp's 2 × 4 parts of 16 × 8 sums: `pair(i, j, half)` are the two neighbouring columns of rows g and g + 8
/// that a lane holds.
template <class Pair>
__device__ __forceinline__ void storeSums(const WarpPlace& at, float* c, int n, const Pair& pair) {
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = at.firstRow + at.row + 16 * i + at.lane / 4 + 8 * half,
                          column = at.firstColumn + at.column + 8 * j + at.lane % 4 * 2;
                *reinterpret_cast<float2*>(c + (long long)row * n + column) = pair(i, j, half);
            }
}
