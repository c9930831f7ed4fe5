// Attention as a framework computes it that does not fuse: S = scale · Q Kᵀ, P = softmax(S), O = P V by three kernels, with
// Q, K, V, S, P and O in 16 bits. What differs is how products are added up, and two remedies against overflow:
//
//   half2_…            CUDA cores, sums in f16: each fused multiply-add is rounded.
//   …_f16_f16          tensor cores, sums in f16 from one mma instruction to the next.
//   …_f16_f32, …_bf16_f32   tensor cores, sums in f32.
//   scaleFirst         Q is scaled (and rounded) before the product instead of the sum behind it.
//   subtractMaximum    softmax(x) = softmax(x - max x): exponentials of at most 1.
//
// S and P have rows of `stride` numbers, keyLen rounded up to 16; headDim is a multiple of 16.
#include "attention.cuh"
#include "tensor_core.cuh"

namespace {

struct HalfOptions {
    int stride;
    int scaleFirst, subtractMaximum;
};

template <class T>
__device__ __forceinline__ float toFloat(T x);
template <>
__device__ __forceinline__ float toFloat<__half>(__half x) { return __half2float(x); }
template <>
__device__ __forceinline__ float toFloat<__nv_bfloat16>(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T>
__device__ __forceinline__ T rounded(float x);
template <>
__device__ __forceinline__ __half rounded<__half>(float x) { return __float2half_rn(x); }
template <>
__device__ __forceinline__ __nv_bfloat16 rounded<__nv_bfloat16>(float x) { return __float2bfloat16_rn(x); }

template <class T>
__device__ __forceinline__ float2 unpack(unsigned pair) {
    const T* x = reinterpret_cast<const T*>(&pair);
    return make_float2(toFloat(x[0]), toFloat(x[1]));
}

template <class Score, class T>
__device__ Score* rowOf(Score* scores, const AttentionProblem<T>& p, const HalfOptions& o, int head, int row) {
    return scores + ((long long)head * p.queryLen + row) * o.stride;
}

/// What is stored of a sum: 0 instead of the NaN that a row without any weight may have made of its values.
template <class T>
__device__ T outputOf(float sum, const AttentionProblem<T>& p, int head, int row) {
    return rounded<T>(isnan(sum) && p.lse[(long long)head * p.queryLen + row] == -CUDART_INF_F ? 0 : sum);
}

// ---- sums of a warp's 16 rows × 8 columns on tensor cores, lane = 4·g + t: columns 2t and 2t + 1 of rows g and g + 8

template <class T, bool half>
struct Sums;
template <class T>
struct Sums<T, false> {
    float c[4] = {};
    __device__ void add(const unsigned (&a)[4], unsigned b0, unsigned b1) { multiplyAdd<T>(c, a, b0, b1); }
    __device__ float at(int i) const { return c[i]; }
    __device__ void take(const Sums& other, int i) { c[i] = other.c[i]; }
};
template <>
struct Sums<__half, true> {
    unsigned c[2] = {};
    __device__ void add(const unsigned (&a)[4], unsigned b0, unsigned b1) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
                     : "+r"(c[0]), "+r"(c[1])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
    __device__ float at(int i) const {
        const float2 pair = unpack<__half>(c[i / 2]);
        return i % 2 ? pair.y : pair.x;
    }
    __device__ void take(const Sums& other, int i) { // both columns of row i / 2
        c[i / 2] = other.c[i / 2];
    }
};

constexpr int warps = 4, rowsPerWarp = 16, columnsPerWarp = 32;

/// Two neighbours at `column` of a row, or zeros outside the matrix.
template <class T>
__device__ __forceinline__ unsigned pairAt(const T* matrix, int row, int rows, long long stride, int column) {
    return row < rows ? *reinterpret_cast<const unsigned*>(matrix + row * stride + column) : 0;
}

/// Rows g and g + 8 of 16 columns from `begin` on.
template <class T>
__device__ __forceinline__ void loadRows(unsigned (&a)[4], const T* matrix, int first, int rows, long long stride, int begin) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < 4; ++i)
        a[i] = pairAt(matrix, first + g + i % 2 * 8, rows, stride, begin + 2 * t + i / 2 * 8);
}

