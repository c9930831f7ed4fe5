// The product of mma-e4m3 (attention_f8.cu), and how its tensors are scaled.
//
// A block of four warps holds 64 rows of Q, sixteen a warp; K and V come in tiles of 64 keys by cp.async into one of two
// buffers. Scores and weights stay in registers.
#pragma once

#include "attention_tensor_core.cuh"
#include "scale_f8.cuh"
#include "tensor_core_f8.cuh"

namespace {

constexpr int keys = 64;
constexpr float weightExponent = 8; // of 256

struct F8Options {
    const unsigned* amax; // the bits of the largest sizes of Q, K and V
    float* s;             // [heads, queryLen, keyLen], of watched kernels
    int outDim;           // features of O; p.headDim: bytes of a row of Q and K, whole chunks of 16
    int keyStride;        // bytes of a row of V, whole chunks of 16
    int subtractMaximum;  // of watched kernels
};

/// What a tensor is multiplied by so that its largest size becomes 448; at most 2^126, so that 1 over it is a normal number.
__device__ float scaleOf(unsigned amax) { return amax == 0 ? 1 : fminf(448 / __uint_as_float(amax), 0x1p126f); }

/// Four numbers in a register, the first one in the lowest byte.
__device__ __forceinline__ unsigned packBytes(float a, float b, float c, float d) {
    return E4M3::saturated(a, b) | static_cast<unsigned>(E4M3::saturated(c, d)) << 16;
}

/// Factors that take the tensors' scales back: of a score with the problem's own, of an output.
struct Factors {
    float score, output;
};
__device__ Factors factorsOf(const unsigned* amax, float scale) {
    const double score = scale / (static_cast<double>(scaleOf(amax[0])) * static_cast<double>(scaleOf(amax[1])));
    constexpr double most = 3.4028234663852886e38; // 0 stays 0
    return {static_cast<float>(fmax(-most, fmin(score, most))), 1 / scaleOf(amax[2])};
}

/// Rows [first, first + count) of `bytes` to shared memory at `to`, `width` bytes each; zeros outside. Of keys' rows, eight of
/// each sixteen are exchanged: the accumulator of Q Kᵀ has columns 2t, 2t + 1 of a tile where the first operand of P V has
/// columns 4t … 4t + 3, so that those four keys are put into columns 2t, 2t + 1 of two tiles.
template <int width, int count, bool exchanged>
__device__ void loadTile(unsigned to, const unsigned char* from, int first, int length, long long stride, int begin, int bytes) {
    constexpr int chunks = width / 16;
#pragma unroll
    for (int i = threadIdx.x; i < count * chunks; i += threads) {
        const int row = i / chunks, chunk = i % chunks;
        const int place = exchanged ? row & ~15 | (row & 2) << 2 | row >> 1 & 6 | row & 1 : row;
        const bool valid = first + row < length && begin + chunk * 16 < bytes;
        copyAsync(to + Swizzle<width / 2>::at(place, chunk), valid ? from + (first + row) * stride + begin + chunk * 16 : from, valid);
    }
}

/// Whether a tile of bytes holds a NaN. Every warp looks at all of it.
template <int size>
__device__ bool anyNan(const unsigned char* tile) {
    unsigned carry = 0; // one more than a NaN without its sign is the sign
#pragma unroll 2
    for (int i = threadIdx.x % 32; i < size / 16; i += 32) {
        const uint4 x = reinterpret_cast<const uint4*>(tile)[i];
        carry |= ((x.x & 0x7f7f7f7f) + 0x01010101) | ((x.y & 0x7f7f7f7f) + 0x01010101) | ((x.z & 0x7f7f7f7f) + 0x01010101) |
                 ((x.w & 0x7f7f7f7f) + 0x01010101);
    }
    return __any_sync(0xffffffffu, (carry & 0x80808080) != 0);
}

/// Of four neighbouring keys, the values of those before `seen`.
__device__ __forceinline__ unsigned seenOf(unsigned four, int key, int seen) {
    const int count = min(max(seen - key, 0), 4);
    return count == 4 ? four : four & (1u << 8 * count) - 1;
}

/// Exponentials of scores, times 256. Without the maximum they are taken against 0.
struct WeightPowers {
    bool subtracts;
    __device__ bool subtract() const { return subtracts; }
    __device__ static float base(float most) { return baseOf(most); }
    __device__ static float rescale(float most, float base) { return fastExp2((most - base) * log2e); }
    __device__ static float weight(float score, float base) { return fastExp2(__fmaf_rn(score - base, log2e, weightExponent)); }
};

/// A weight as it is cast: NaN where it would not round to 448 or less.
template <bool watched>
__device__ __forceinline__ float weightOf(float x) { return watched && x > 464 ? CUDART_NAN_F : x; }

template <int D, bool watched>
__device__ void attention(const AttentionProblem<unsigned char>& p, const F8Options& o, unsigned char* shared) {
    constexpr int keyTiles = keys / 8, steps = D / 32, columnTiles = D / 8;
    constexpr unsigned qBytes = rows * D, kvBytes = keys * D;
    constexpr bool keepQ = D <= 64; // in registers for the whole loop
    using Feature = Swizzle<D / 2>;  // rows of features, as 16-bit numbers
    using Key = Swizzle<keys / 2>;   // rows of keys
    __shared__ Factors factors;
    if (threadIdx.x == 0)
        factors = factorsOf(o.amax, p.scale); // seen behind the loop's barriers
    const int head = blockIdx.y, first = blockIdx.x * rows, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int g = lane / 4, t = lane % 4, row = first + warp * 16 + g; // this thread's rows: row and row + 8
    const unsigned q = static_cast<unsigned>(__cvta_generic_to_shared(shared)), kv = q + qBytes;
    AttentionProblem<unsigned char> ofV = p;
    ofV.keyLen = o.keyStride;
    const unsigned char *kHead = p.k + p.keyHead(head), *vHead = p.v + ofV.keyHead(head);

    const int end = p.visible(min(first + rows, p.queryLen) - 1);
    const int visible[2] = {row < p.queryLen ? p.visible(row) : 0, row + 8 < p.queryLen ? p.visible(row + 8) : 0};
    const int seenByAll = p.visible(first); // keys before this one need no mask
    const auto fetch = [&](unsigned to, int begin) {
        loadTile<D, keys, true>(to, kHead, begin, p.keyLen, p.headDim, 0, p.headDim);
        loadTile<keys, D, false>(to + kvBytes, vHead, 0, p.headDim, o.keyStride, begin, o.keyStride);
    };
    loadTile<D, rows, false>(q, p.q + p.queryHead(head), first, p.queryLen, p.headDim, 0, p.headDim);
    if (end > 0)
        fetch(kv, 0);
    commitCopies();

    // Which row and chunk of an x4 load this lane points at.
    const int aRow = warp * 16 + lane % 16, aChunk = lane / 16, bRow = lane / 16 * 8 + lane % 8, bChunk = lane / 8 % 2;
    const bool subtract = !watched || o.subtractMaximum;
    const float firstMost = subtract ? -CUDART_INF_F : 0;
    unsigned qFragment[keepQ ? steps : 1][4];
    float out[columnTiles][4] = {}, most[2] = {firstMost, firstMost}, sum[2] = {};
    for (int begin = 0, buffer = 0; begin < end; begin += keys, buffer ^= 1) {
        const unsigned k = kv + buffer * 2 * kvBytes, v = k + kvBytes;
        if (begin + keys < end) {
            fetch(kv + (buffer ^ 1) * 2 * kvBytes, begin + keys);
            commitCopies();
            waitCopies<1>();
        } else {
            waitCopies<0>();
        }
        __syncthreads();
        if (keepQ && begin == 0)
#pragma unroll
            for (int step = 0; step < steps; ++step)
                loadMatrices(qFragment[keepQ ? step : 0], q + Feature::at(aRow, step * 2 + aChunk));

        float s[keyTiles][4] = {}; // of tile n key 16 · (n / 2) + 4t + n % 2 · 2 + i % 2
#pragma unroll
        for (int step = 0; step < steps; ++step) {
            if (!keepQ)
                loadMatrices(qFragment[0], q + Feature::at(aRow, step * 2 + aChunk));
#pragma unroll
            for (int n = 0; n < keyTiles; n += 2) {
                unsigned b[4];
                loadMatrices(b, k + Feature::at(n * 8 + bRow, step * 2 + bChunk));
                multiplyAddBytes<E4M3>(s[n], qFragment[keepQ ? step : 0], b[0], b[1]);
                multiplyAddBytes<E4M3>(s[n + 1], qFragment[keepQ ? step : 0], b[2], b[3]);
            }
        }
        const bool masked = begin + keys > seenByAll;
        const float scoreFactor = factors.score;
#pragma unroll
        for (int n = 0; n < keyTiles; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int key = begin + n / 2 * 16 + 4 * t + n % 2 * 2 + i % 2;
                s[n][i] = masked && key >= visible[i / 2] ? -CUDART_INF_F : __fmul_rn(s[n][i], scoreFactor);
                if (watched && key < p.keyLen && row + i / 2 * 8 < p.queryLen)
                    o.s[((long long)head * p.queryLen + row + i / 2 * 8) * p.keyLen + key] = s[n][i];
            }

        onlineSoftmax(s, out, most, sum, WeightPowers{subtract});
        unsigned weights[2][keyTiles / 2];
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int n = 0; n < keyTiles; n += 2)
                weights[half][n / 2] = packBytes(weightOf<watched>(s[n][2 * half]), weightOf<watched>(s[n][2 * half + 1]),
                                                 weightOf<watched>(s[n + 1][2 * half]), weightOf<watched>(s[n + 1][2 * half + 1]));

        // A product of tiles has no mask: where some row does not see all keys, a weight of 0 times a NaN would reach it. Then
        // each of the warp's rows has a product of its own, with nothing behind its mask.
        const bool rowByRow = masked && anyNan<keys * D>(shared + (v - q));
#pragma unroll 1
        for (int own = 0; rowByRow && own < 16; ++own) {
            const int ownRow = first + warp * 16 + own, seen = (ownRow < p.queryLen ? p.visible(ownRow) : 0) - begin;
            // The same in all lanes, but told by one: addresses of all the loads, kept over the rows, would cost registers.
            const unsigned values = __shfl_sync(0xffffffffu, v, own);
#pragma unroll
            for (int step = 0; step < keys / 32; ++step) {
                const unsigned a[4] = {weights[0][2 * step], weights[1][2 * step], weights[0][2 * step + 1], weights[1][2 * step + 1]};
#pragma unroll
                for (int n = 0; n < columnTiles; n += 2) {
                    unsigned b[4];
                    loadMatrices(b, values + Key::at(n * 8 + bRow, step * 2 + bChunk));
#pragma unroll
                    for (int i = 0; i < 4; ++i)
                        b[i] = seenOf(b[i], step * 32 + i % 2 * 16 + 4 * t, seen);
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        float c[4] = {out[n + i][0], out[n + i][1], out[n + i][2], out[n + i][3]};
                        multiplyAddBytes<E4M3>(c, a, b[2 * i], b[2 * i + 1]);
#pragma unroll
                        for (int e = 0; e < 4; ++e)
                            out[n + i][e] = g + e / 2 * 8 == own ? c[e] : out[n + i][e];
                    }
                }
            }
        }
#pragma unroll
        for (int step = 0; step < keys / 32 && !rowByRow; ++step) {
            const unsigned a[4] = {weights[0][2 * step], weights[1][2 * step], weights[0][2 * step + 1], weights[1][2 * step + 1]};
#pragma unroll
            for (int n = 0; n < columnTiles; n += 2) {
                unsigned b[4];
                loadMatrices(b, v + Key::at(n * 8 + bRow, step * 2 + bChunk));
                multiplyAddBytes<E4M3>(out[n], a, b[0], b[1]);
                multiplyAddBytes<E4M3>(out[n + 1], a, b[2], b[3]);
            }
        }
        __syncthreads(); // the buffer is free for the tile after next
    }
    waitCopies<0>(); // of Q, when there was no key
    __syncthreads();

    float* to = reinterpret_cast<float*>(p.o);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const long long at = (long long)head * p.queryLen + row + 8 * half;
        const float total = groupSum<4>(sum[half]), inverse = 1 / total;
        if (row + 8 * half >= p.queryLen)
            continue;
#pragma unroll
        for (int n = 0; n < columnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i)
                if (n * 8 + 2 * t + i < o.outDim)
                    to[at * o.outDim + n * 8 + 2 * t + i] = total == 0 ? 0 : out[n][2 * half + i] * inverse * factors.output;
        if (t == 0)
            p.lse[at] = total == 0 ? -CUDART_INF_F : baseOf(most[half]) + logf(total * 0x1p-8f);
    }
}

} // namespace
