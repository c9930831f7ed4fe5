// C = A B, row-major: A [m, k], B [k, n], C [m, n].
//
//   matmul_naive  one thread an element, every operand from memory.
//   matmul_tiled  32 × 32 tiles in shared memory: an element that is loaded serves 32 results; four results a thread.
//   matmul_mma    f16 on tensor cores: 64 × 64 tiles, cp.async two tiles ahead, ldmatrix from swizzled shared memory.
#include "tensor_core.cuh"

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

/// m, n multiples of 64, k of 32. Four warps of 32 × 32 results.
extern "C" __global__ void __launch_bounds__(128) matmul_mma(const __half* a, const __half* b, float* c, int m, int n, int k) {
    constexpr int tile = 64, depth = 32;
    __shared__ __align__(128) unsigned char shared[2][2 * tile * depth * 2];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, rowOf = warp / 2 * 32, columnOf = warp % 2 * 32;
    const int firstRow = blockIdx.y * tile, firstColumn = blockIdx.x * tile;
    const auto fetch = [&](int buffer, int begin) { // A: 64 rows of 4 chunks; B: 32 rows of 8 chunks
        const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared[buffer]));
#pragma unroll
        for (int i = threadIdx.x; i < tile * depth / 8; i += 128) {
            copyAsync(to + Swizzle<depth>::at(i / 4, i % 4), a + (long long)(firstRow + i / 4) * k + begin + i % 4 * 8, true);
            copyAsync(to + tile * depth * 2 + Swizzle<tile>::at(i / 8, i % 8), b + (long long)(begin + i / 8) * n + firstColumn + i % 8 * 8, true);
        }
        commitCopies();
    };
    float sum[2][4][4] = {};
    fetch(0, 0);
    for (int begin = 0, buffer = 0; begin < k; begin += depth, buffer ^= 1) {
        if (begin + depth < k) {
            fetch(buffer ^ 1, begin + depth);
            waitCopies<1>();
        } else {
            waitCopies<0>();
        }
        __syncthreads();
        const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(shared[buffer]));
#pragma unroll
        for (int step = 0; step < depth / 16; ++step) {
            unsigned x[2][4];
#pragma unroll
            for (int i = 0; i < 2; ++i)
                loadMatrices(x[i], from + Swizzle<depth>::at(rowOf + 16 * i + lane % 16, step * 2 + lane / 16));
#pragma unroll
            for (int j = 0; j < 4; j += 2) {
                unsigned y[4];
                loadTransposed(y, from + tile * depth * 2 + Swizzle<tile>::at(step * 16 + lane % 16, columnOf / 8 + j + lane / 16));
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    multiplyAdd<__half>(sum[i][j], x[i], y[0], y[1]);
                    multiplyAdd<__half>(sum[i][j + 1], x[i], y[2], y[3]);
                }
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = firstRow + rowOf + 16 * i + lane / 4 + 8 * half, column = firstColumn + columnOf + 8 * j + lane % 4 * 2;
                *reinterpret_cast<float2*>(c + (long long)row * n + column) = make_float2(sum[i][j][2 * half], sum[i][j][2 * half + 1]);
            }
}
