// mma-tf32: attention in FlashAttention-2's order on tensor cores that take f32 with 10 bits of fraction, sums in f32.
//
// A block of four warps holds 64 rows of Q, sixteen a warp, rounded to tf32 where they lie. K and V come in tiles of
// `keys` rows by cp.async into one of two buffers and are rounded on the way to the registers, as weights are. The
// accumulator of Q Kᵀ has columns 2t and 2t + 1 of a tile where the first operand of P V has columns t and t + 4: the
// product's columns are the tile's keys in that order, and rows of V are read so; no weight moves between lanes.
#include "attention_tensor_core.cuh"
#include "tensor_core_formats.cuh"

namespace {

/// Keys a tile: two buffers of K and V are 32 KiB, so that 256 features still fit the 99 KiB of a block on GeForce cards.
template <int D>
constexpr int keysPerTile = 2048 / D;

/// Rows of D numbers in shared memory: as swizzled as twice as many 16-bit ones. Neither ldmatrix nor eight features of
/// every other row, a number a lane, have a bank conflict.
template <int D>
using Place = Swizzle<2 * D>;

/// Rows [first, first + count) of `tensors` matrices of a head to shared memory at `to`, one behind the other; zeros
/// outside.
template <int D, int count, int tensors>
__device__ void loadTiles(unsigned to, const float* const (&from)[tensors], int first, int length, int headDim) {
    constexpr int chunks = D / 4, rowsAtOnce = threads / chunks;
    const int firstRow = threadIdx.x / chunks, chunk = threadIdx.x % chunks, offset = firstRow * headDim + chunk * 4;
    const bool inside = chunk * 4 < headDim;
#pragma unroll 2 // more addresses would cost registers
    for (int i = 0; i < count; i += rowsAtOnce) {
        const bool valid = inside && first + i + firstRow < length;
        const long long at = valid ? (long long)(first + i) * headDim + offset : 0;
#pragma unroll
        for (int tensor = 0; tensor < tensors; ++tensor)
            copyAsync(to + tensor * count * D * 4 + Place<D>::at(i + firstRow, chunk), from[tensor] + at, valid);
    }
}

/// Rounds numbers where they lie, each lane of a warp its share.
template <int count>
__device__ void roundInPlace(unsigned char* numbers) {
#pragma unroll 4
    for (int i = threadIdx.x % 32; i < count / 4; i += 32) {
        float4* four = reinterpret_cast<float4*>(numbers) + i;
        const float4 x = *four; // at once: one number at a time four lanes would meet in a bank
        *four = make_float4(__uint_as_float(roundToTf32(x.x)), __uint_as_float(roundToTf32(x.y)), __uint_as_float(roundToTf32(x.z)),
                            __uint_as_float(roundToTf32(x.w)));
    }
    __syncwarp();
}

/// Whether a tile of values holds one that is no finite number in tf32. Every warp looks at all of it.
template <int count>
__device__ bool anyNonFinite(const unsigned char* tile) {
    // Added to a number without its sign, this carries into the sign from the smallest on that rounds to infinity.
    constexpr unsigned carries = 0x80000000 - 0x7f7ff000;
    unsigned carry = 0;
#pragma unroll 2
    for (int i = threadIdx.x % 32; i < count / 4; i += 32) {
        const uint4 x = reinterpret_cast<const uint4*>(tile)[i];
        carry |= ((x.x & 0x7fffffff) + carries) | ((x.y & 0x7fffffff) + carries) | ((x.z & 0x7fffffff) + carries) |
                 ((x.w & 0x7fffffff) + carries);
    }
    return __any_sync(0xffffffffu, carry >> 31 != 0);
}

template <int D>
__device__ void attention(const AttentionProblem<float>& p, unsigned char* shared) {
    constexpr int keys = keysPerTile<D>, keyTiles = keys / 8, steps = D / 8, columnTiles = D / 8;
    constexpr unsigned qBytes = rows * D * 4, kvBytes = keys * D * 4;
    constexpr bool keepQ = D <= 128; // in registers for the whole loop
    const int head = blockIdx.y, first = blockIdx.x * rows, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int g = lane / 4, t = lane % 4, row = first + warp * 16 + g; // this thread's rows: row and row + 8
    const unsigned q = static_cast<unsigned>(__cvta_generic_to_shared(shared)), kv = q + qBytes;

    const int end = p.visible(min(first + rows, p.queryLen) - 1);
    const int seenByAll = p.visible(first); // keys before this one need no mask
    const auto fetch = [&](unsigned to, int begin) {
        loadTiles<D, keys>(to, {p.k + p.keyHead(head), p.v + p.keyHead(head)}, begin, p.keyLen, p.headDim);
    };
    loadTiles<D, rows>(q, {p.q + p.queryHead(head)}, first, p.queryLen, p.headDim);
    if (end > 0)
        fetch(kv, 0);
    commitCopies();

    // Which row and chunk of an x4 load this lane points at: of Q 16 rows × 8 features, of K 8 rows × 16.
    const int qRow = warp * 16 + lane % 16, qChunk = lane / 16, kRow = lane % 8, kChunk = lane / 8;
    unsigned qFragment[keepQ ? steps : 2][4];
    const auto loadQ = [&](int step) { loadMatrices(qFragment[keepQ ? step : step % 2], q + Place<D>::at(qRow, step * 2 + qChunk)); };
    // The values of keys 2t and 2t + 1 behind `key`, of this lane's feature of a column tile.
    const unsigned vPlace[2] = {Place<D>::at(2 * t, g / 4) + g % 4 * 4, Place<D>::at(2 * t + 1, g / 4) + g % 4 * 4};
    const auto loadV = [&](float (&b)[2], unsigned v, int key, int n) {
#pragma unroll
        for (int i = 0; i < 2; ++i)
            b[i] = *reinterpret_cast<const float*>(shared + ((v + vPlace[i]) ^ n % 4 * 32) + key * D * 4 + n / 4 * 128);
    };
    const ScaledPowers powers{p.scale * log2e};
    float o[columnTiles][4] = {}, most[2] = {-CUDART_INF_F, -CUDART_INF_F}, sum[2] = {};
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
        if (begin == 0) {
            roundInPlace<16 * D>(shared + warp * 16 * D * 4); // its own rows, which no other warp reads
            if (keepQ)
#pragma unroll
                for (int step = 0; step < steps; ++step)
                    loadQ(step);
        }

        float s[keyTiles][4] = {};
#pragma unroll
        for (int step = 0; step < steps; step += 2) {
            if (!keepQ) {
                loadQ(step);
                loadQ(step + 1);
            }
#pragma unroll
            for (int n = 0; n < keyTiles; ++n) {
                unsigned b[4];
                loadMatrices(b, k + Place<D>::at(n * 8 + kRow, step * 2 + kChunk));
#pragma unroll
                for (unsigned& word : b)
                    word = roundToTf32(__uint_as_float(word));
                multiplyAddTf32(s[n], qFragment[keepQ ? step : 0], b[0], b[1]);
                multiplyAddTf32(s[n], qFragment[keepQ ? step + 1 : 1], b[2], b[3]);
            }
        }
        const bool masked = begin + keys > seenByAll;
        if (masked)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int seen = (row + 8 * half < p.queryLen ? p.visible(row + 8 * half) : 0) - begin - 2 * t;
#pragma unroll
                for (int n = 0; n < keyTiles; ++n)
#pragma unroll
                    for (int i = 0; i < 2; ++i)
                        s[n][2 * half + i] = n * 8 + i < seen ? s[n][2 * half + i] : -CUDART_INF_F;
            }
        onlineSoftmax(s, o, most, sum, powers);
        unsigned weights[keyTiles][4]; // rows g and g + 8 of keys 2t, then of 2t + 1
#pragma unroll
        for (int n = 0; n < keyTiles; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                weights[n][i] = roundToTf32(s[n][i % 2 * 2 + i / 2]);

        // A product of tiles has no mask: where some row does not see all keys, a weight of 0 times a NaN would reach it. Then
        // each of the warp's rows has a product of its own, with nothing behind its mask.
        const bool rowByRow = masked && anyNonFinite<keys * D>(shared + (v - q));
#pragma unroll 1
        for (int own = 0; rowByRow && own < 16; ++own) {
            const int ownRow = first + warp * 16 + own, seen = (ownRow < p.queryLen ? p.visible(ownRow) : 0) - begin;
            // The same in all lanes, but told by one: addresses of all the loads, kept over the rows, would cost registers.
            const unsigned values = __shfl_sync(0xffffffffu, v - q, own);
#pragma unroll
            for (int key = 0; key < keys; key += 8)
#pragma unroll
                for (int n = 0; n < columnTiles; ++n) {
                    float b[2], c[4] = {o[n][0], o[n][1], o[n][2], o[n][3]};
                    loadV(b, values, key, n);
#pragma unroll
                    for (int i = 0; i < 2; ++i)
                        b[i] = key + 2 * t + i < seen ? b[i] : 0;
                    multiplyAddTf32(c, weights[key / 8], roundToTf32(b[0]), roundToTf32(b[1]));
#pragma unroll
                    for (int e = 0; e < 4; ++e)
                        o[n][e] = g + e / 2 * 8 == own ? c[e] : o[n][e];
                }
        }
#pragma unroll
        for (int key = 0; key < keys && !rowByRow; key += 8)
#pragma unroll
            for (int n = 0; n < columnTiles; ++n) {
                float b[2];
                loadV(b, v - q, key, n);
                multiplyAddTf32(o[n], weights[key / 8], roundToTf32(b[0]), roundToTf32(b[1]));
            }
        __syncthreads(); // the buffer is free for the tile after next
    }
    waitCopies<0>(); // of Q, when there was no key

#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float total = groupSum<4>(sum[half]), inverse = 1 / total;
        if (row + 8 * half >= p.queryLen)
            continue;
        float* to = p.o + p.queryHead(head) + (long long)(row + 8 * half) * p.headDim + 2 * t;
#pragma unroll
        for (int n = 0; n < columnTiles; ++n)
            if (n * 8 + 2 * t < p.headDim)
                *reinterpret_cast<float2*>(to + n * 8) =
                    total == 0 ? make_float2(0, 0) : make_float2(o[n][2 * half] * inverse, o[n][2 * half + 1] * inverse);
        if (t == 0)
            p.lse[(long long)head * p.queryLen + row + 8 * half] = total == 0 ? -CUDART_INF_F : most[half] * p.scale + logf(total);
    }
}

extern __shared__ __align__(128) unsigned char dynamicShared[];

} // namespace

// headDim is a multiple of 4 up to D. Dynamic shared memory: 4·D·64 + 32768 bytes. Up to 64 features three blocks a
// multiprocessor leave a thread 168 registers, which is enough: the compiler would fit four by spilling some.
#define TF32_KERNEL(D, BLOCKS)                                                                                               \
    extern "C" __global__ void __launch_bounds__(threads, BLOCKS) attention_tf32_d##D(AttentionProblem<float> p) {           \
        attention<D>(p, dynamicShared);                                                                                      \
    }
TF32_KERNEL(32, 3)
TF32_KERNEL(64, 3)
TF32_KERNEL(128, 2)
TF32_KERNEL(256, 1)
