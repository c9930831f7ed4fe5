// C = A B of 8-bit numbers on tensor cores, C [m, n] in f32; m, n and k multiples of 64. Needs sm_89.
//
//   matmul_mma_e4m3, _e5m2  A [m, k] as it is, B [n, k] with its columns as rows: four neighbours of k share a register,
//                           in both. Their scales, which follow from the largest |x| of each, are taken off C.
#include "matmul_tile.cuh"
#include "scale_f8.cuh"
#include "tensor_core_f8.cuh"

namespace {

/// `amax`: the bits of the largest |x| of A and of B before they were scaled.
template <class Format>
__device__ void multiplyBytes(const unsigned char* a, const unsigned char* b, float* c, const unsigned* amax, int n, int k) {
    constexpr int tile = mmaTile, depth = 64, chunks = depth / 16, tileBytes = tile * depth;
    using Rows = Swizzle<depth / 2>; // of a row's bytes as 16-bit numbers
    __shared__ __align__(128) unsigned char shared[2][2 * tileBytes];
    __shared__ int exponents[2];
    if (threadIdx.x < 2)
        exponents[threadIdx.x] = scaleExponent<Format>(amax[threadIdx.x]); // seen behind the loop's barriers
    const WarpPlace at;
    const auto fetch = [&](int buffer, int begin) {
        const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared[buffer]));
#pragma unroll
        for (int i = threadIdx.x; i < tile * chunks; i += 128) {
            const int row = i / chunks, chunk = i % chunks;
            copyAsync(to + Rows::at(row, chunk), a + (long long)(at.firstRow + row) * k + begin + chunk * 16, true);
            copyAsync(to + tileBytes + Rows::at(row, chunk), b + (long long)(at.firstColumn + row) * k + begin + chunk * 16, true);
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
        for (int step = 0; step < depth / 32; ++step) {
            unsigned x[2][4];
#pragma unroll
            for (int i = 0; i < 2; ++i)
                loadMatrices(x[i], from + Rows::at(at.row + 16 * i + at.lane % 16, step * 2 + at.lane / 16));
#pragma unroll
            for (int j = 0; j < 4; j += 2) {
                unsigned y[4];
                loadMatrices(y, from + tileBytes + Rows::at(at.column + 8 * j + at.lane / 16 * 8 + at.lane % 8, step * 2 + at.lane / 8 % 2));
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    multiplyAddBytes<Format>(sum[i][j], x[i], y[0], y[1]);
                    multiplyAddBytes<Format>(sum[i][j + 1], x[i], y[2], y[3]);
                }
            }
        }
        __syncthreads();
    }
    // In two halves of one sign: neither leaves the range where the whole does not.
    const int exponent = -(exponents[0] + exponents[1]);
    const float half = powerOfTwo(exponent / 2), other = powerOfTwo(exponent - exponent / 2);
    storeSums(at, c, n, [&](int i, int j, int row) { return make_float2(sum[i][j][2 * row] * half * other, sum[i][j][2 * row + 1] * half * other); });
}

} // namespace

extern "C" __global__ void __launch_bounds__(128)
    matmul_mma_e4m3(const unsigned char* a, const unsigned char* b, float* c, const unsigned* amax, int m, int n, int k) {
    multiplyBytes<E4M3>(a, b, c, amax, n, k);
}
extern "C" __global__ void __launch_bounds__(128)
    matmul_mma_e5m2(const unsigned char* a, const unsigned char* b, float* c, const unsigned* amax, int m, int n, int k) {
    multiplyBytes<E5M2>(a, b, c, amax, n, k);
}