template <class T, bool halfSums>
__device__ void mmaScores(const AttentionProblem<T>& p, T* s, const HalfOptions& o) {
    const int head = blockIdx.z, warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int firstRow = (blockIdx.y * warps + warp) * rowsPerWarp, firstKey = blockIdx.x * columnsPerWarp;
    const T *q = p.q + p.queryHead(head), *k = p.k + p.keyHead(head);
    if (firstRow >= p.queryLen)
        return;
    Sums<T, halfSums> sums[columnsPerWarp / 8];
    for (int begin = 0; begin < p.headDim; begin += 16) {
        unsigned a[4];
        loadRows(a, q, firstRow, p.queryLen, p.headDim, begin);
        if (o.scaleFirst)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float2 x = unpack<T>(a[i]);
                a[i] = pack<T>(x.x * p.scale, x.y * p.scale);
            }
#pragma unroll
        for (int n = 0; n < columnsPerWarp / 8; ++n) {
            const int key = firstKey + 8 * n + g;
            sums[n].add(a, pairAt(k, key, p.keyLen, p.headDim, begin + 2 * t), pairAt(k, key, p.keyLen, p.headDim, begin + 2 * t + 8));
        }
    }
#pragma unroll
    for (int n = 0; n < columnsPerWarp / 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int row = firstRow + g + i / 2 * 8, key = firstKey + 8 * n + 2 * t + i % 2;
            if (row < p.queryLen && key < p.keyLen)
                rowOf(s, p, o, head, row)[key] =
                    rounded<T>(key >= p.visible(row) ? -CUDART_INF_F : o.scaleFirst ? sums[n].at(i) : sums[n].at(i) * p.scale);
        }
}

/// O of 16 rows × 32 features a warp. Products of a row end with the last key that it sees.
template <class T, bool halfSums>
__device__ void mmaOutput(const AttentionProblem<T>& p, const T* weights, const HalfOptions& o) {
    const int head = blockIdx.z, warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int firstRow = (blockIdx.y * warps + warp) * rowsPerWarp, firstColumn = blockIdx.x * columnsPerWarp;
    const unsigned short* v = reinterpret_cast<const unsigned short*>(p.v + p.keyHead(head)) + firstColumn + g;
    if (firstRow >= p.queryLen)
        return;
    const int lastRow = min(firstRow + rowsPerWarp, p.queryLen) - 1, end = p.visible(lastRow), seenByAll = p.visible(firstRow);
    Sums<T, halfSums> sums[columnsPerWarp / 8];
    for (int begin = 0; begin < end; begin += 16) {
        unsigned a[4];
        loadRows(a, rowOf(weights, p, o, head, 0), firstRow, p.queryLen, o.stride, begin);
        // A product has no mask: where some row does not see all keys, a weight of 0 times a NaN would reach it. Then each row
        // has a product of its own, with zeros behind its last key.
        const bool rowByRow = begin + 16 > seenByAll;
#pragma unroll
        for (int n = 0; n < columnsPerWarp / 8; ++n) {
            if (firstColumn + 8 * n >= p.headDim)
                break;
            unsigned short b[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int key = begin + 2 * t + i % 2 + i / 2 * 8;
                b[i] = key < end ? v[(long long)key * p.headDim + 8 * n] : 0;
            }
            if (!rowByRow) {
                sums[n].add(a, b[0] | b[1] << 16, b[2] | b[3] << 16);
                continue;
            }
#pragma unroll 1
            for (int own = 0; own < rowsPerWarp; ++own) {
                const int seen = firstRow + own <= lastRow ? p.visible(firstRow + own) - begin - 2 * t : 0;
                Sums<T, halfSums> row = sums[n];
                row.add(a, (seen > 0 ? b[0] : 0) | (seen > 1 ? b[1] : 0) << 16, (seen > 8 ? b[2] : 0) | (seen > 9 ? b[3] : 0) << 16);
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    if (g + i / 2 * 8 == own)
                        sums[n].take(row, i);
            }
        }
    }
#pragma unroll
    for (int n = 0; n < columnsPerWarp / 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int row = firstRow + g + i / 2 * 8, column = firstColumn + 8 * n + 2 * t + i % 2;
            if (row < p.queryLen && column < p.headDim)
                p.o[p.queryHead(head) + (long long)row * p.headDim + column] = outputOf(sums[n].at(i), p, head, row);
        }
}

/// One warp a row: lanes take keys in turn, their sums meet by halves.
template <class T, bool halfSums>
__device__ void softmax(const AttentionProblem<T>& p, const T* scores, T* weights, const HalfOptions& o) {
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y;
    if (row >= p.queryLen)
        return;
    const T* s = rowOf(scores, p, o, head, row);
    T* weight = rowOf(weights, p, o, head, row);
    float base = 0;
    if (o.subtractMaximum) {
        float most = -CUDART_INF_F;
        for (int j = lane; j < p.keyLen; j += 32)
            most = fmaxf(most, toFloat(s[j]));
        base = baseOf(groupMax<32>(most));
    }
    float sum = 0;
    for (int j = lane; j < p.keyLen; j += 32) {
        sum += toFloat(rounded<T>(expf(toFloat(s[j]) - base)));
        if (halfSums)
            sum = toFloat(rounded<T>(sum));
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (halfSums)
            sum = toFloat(rounded<T>(sum));
    }
    for (int j = lane; j < o.stride; j += 32)
        weight[j] = rounded<T>(j < p.keyLen && sum != 0 ? toFloat(rounded<T>(expf(toFloat(s[j]) - base))) / sum : 0);
    if (lane == 0)
        p.lse[(long long)head * p.queryLen + row] = base + logf(sum);
}

} // namespace

