// Feature maps that look at a whole row of queries or keys, or at all keys of a head: their features are written to memory,
// and what follows takes them as they are (Identity). Sums are f32 whatever the format.
//
//   linear_features_rows     cos, taylor2, and softmax of queries over their features: a warp a row
//   linear_features_columns  softmax of keys over positions: 32 columns of a head a block
//   linear_features_favor    e^(ω·x - |x|²/2 - shift)/√m: 16 rows a block, which goes through ω once for all of them
#include "attention.cuh"
#include "linear_attention.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

constexpr float largestFinite = 3.402823466e38f; ///< of f32; NVRTC has no <cfloat>

/// Rows of `headDim` numbers, `dim` of them in use, become rows of `width`, of which those from `features` on are 0.
template <class T>
struct FeatureProblem {
    const T* from;
    T* to;
    long long rows; ///< of a head, or of all heads
    int headDim, dim, features, width, map;
    float root;
};

namespace {

constexpr int mostDim = 512, warps = 4, favorRows = 16;

__device__ __forceinline__ float number(float x) { return x; }
__device__ __forceinline__ float number(__half x) { return __half2float(x); }
__device__ __forceinline__ float number(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void store(float* to, float x) { *to = x; }
__device__ __forceinline__ void store(__half* to, float x) { *to = __float2half_rn(x); }
__device__ __forceinline__ void store(__nv_bfloat16* to, float x) { *to = __float2bfloat16_rn(x); }

template <class T>
__device__ void mapRows(const FeatureProblem<T>& p) {
    __shared__ float shared[warps][mostDim];
    const long long row = (long long)blockIdx.x * warps + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (row >= p.rows)
        return;
    float *x = shared[threadIdx.x / 32], squares = 0, most = -CUDART_INF_F, sum = 0;
    for (int i = lane; i < p.dim; i += 32) {
        x[i] = number(p.from[row * p.headDim + i]) * p.root;
        squares += x[i] * x[i];
        most = fmaxf(most, x[i]);
    }
    const float length = sqrtf(groupSum<32>(squares));
    most = groupMax<32>(most);
    for (int i = lane; p.map == Softmax && i < p.dim; i += 32) {
        x[i] = expf(x[i] - most);
        sum += x[i];
    }
    sum = groupSum<32>(sum);
    __syncwarp();
    for (int i = lane; i < p.width; i += 32) {
        float y = 0;
        if (p.map == Softmax)
            y = i < p.features ? x[i] / sum : 0;
        else if (i == 0)
            y = 1;
        else if (i <= p.dim)
            y = p.map == Cos ? x[i - 1] / length : x[i - 1];
        else if (i < p.features)
            y = x[(i - 1 - p.dim) / p.dim] * x[(i - 1 - p.dim) % p.dim] * 0.70710678f;
        store(p.to + row * p.width + i, y);
    }
}

/// blockDim (32, 8): threads of a column take every eighth position.
template <class T>
__device__ void softmaxColumns(const FeatureProblem<T>& p) {
    __shared__ float most[8][32], sum[8][32];
    const int column = blockIdx.x * 32 + threadIdx.x;
    const T* from = p.from + blockIdx.y * p.rows * p.headDim + column;
    float base = -CUDART_INF_F, total = 0;
    for (long long row = threadIdx.y; column < p.dim && row < p.rows; row += 8) {
        const float x = number(from[row * p.headDim]) * p.root, next = fmaxf(base, x);
        total = total * expf(base - next) + expf(x - next);
        base = next;
    }
    most[threadIdx.y][threadIdx.x] = base;
    sum[threadIdx.y][threadIdx.x] = total;
    __syncthreads();
    for (int i = 0; i < 8; ++i)
        base = fmaxf(base, most[i][threadIdx.x]);
    total = 0;
    for (int i = 0; i < 8; ++i)
        total += sum[i][threadIdx.x] == 0 ? 0 : sum[i][threadIdx.x] * expf(most[i][threadIdx.x] - base);
    for (long long row = threadIdx.y; column < p.width && row < p.rows; row += 8)
        store(p.to + (blockIdx.y * p.rows + row) * p.width + column, column < p.dim ? expf(number(from[row * p.headDim]) * p.root - base) / total : 0);
}

enum class Shift { None, OfRow, Find, Given };

/// `omega` [dim, features]. Find: writes no features but the block's largest finite exponent to `shift` [heads, blocks];
/// Given: `shift` [heads].
template <class T, Shift kind>
__device__ void favor(const FeatureProblem<T>& p, const float* omega, float* shift) {
    __shared__ float x[favorRows][mostDim], off[favorRows], largest[warps][favorRows];
    const int head = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const long long first = (long long)blockIdx.x * favorRows;
    const int count = p.rows - first < favorRows ? (int)(p.rows - first) : favorRows;
    for (int r = warp; r < favorRows; r += warps) {
        float squares = 0;
        for (int i = lane; i < p.dim; i += 32) {
            x[r][i] = r < count ? number(p.from[(head * p.rows + first + r) * p.headDim + i]) * p.root : 0;
            squares += x[r][i] * x[r][i];
        }
        squares = groupSum<32>(squares);
        if (lane == 0)
            off[r] = squares / 2;
    }
    __syncthreads();
    const auto exponents = [&](int feature, float(&e)[favorRows]) {
#pragma unroll
        for (int r = 0; r < favorRows; ++r)
            e[r] = 0;
        for (int i = 0; i < p.dim; ++i) {
            const float w = omega[(long long)i * p.features + feature];
#pragma unroll
            for (int r = 0; r < favorRows; ++r)
                e[r] += w * x[r][i];
        }
#pragma unroll
        for (int r = 0; r < favorRows; ++r)
            e[r] -= off[r];
    };
    if (kind == Shift::OfRow || kind == Shift::Find) {
        float e[favorRows], most[favorRows];
#pragma unroll
        for (int r = 0; r < favorRows; ++r)
            most[r] = -largestFinite;
        for (int feature = threadIdx.x; feature < p.features; feature += 32 * warps) {
            exponents(feature, e);
#pragma unroll
            for (int r = 0; r < favorRows; ++r)
                most[r] = r < count && fabsf(e[r]) <= largestFinite ? fmaxf(most[r], e[r]) : most[r];
        }
#pragma unroll
        for (int r = 0; r < favorRows; ++r) {
            most[r] = groupMax<32>(most[r]);
            if (lane == 0)
                largest[warp][r] = most[r];
        }
        __syncthreads();
        if (threadIdx.x < favorRows) {
            float own = largest[0][threadIdx.x];
            for (int i = 1; i < warps; ++i)
                own = fmaxf(own, largest[i][threadIdx.x]);
            largest[0][threadIdx.x] = own;
        }
        __syncthreads();
        if (kind == Shift::Find) {
            if (threadIdx.x == 0) {
                float own = largest[0][0];
                for (int r = 1; r < favorRows; ++r)
                    own = fmaxf(own, largest[0][r]);
                shift[(long long)head * gridDim.x + blockIdx.x] = own;
            }
            return;
        }
    }
    if (kind == Shift::Given) {
        if (threadIdx.x == 0)
            largest[0][0] = shift[head];
        __syncthreads();
    }
    const float factor = 1 / sqrtf((float)p.features);
    for (int feature = threadIdx.x; feature < p.width; feature += 32 * warps) {
        float e[favorRows];
        if (feature < p.features)
            exponents(feature, e);
#pragma unroll
        for (int r = 0; r < favorRows; ++r) {
            const float most = kind == Shift::None ? 0 : largest[0][kind == Shift::Given ? 0 : r];
            if (r < count)
                store(p.to + (head * p.rows + first + r) * p.width + feature,
                      feature < p.features ? expf(e[r] - (most == -largestFinite ? 0 : most)) * factor : 0);
        }
    }
}

} // namespace

/// to[head] = the largest of `count` numbers of each head; one block of 32 threads a head.
extern "C" __global__ void linear_features_largest(const float* from, float* to, int count) {
    float most = -largestFinite;
    for (int i = threadIdx.x; i < count; i += 32)
        most = fmaxf(most, from[(long long)blockIdx.x * count + i]);
    most = groupMax<32>(most);
    if (threadIdx.x == 0)
        to[blockIdx.x] = most;
}

// Grids: rows (⌈rows/4⌉), 128 threads; columns (⌈width/32⌉, heads), 32 × 8 threads; favor (⌈rows/16⌉, heads), 128 threads.
#define FEATURE_KERNELS(name, T)                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(128) linear_features_rows_##name(FeatureProblem<T> p) { mapRows(p); }                                 \
    extern "C" __global__ void __launch_bounds__(256) linear_features_columns_##name(FeatureProblem<T> p) { softmaxColumns(p); }                       \
    extern "C" __global__ void __launch_bounds__(128) linear_features_favor_plain_##name(FeatureProblem<T> p, const float* omega, float* shift) {      \
        favor<T, Shift::None>(p, omega, shift);                                                                                                        \
    }                                                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(128) linear_features_favor_of_row_##name(FeatureProblem<T> p, const float* omega, float* shift) {     \
        favor<T, Shift::OfRow>(p, omega, shift);                                                                                                       \
    }                                                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(128) linear_features_favor_find_##name(FeatureProblem<T> p, const float* omega, float* shift) {       \
        favor<T, Shift::Find>(p, omega, shift);                                                                                                        \
    }                                                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(128) linear_features_favor_given_##name(FeatureProblem<T> p, const float* omega, float* shift) {      \
        favor<T, Shift::Given>(p, omega, shift);                                                                                                       \
    }
FEATURE_KERNELS(f32, float)
FEATURE_KERNELS(f16, __half)
FEATURE_KERNELS(bf16, __nv_bfloat16)
