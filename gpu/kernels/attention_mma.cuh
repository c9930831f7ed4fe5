// Attention in FlashAttention-2's order on tensor cores, for f16 and bf16 (sums in f32): what attention_mma.cu and
// attention_sparse_mma.cu have in common.
//
// A block of four warps holds 64 rows of Q, sixteen a warp. K and V come in tiles of `keys` rows by cp.async into one
// of two buffers, so that the next tile is on its way while this one is worked on. Scores stay in registers: the
// accumulator of Q Kᵀ is, rounded to 16 bits, already laid out as the first operand of P V.
#pragma once

#include "attention_tensor_core.cuh"
#include "tensor_core.cuh"

namespace {

/// Keys a tile: what two buffers of K and V leave room for.
template <int D>
constexpr int keysPerTile = D <= 128 ? 64 : 32;

/// Rows [first, first + count) of a head to shared memory at `to`; zeros outside the tensor.
template <class T, int D, int count>
__device__ void loadTile(unsigned to, const T* from, int first, int length, int headDim) {
    constexpr int chunks = D / 8;
#pragma unroll
    for (int i = threadIdx.x; i < count * chunks; i += threads) {
        const int row = i / chunks, chunk = i % chunks;
        const bool valid = first + row < length && chunk * 8 < headDim;
        copyAsync(to + Swizzle<D>::at(row, chunk), valid ? from + (long long)(first + row) * headDim + chunk * 8 : from, valid);
    }
}

/// Whether a tile of values holds an infinity or a NaN. Every warp looks at all of it.
template <class T, int D, int count>
__device__ bool anyNonFinite(const unsigned char* tile) {
    // Added to a number without its sign, one in the exponent's last place carries into the sign where all of it is ones.
    constexpr unsigned one = exponentOne<T>;
    unsigned carry = 0;
#pragma unroll 2
    for (int i = threadIdx.x % 32; i < count * D / 8; i += 32) {
        const uint4 x = reinterpret_cast<const uint4*>(tile)[i];
        carry |= ((x.x & 0x7fff7fff) + one) | ((x.y & 0x7fff7fff) + one) | ((x.z & 0x7fff7fff) + one) | ((x.w & 0x7fff7fff) + one);
    }
    return __any_sync(0xffffffffu, (carry & 0x80008000) != 0);
}

/// Of two neighbouring keys, the values of those before `seen`.
__device__ __forceinline__ unsigned seenOf(unsigned pair, int key, int seen) {
    return key + 1 < seen ? pair : key < seen ? pair & 0xffff : 0;
}

/// All tiles of keys as far as the tile of queries sees.
class AllTiles {
  public:
    __device__ AllTiles(int tileKeys, int keysSeen) : keys(tileKeys), end(keysSeen) {}
    /// The first key of the first tile, and of the one behind `begin`; negative: there is none.
    __device__ int first() const { return end > 0 ? 0 : -1; }
    __device__ int next(int begin) const { return begin + keys < end ? begin + keys : -1; }
    /// Called by all threads between two barriers of a tile.
    __device__ void lookAhead() {}