#define TENSOR_CORE_KERNELS(NAME, T, HALF)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(32 * warps) stored_scores_##NAME(AttentionProblem<T> p, T* s, HalfOptions o) {                 \
        mmaScores<T, HALF>(p, s, o);                                                                                                            \
    }                                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(128) stored_softmax_##NAME(AttentionProblem<T> p, const T* s, T* weights, HalfOptions o) {     \
        softmax<T, HALF>(p, s, weights, o);                                                                                                     \
    }                                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(32 * warps) stored_output_##NAME(AttentionProblem<T> p, const T* weights, HalfOptions o) {     \
        mmaOutput<T, HALF>(p, weights, o);                                                                                                      \
    }
TENSOR_CORE_KERNELS(f16_f16, __half, true)
TENSOR_CORE_KERNELS(f16_f32, __half, false)
TENSOR_CORE_KERNELS(bf16_f32, __nv_bfloat16, false)

// ---- CUDA cores: two keys, or two features, a thread

/// 32 rows × 64 keys a block of 32 × 8 threads; tiles of 32 features.
extern "C" __global__ void __launch_bounds__(256) half2_scores(AttentionProblem<__half> p, __half* s, HalfOptions o) {
    constexpr int tile = 32, rowsPerThread = 4;
    __shared__ __half q[tile][tile + 2];
    __shared__ __half2 k[tile][tile + 1]; // [feature][pair of keys]
    const int head = blockIdx.z, x = threadIdx.x, firstRow = blockIdx.y * tile, firstKey = blockIdx.x * 2 * tile;
    const __half *qHead = p.q + p.queryHead(head), *kHead = p.k + p.keyHead(head), zero = __float2half_rn(0);
    __half2 sum[rowsPerThread];
#pragma unroll
    for (int i = 0; i < rowsPerThread; ++i)
        sum[i] = __half2half2(zero);
    for (int begin = 0; begin < p.headDim; begin += tile) {
        const bool inside = begin + x < p.headDim;
        for (int r = threadIdx.y; r < tile; r += blockDim.y) {
            const __half element = inside && firstRow + r < p.queryLen ? qHead[(long long)(firstRow + r) * p.headDim + begin + x] : zero;
            q[r][x] = o.scaleFirst ? __float2half_rn(__half2float(element) * p.scale) : element;
        }
        for (int r = threadIdx.y; r < 2 * tile; r += blockDim.y)
            reinterpret_cast<__half*>(&k[x][r / 2])[r % 2] =
                inside && firstKey + r < p.keyLen ? kHead[(long long)(firstKey + r) * p.headDim + begin + x] : zero;
        __syncthreads();
        const int features = min(tile, p.headDim - begin);
        for (int c = 0; c < features; ++c)
#pragma unroll
            for (int i = 0; i < rowsPerThread; ++i)
                sum[i] = __hfma2(__half2half2(q[threadIdx.y + 8 * i][c]), k[c][x], sum[i]);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < rowsPerThread; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = firstRow + threadIdx.y + 8 * i, key = firstKey + 2 * x + half;
            if (row >= p.queryLen || key >= p.keyLen)
                continue;
            const float score = __half2float(half ? __high2half(sum[i]) : __low2half(sum[i]));
            rowOf(s, p, o, head, row)[key] = __float2half_rn(key >= p.visible(row) ? -CUDART_INF_F : o.scaleFirst ? score : score * p.scale);
        }
}

/// A row of a warp, 64 features; 8 rows a block.
extern "C" __global__ void __launch_bounds__(256) half2_output(AttentionProblem<__half> p, const __half* weights, HalfOptions o) {
    const int head = blockIdx.z, row = blockIdx.y * blockDim.y + threadIdx.y, column = (blockIdx.x * 32 + threadIdx.x) * 2;
    if (row >= p.queryLen || column >= p.headDim)
        return;
    const __half *weight = rowOf(weights, p, o, head, row), *v = p.v + p.keyHead(head) + column;
    const int seen = p.visible(row);
    __half2 sum = __half2half2(__float2half_rn(0));
    for (int j = 0; j < seen; ++j)
        sum = __hfma2(__half2half2(weight[j]), *reinterpret_cast<const __half2*>(v + (long long)j * p.headDim), sum);
    __half* to = p.o + p.queryHead(head) + (long long)row * p.headDim + column;
    to[0] = outputOf(__low2float(sum), p, head, row);
    to[1] = outputOf(__high2float(sum), p, head, row);
}
