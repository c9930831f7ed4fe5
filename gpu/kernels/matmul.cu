// C = A B, row-major: A [m, k], B [k, n], C [m, n]. What needs no tensor core; matmul_mma.cu has the rest.
//
//   matmul_naive  one thread an element, every operand from memory.
//   matmul_tiled  32 × 32 tiles in shared memory: an element that is loaded serves 32 results; four results a thread.
//   matmul_half2  f16 in, f16 sums: two neighbouring columns an instruction, tiles of 32 × 64, eight results a thread.
#include <cuda_fp16.h>

extern "C" __global__ void matmul_naive(const float* a, const float* b, float* c, int m, int n, int k) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= m || column >= n)
        return;
    float sum = 0;
    for (int i = 0; i < k; ++i)
        sum += a[(long long)row * k + i] * b[(long long)i * n + column];
    c[(long long)row * n + column] = sum;
}

extern "C" __global__ void matmul_tiled(const float* a, const float* b, float* c, int m, int n, int k) {
    constexpr int tile = 32, perThread = 4;
    __shared__ float as[tile][tile], bs[tile][tile];
    const int x = threadIdx.x, firstRow = blockIdx.y * tile, column = blockIdx.x * tile + x;
    float sum[perThread] = {};
    for (int begin = 0; begin < k; begin += tile) {
        for (int r = threadIdx.y; r < tile; r += blockDim.y) {
            as[r][x] = firstRow + r < m && begin + x < k ? a[(long long)(firstRow + r) * k + begin + x] : 0;
            bs[r][x] = begin + r < k && column < n ? b[(long long)(begin + r) * n + column] : 0;
        }
        __syncthreads();
        for (int i = 0; i < tile; ++i)
#pragma unroll
            for (int j = 0; j < perThread; ++j)
                sum[j] += as[threadIdx.y + 8 * j][i] * bs[i][x];
        __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < perThread; ++j)
        if (firstRow + threadIdx.y + 8 * j < m && column < n)
            c[(long long)(firstRow + threadIdx.y + 8 * j) * n + column] = sum[j];
}

/// Each step of a sum is one fused multiply-add in f16, k ascending: it rounds to f16 every time. An element of A lies
/// twice in shared memory, beside itself: so it meets both columns, and four come with one load.
extern "C" __global__ void matmul_half2(const __half* a, const __half* b, float* c, int m, int n, int k) {
    constexpr int tile = 32, wide = 2 * tile, perThread = 4, perLoad = 4;
    __shared__ __align__(16) __half2 as[tile][tile];
    __shared__ __align__(4) __half bs[tile][wide];
    const int x = threadIdx.x, firstRow = blockIdx.y * tile, firstColumn = blockIdx.x * wide;
    const __half zero = __ushort_as_half(0);
    __half2 sum[perThread];
#pragma unroll
    for (int j = 0; j < perThread; ++j)
        sum[j] = __half2half2(zero);
    for (int begin = 0; begin < k; begin += tile) {
        for (int r = threadIdx.y; r < tile; r += blockDim.y) {
            as[r][x] = __half2half2(firstRow + r < m && begin + x < k ? a[(long long)(firstRow + r) * k + begin + x] : zero);
#pragma unroll
            for (int side = x; side < wide; side += tile)
                bs[r][side] = begin + r < k && firstColumn + side < n ? b[(long long)(begin + r) * n + firstColumn + side] : zero;
        }
        __syncthreads();
#pragma unroll 2
        for (int i = 0; i < tile; i += perLoad) {
            __half2 right[perLoad];
#pragma unroll
            for (int s = 0; s < perLoad; ++s)
                right[s] = *reinterpret_cast<const __half2*>(&bs[i + s][2 * x]);
#pragma unroll
            for (int j = 0; j < perThread; ++j) {
                const uint4 word = *reinterpret_cast<const uint4*>(&as[threadIdx.y + 8 * j][i]);
                const unsigned left[perLoad] = {word.x, word.y, word.z, word.w};
#pragma unroll
                for (int s = 0; s < perLoad; ++s)
                    sum[j] = __hfma2(*reinterpret_cast<const __half2*>(&left[s]), right[s], sum[j]);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < perThread; ++j) {
        const int row = firstRow + threadIdx.y + 8 * j, column = firstColumn + 2 * x;
        float* to = c + (long long)row * n + column;
        if (row < m && column < n)
            to[0] = __low2float(sum[j]);
        if (row < m && column + 1 < n)
            to[1] = __high2float(sum[j]);
    }
}