  private:
    int keys, end;
};

template <class T, int D, class Tiles>
__device__ void flash2Mma(const AttentionProblem<T>& p, unsigned char* shared, Tiles tiles) {
    constexpr int keys = keysPerTile<D>, keyTiles = keys / 8, steps = D / 16, columnTiles = D / 8;
    constexpr unsigned qBytes = rows * D * 2, kvBytes = keys * D * 2;
    constexpr bool keepQ = D <= 128; // in registers for the whole loop
    const int head = blockIdx.y, first = blockIdx.x * rows, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int g = lane / 4, t = lane % 4, row = first + warp * 16 + g; // this thread's rows: row and row + 8
    const unsigned q = static_cast<unsigned>(__cvta_generic_to_shared(shared)), kv = q + qBytes;
    const T *kHead = p.k + p.keyHead(head), *vHead = p.v + p.keyHead(head);

    const int firstBegin = tiles.first();
    const int visible[2] = {row < p.queryLen ? p.visible(row) : 0, row + 8 < p.queryLen ? p.visible(row + 8) : 0};
    const int seenByAll = p.visible(first); // keys before this one need no mask
    const float scale2 = p.scale * log2e;

    loadTile<T, D, rows>(q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    if (firstBegin >= 0) {
        loadTile<T, D, keys>(kv, kHead, firstBegin, p.keyLen, p.headDim);
        loadTile<T, D, keys>(kv + kvBytes, vHead, firstBegin, p.keyLen, p.headDim);
    }
    commitCopies();

    // Which row and chunk of an x4 load this lane points at.
    const int qRow = warp * 16 + lane % 16, qChunk = lane / 16;
    const int kRow = lane / 16 * 8 + lane % 8, kChunk = lane / 8 % 2;
    const int vRow = lane % 16, vChunk = lane / 16;

    unsigned qFragment[keepQ ? steps : 1][4];
    float o[columnTiles][4] = {}, most[2] = {-CUDART_INF_F, -CUDART_INF_F}, sum[2] = {};
    for (int begin = firstBegin, buffer = 0, following; begin >= 0; begin = following, buffer ^= 1) {
        following = tiles.next(begin);
        const unsigned k = kv + buffer * 2 * kvBytes, v = k + kvBytes;
        if (following >= 0) {
            const unsigned next = kv + (buffer ^ 1) * 2 * kvBytes;
            loadTile<T, D, keys>(next, kHead, following, p.keyLen, p.headDim);
            loadTile<T, D, keys>(next + kvBytes, vHead, following, p.keyLen, p.headDim);
            commitCopies();
            waitCopies<1>();
        } else {
            waitCopies<0>();
        }
        __syncthreads();
        tiles.lookAhead();
        if (keepQ && begin == firstBegin)
#pragma unroll
            for (int step = 0; step < steps; ++step)
                loadMatrices(qFragment[keepQ ? step : 0], q + Swizzle<D>::at(qRow, step * 2 + qChunk));

        float s[keyTiles][4] = {};
#pragma unroll
        for (int step = 0; step < steps; ++step) {
            if (!keepQ)
                loadMatrices(qFragment[0], q + Swizzle<D>::at(qRow, step * 2 + qChunk));
#pragma unroll
            for (int n = 0; n < keyTiles; n += 2) {
                unsigned b[4];
                loadMatrices(b, k + Swizzle<D>::at(n * 8 + kRow, step * 2 + kChunk));
                multiplyAdd<T>(s[n], qFragment[keepQ ? step : 0], b[0], b[1]);
                multiplyAdd<T>(s[n + 1], qFragment[keepQ ? step : 0], b[2], b[3]);
            }
        }
        if (begin + keys > seenByAll)
#pragma unroll
            for (int n = 0; n < keyTiles; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    if (begin + n * 8 + 2 * t + i % 2 >= visible[i / 2])
                        s[n][i] = -CUDART_INF_F;

        onlineSoftmax(s, o, most, sum, ScaledPowers{scale2});

        // A product of tiles has no mask: where some row does not see all keys, a weight of 0 times a NaN would reach it. Then
        // each of the warp's rows has a product of its own, with nothing behind its mask.
        const bool rowByRow = begin + keys > seenByAll && anyNonFinite<T, D, keys>(shared + (v - q));
#pragma unroll 1
        for (int own = 0; rowByRow && own < 16; ++own) {
            const int ownRow = first + warp * 16 + own, seen = (ownRow < p.queryLen ? p.visible(ownRow) : 0) - begin;
            // The same in all lanes, but told by one: addresses of all the loads, kept over the rows, would cost registers.
            const unsigned values = __shfl_sync(0xffffffffu, v, own);
#pragma unroll
            for (int step = 0; step < keyTiles / 2; ++step) {
                const unsigned a[4] = {pack<T>(s[2 * step][0], s[2 * step][1]), pack<T>(s[2 * step][2], s[2 * step][3]),
                                       pack<T>(s[2 * step + 1][0], s[2 * step + 1][1]), pack<T>(s[2 * step + 1][2], s[2 * step + 1][3])};
#pragma unroll
                for (int n = 0; n < columnTiles; n += 2) {
                    unsigned b[4];
                    loadTransposed(b, values + Swizzle<D>::at(step * 16 + vRow, n + vChunk));
#pragma unroll
                    for (int i = 0; i < 4; ++i)
                        b[i] = seenOf(b[i], step * 16 + i % 2 * 8 + 2 * t, seen);
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        float c[4] = {o[n + i][0], o[n + i][1], o[n + i][2], o[n + i][3]};
                        multiplyAdd<T>(c, a, b[2 * i], b[2 * i + 1]);
#pragma unroll
                        for (int e = 0; e < 4; ++e)
                            o[n + i][e] = g + e / 2 * 8 == own ? c[e] : o[n + i][e];
                    }
                }
            }
        }
#pragma unroll
        for (int step = 0; step < keyTiles / 2 && !rowByRow; ++step) {
            const unsigned a[4] = {pack<T>(s[2 * step][0], s[2 * step][1]), pack<T>(s[2 * step][2], s[2 * step][3]),
                                   pack<T>(s[2 * step + 1][0], s[2 * step + 1][1]), pack<T>(s[2 * step + 1][2], s[2 * step + 1][3])};
#pragma unroll
            for (int n = 0; n < columnTiles; n += 2) {
                unsigned b[4];
                loadTransposed(b, v + Swizzle<D>::at(step * 16 + vRow, n + vChunk));
                multiplyAdd<T>(o[n], a, b[0], b[1]);
                multiplyAdd<T>(o[n + 1], a, b[2], b[3]);
            }
        }
        __syncthreads(); // the buffer is free for the tile after next
    }
    waitCopies<0>(); // of Q, when there was no key
    __syncthreads();

    // O goes through the warp's own rows of Q's place, so that it is written in whole chunks.
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float total = groupSum<4>(sum[half]), inverse = 1 / total;
        const int local = warp * 16 + g + 8 * half;
#pragma unroll
        for (int n = 0; n < columnTiles; ++n)
            *reinterpret_cast<unsigned*>(shared + Swizzle<D>::at(local, n) + 4 * t) = total == 0 ? 0 : pack<T>(o[n][2 * half] * inverse, o[n][2 * half + 1] * inverse);
        if (t == 0 && row + 8 * half < p.queryLen)
            p.lse[(long long)head * p.queryLen + row + 8 * half] = total == 0 ? -CUDART_INF_F : most[half] * p.scale + logf(total);
    }
    __syncwarp();
    T* out = p.o + p.queryHead(head);
    for (int i = lane; i < 16 * (D / 8); i += 32) {
        const int local = warp * 16 + i / (D / 8), chunk = i % (D / 8);
        if (first + local < p.queryLen && chunk * 8 < p.headDim)
            *reinterpret_cast<uint4*>(out + (long long)(first + local) * p.headDim + chunk * 8) = *reinterpret_cast<const uint4*>(shared + Swizzle<D>::at(local, chunk));
    }
}

extern __shared__ __align__(128) unsigned char dynamicShared[];

} // namespace
