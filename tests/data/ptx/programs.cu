// Compiled to programs.ptx by: nvcc -std=c++17 -arch=sm_80 -ptx programs.cu (comments with build numbers removed).
#include <cassert>
#include <cstdio>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" __global__ void softmaxRows(const float* x, float* y, int n) {
    __shared__ float part[32];
    const float* row = x + blockIdx.x * n;
    float most = -INFINITY;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        most = fmaxf(most, row[i]);
    for (int step = 16; step; step >>= 1)
        most = fmaxf(most, __shfl_xor_sync(~0u, most, step));
    if ((threadIdx.x & 31) == 0)
        part[threadIdx.x / 32] = most;
    __syncthreads();
    most = part[0];
    for (int i = 1; i < blockDim.x / 32; i++)
        most = fmaxf(most, part[i]);
    __syncthreads();
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += expf(row[i] - most);
    for (int step = 16; step; step >>= 1)
        sum += __shfl_xor_sync(~0u, sum, step);
    if ((threadIdx.x & 31) == 0)
        part[threadIdx.x / 32] = sum;
    __syncthreads();
    sum = 0;
    for (int i = 0; i < blockDim.x / 32; i++)
        sum += part[i];
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[blockIdx.x * n + i] = expf(row[i] - most) / sum;
}

extern "C" __global__ void collatz(int* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    int steps = 0;
    for (long long v = i + 1; v != 1; steps++)
        v = (v & 1) ? 3 * v + 1 : v / 2;
    out[i] = steps;
}

__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
extern "C" __global__ void fibonaccis(int* out) { out[threadIdx.x] = fibonacci(threadIdx.x & 7); }

__device__ __noinline__ int twice(int x) { return 2 * x; }
__device__ __noinline__ int square(int x) { return x * x; }
__device__ __noinline__ int negative(int x) { return -x; }
typedef int (*Function)(int);
__device__ Function functions[3] = {twice, square, negative};
extern "C" __global__ void indirectCalls(int* out) { out[threadIdx.x] = functions[threadIdx.x % 3](threadIdx.x); }

extern "C" __global__ void switchAndBreak(int* out) {
    const int t = threadIdx.x;
    int v;
    switch (t % 7) {
    case 0: v = t * 3; break;
    case 1: v = t + 100; break;
    case 2: v = t ^ 55; break;
    case 3: v = -t; break;
    case 4: v = t * t; break;
    case 5: v = 7; break;
    default: v = t << 2;
    }
    for (int i = 0; i < t % 5; i++) {
        v = v & 1 ? v * 3 + i : v / 2 - i;
        if (v > 1000)
            break;
    }
    out[t] = v;
}

extern "C" __global__ void mathematics(const float* x, const double* xd, float* o, double* od, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    const float a = x[i], size = fabsf(a);
    const float f[] = {sinf(a), cosf(a), logf(size), 1.0f / a, sqrtf(size), tanhf(a), powf(size, 1.3f), expf(a), rsqrtf(size), erff(a),
                       atan2f(a, 0.7f), cbrtf(a), log1pf(size), exp2f(a), fmodf(a, 0.3f)};
    for (int k = 0; k < 15; k++)
        o[k * n + i] = f[k];
    const double d = xd[i];
    const double g[] = {exp(d), sin(d), d / 3.0, sqrt(fabs(d)), log(fabs(d)), pow(fabs(d), 0.7), erf(d)};
    for (int k = 0; k < 7; k++)
        od[k * n + i] = g[k];
}

extern "C" __global__ void histogram(const int* x, int* bins, int n) {
    __shared__ int count[64];
    if (threadIdx.x < 64)
        count[threadIdx.x] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&count[x[i] & 63], 1);
    __syncthreads();
    if (threadIdx.x < 64)
        atomicAdd(&bins[threadIdx.x], count[threadIdx.x]);
}

extern "C" __global__ void sumInOrder(const float* x, float* sum, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        atomicAdd(sum, x[i]);
}

extern "C" __global__ void speaks(int n) {
    if (threadIdx.x == 5)
        printf("block %d says %d, %.3f, %s and %lld%%\n", blockIdx.x, n, n / 8.0, "text", 1234567890123ll);
}
extern "C" __global__ void asserts(int n) { assert(n < 10); }

