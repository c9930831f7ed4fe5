// C = A B on tensor cores, row-major: A [m, k], B [k, n], C [m, n] in f32; m and n multiples of 64, k of 32
// (tf32: of 16).
//
//   matmul_mma, _bf16   f16 or bf16, sums in f32: cp.async two tiles ahead, ldmatrix from swizzled shared memory.
//   matmul_mma_f16      f16 with f16 sums: after each 16 of k they are rounded to f16, and twice as many fit the registers.
//   matmul_mma_tf32     f32, of which the tensor core takes 10 bits of fraction: rounded on the way to the registers.
#include "matmul_tile.cuh"
#include "tensor_core_formats.cuh"

namespace {

template <class T>
struct SumsInFloat {
    float sum[4] = {};
    __device__ void add(const unsigned (&a)[4], unsigned b0, unsigned b1) { multiplyAdd<T>(sum, a, b0, b1); }
    __device__ float2 pair(int half) const { return make_float2(sum[2 * half], sum[2 * half + 1]); }
};
struct SumsInHalf {
    unsigned sum[2] = {};
    __device__ void add(const unsigned (&a)[4], unsigned b0, unsigned b1) { multiplyAddInHalf(sum, a, b0, b1); }
    __device__ float2 pair(int half) const { return __half22float2(*reinterpret_cast<const __half2*>(&sum[half])); }
};

template <class T, class Sums>
__device__ void multiplyHalves(const T* a, const T* b, float* c, int n, int k) {
    constexpr int tile = mmaTile, depth = 32;
    __shared__ __align__(128) unsigned char shared[2][2 * tile * depth * 2];
    const WarpPlace at;
    const auto fetch = [&](int buffer, int begin) { // A: 64 rows of 4 chunks; B: 32 rows of 8 chunks
        const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared[buffer]));
#pragma unroll
        for (int i = threadIdx.x; i < tile * depth / 8; i += 128) {
            copyAsync(to + Swizzle<depth>::at(i / 4, i % 4), a + (long long)(at.firstRow + i / 4) * k + begin + i % 4 * 8, true);
            copyAsync(to + tile * depth * 2 + Swizzle<tile>::at(i / 8, i % 8), b + (long long)(begin + i / 8) * n + at.firstColumn + i % 8 * 8, true);
        }
        commitCopies();
    };
    Sums sum[2][4];
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
                loadMatrices(x[i], from + Swizzle<depth>::at(at.row + 16 * i + at.lane % 16, step * 2 + at.lane / 16));
#pragma unroll
            for (int j = 0; j < 4; j += 2) {
                unsigned y[4];
                loadTransposed(y, from + tile * depth * 2 + Swizzle<tile>::at(step * 16 + at.lane % 16, at.column / 8 + j + at.lane / 16));
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    sum[i][j].add(x[i], y[0], y[1]);
                    sum[i][j + 1].add(x[i], y[2], y[3]);
                }
            }
        }
        __syncthreads();
    }
    storeSums(at, c, n, [&](int i, int j, int half) { return sum[i][j].pair(half); });
}

} // namespace

extern "C" __global__ void __launch_bounds__(128) matmul_mma(const __half* a, const __half* b, float* c, int m, int n, int k) {
    multiplyHalves<__half, SumsInFloat<__half>>(a, b, c, n, k);
}
extern "C" __global__ void __launch_bounds__(128) matmul_mma_bf16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int m, int n, int k) {
    multiplyHalves<__nv_bfloat16, SumsInFloat<__nv_bfloat16>>(a, b, c, n, k);
}
extern "C" __global__ void __launch_bounds__(128) matmul_mma_f16(const __half* a, const __half* b, float* c, int m, int n, int k) {
    multiplyHalves<__half, SumsInHalf>(a, b, c, n, k);
}

/// ldmatrix transposes 16-bit numbers alone: B's fragments are read word by word, from rows eight words longer than a
/// tile so that the four rows of a fragment lie in different banks.
extern "C" __global__ void __launch_bounds__(128) matmul_mma_tf32(const float* a, const float* b, float* c, int m, int n, int k) {
    constexpr int tile = mmaTile, depth = 16, rowOfB = tile + 8;
    constexpr int chunksOfA = depth / 4, chunksOfB = tile / 4; // of 16 bytes
    __shared__ __align__(128) unsigned char as[2][tile * depth * 4];
    __shared__ __align__(128) float bs[2][depth][rowOfB];
    const WarpPlace at;
    const auto fetch = [&](int buffer, int begin) {
        const unsigned toA = static_cast<unsigned>(__cvta_generic_to_shared(as[buffer])),
                       toB = static_cast<unsigned>(__cvta_generic_to_shared(bs[buffer]));
#pragma unroll
        for (int i = threadIdx.x; i < tile * chunksOfA; i += 128) {
            const int row = i / chunksOfA, chunk = i % chunksOfA;
            copyAsync(toA + Swizzle<2 * depth>::at(row, chunk), a + (long long)(at.firstRow + row) * k + begin + chunk * 4, true);
        }
#pragma unroll
        for (int i = threadIdx.x; i < depth * chunksOfB; i += 128) {
            const int row = i / chunksOfB, chunk = i % chunksOfB;
            copyAsync(toB + (row * rowOfB + chunk * 4) * 4, b + (long long)(begin + row) * n + at.firstColumn + chunk * 4, true);
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
        const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(as[buffer]));
#pragma unroll
        for (int step = 0; step < depth / 8; ++step) {
            unsigned x[2][4];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                loadMatrices(x[i], from + Swizzle<2 * depth>::at(at.row + 16 * i + at.lane % 16, step * 2 + at.lane / 16));
#pragma unroll
                for (unsigned& word : x[i])
                    word = roundToTf32(__uint_as_float(word));
            }
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const float* y = &bs[buffer][step * 8 + at.lane % 4][at.column + 8 * j + at.lane / 4];
                const unsigned y0 = roundToTf32(y[0]), y1 = roundToTf32(y[4 * rowOfB]);
#pragma unroll
                for (int i = 0; i < 2; ++i)
                    multiplyAddTf32(sum[i][j], x[i], y0, y1);
            }
        }
        __syncthreads();
    }
    storeSums(at, c, n, [&](int i, int j, int half) { return make_float2(sum[i][j][2 * half], sum[i][j][2 * half + 1]); });
}