extern "C" __global__ void lanes(int* out) {
    const int t = threadIdx.x;
    int* row = out + 16 * t;
    row[0] = __ballot_sync(~0u, t % 3 == 0);
    row[1] = __any_sync(~0u, t == 9);
    row[2] = __all_sync(~0u, t < 9);
    row[3] = __shfl_up_sync(~0u, t, 3);
    row[4] = __shfl_down_sync(~0u, t, 5, 16);
    row[5] = __shfl_sync(~0u, t, t * 7, 8);
    row[6] = __match_any_sync(~0u, t / 5);
    row[7] = __reduce_add_sync(~0u, t);
    row[8] = __reduce_min_sync(~0u, (int)(t - 7));
    row[9] = __popc(t) + __clz(t) + __ffs(t) + __brev(t);
    row[10] = __byte_perm(t * 0x01020304, 0x0a0b0c0d, 0x5140);
    row[11] = __dp4a(t * 0x01010101, 0x04030201, 5);
    row[12] = __funnelshift_l(t, 0x80000001u, 4);
    if (t & 1)
        row[13] = __activemask();
    else
        row[13] = 0;
    __half2 h = __hfma2(__float2half2_rn(t), __float2half2_rn(0.5f), __float2half2_rn(1.0f));
    row[14] = (int)(__low2float(h) * 2);
    row[15] = (int)__bfloat162float(__float2bfloat16(t * 1.004f));
}

struct Big {
    double x[5];
    int n;
};
extern "C" __global__ void structArgument(Big b, double* out) { out[threadIdx.x] = b.x[(threadIdx.x + b.n) % 5]; }

__constant__ int table[4] = {10, 20, 30, 40};
__device__ int counter = 7;
extern "C" __global__ void globals(int* out) {
    out[threadIdx.x] = table[threadIdx.x % 4] + counter;
    int local[8];
    for (int i = 0; i < 8; i++)
        local[i] = i * threadIdx.x;
    out[32 + threadIdx.x] = local[threadIdx.x % 8];
}

#include <cuda/barrier>
#include <mma.h>
#include <type_traits>

/// C = A B of 32 × 32 by four 16 × 16 fragments, once in f16 with f32 sums from global memory, once through shared memory.
extern "C" __global__ void fragments(const half* a, const half* b, float* c) {
    using namespace nvcuda;
    __shared__ half tile[16 * 24];
    const int row = threadIdx.x / 32 / 2 * 16, column = threadIdx.x / 32 % 2 * 16;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> x;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> y;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int k = 0; k < 32; k += 16) {
        wmma::load_matrix_sync(x, a + row * 32 + k, 32);
        __syncthreads();
        if (threadIdx.x < 16) // b by columns, with rows of 24
            for (int i = 0; i < 16; ++i)
                tile[threadIdx.x * 24 + i] = b[(k + i) * 32 + threadIdx.x];
        __syncthreads();
        if (column == 0)
            wmma::load_matrix_sync(y, tile, 24);
        else
            wmma::load_matrix_sync(y, b + 1024 + column * 32 + k, 32); // the same matrix, by columns, behind the first
        wmma::mma_sync(sum, x, y, sum);
    }
    for (int i = 0; i < sum.num_elements; ++i)
        sum.x[i] *= 2;
    wmma::store_matrix_sync(c + row * 32 + column, sum, 32, wmma::mem_row_major);
}

#pragma nv_diag_suppress static_var_with_dynamic_init
/// Producer and consumer halves of a block hand a buffer back and forth.
extern "C" __global__ void handOver(const int* in, int* out, int rounds) {
    __shared__ cuda::barrier<cuda::thread_scope_block> full, empty;
    __shared__ int buffer[64];
    if (threadIdx.x == 0) {
        init(&full, 128);
        init(&empty, 128);
    }
    __syncthreads();
    const int t = threadIdx.x % 64;
    int sum = 0;
    if (threadIdx.x < 64) {
        for (int i = 0; i < rounds; ++i) {
            if (i > 0)
                empty.arrive_and_wait();
            buffer[t] = in[i * 64 + t];
            (void)full.arrive();
        }
    } else {
        for (int i = 0; i < rounds; ++i) {
            if (i > 0)
                (void)empty.arrive();
            full.arrive_and_wait();
            sum += buffer[63 - t];
        }
        out[t] = sum;
    }
}
