// Attention under a mask of pairs, in f32 on the ordinary cores: block-sparse of attention_sparse.cu for patterns that
// hide pairs within blocks. Beside its index each listed block has a place among masks of B × B bits, or -1 when it is
// seen as a whole; a row of such a mask is one word, which the four threads of a row read. Weights of hidden pairs are
// not multiplied: 0 times a NaN would be one.
#include "attention_flash.cuh"

namespace {

/// What one thread reads for all threads of a block.
struct Slots {
    int begin, end, block, place;
};

template <int D, int B>
struct PairShared {
    FlashShared<D, B, B> tiles;
    Slots slots;
};

/// The blocks that a row of blocks sees, and masks of those that it sees in part.
struct PairLists {
    const int *starts, *blocks, *places;
    const unsigned long long* bits; ///< [places, B]
    int maskHeads;                  ///< 1, or those of a batch entry, or of all
};

/// accumulate() over the keys whose bit is set.
template <int D, int B>
__device__ void accumulateSeen(const float (&weight)[B][B + 1], const Tile<D, B>& v, int row, int part, int seen, unsigned long long bits, float (&o)[D / lanesPerRow]) {
#pragma unroll 1
    for (int j = 0; j < B && j < seen; ++j) {
        if (!(bits >> j & 1))
            continue;
        const float w = weight[row][j];
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] += w * v.at[j][i * lanesPerRow + part];
    }
}

template <int D, int B>
__device__ void pairAttention(const AttentionProblem<float>& p, const PairLists& lists, PairShared<D, B>& shared) {
    constexpr int threads = B * lanesPerRow;
    const int head = blockIdx.y, first = blockIdx.x * B, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int seenByAll = p.visible(first), visible = first + row < p.queryLen ? p.visible(first + row) : 0;
    Slots& slots = shared.slots;
    auto& tiles = shared.tiles;
    if (threadIdx.x == 0) {
        const int maskRow = head % lists.maskHeads * gridDim.x + blockIdx.x;
        slots.begin = lists.starts[maskRow];
        slots.end = lists.starts[maskRow + 1];
    }
    load<threads>(tiles.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    __syncthreads();
    Statistics statistics;
    float s[B / lanesPerRow], o[D / lanesPerRow] = {};
    const int end = slots.end;
    for (int at = slots.begin; at < end; ++at) {
        if (threadIdx.x == 0) {
            slots.block = lists.blocks[at];
            slots.place = lists.places[at];
        }
        __syncthreads(); // and nobody reads the tiles of the block before
        const int begin = slots.block * B, place = slots.place;
        load<threads>(tiles.k, k, begin, p.keyLen, p.headDim);
        load<threads>(tiles.v, v, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(tiles.q, tiles.k, row, part, begin, visible, p.scale, s);
        unsigned long long seen = ~0ull;
        if (place >= 0) {
            seen = first + row < p.queryLen ? lists.bits[(long long)place * B + row] : 0;
#pragma unroll
            for (int j = 0; j < B / lanesPerRow; ++j)
                if (!(seen >> (j * lanesPerRow + part) & 1))
                    s[j] = -CUDART_INF_F;
        }
        const float rescale = statistics.take(s);
#pragma unroll
        for (int j = 0; j < B / lanesPerRow; ++j)
            tiles.weight[row][j * lanesPerRow + part] = s[j];
        __syncwarp(); // a row's weights are its own four threads'
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] *= rescale;
        if (place >= 0)
            accumulateSeen<D, B>(tiles.weight, tiles.v, row, part, visible - begin, seen, o);
        else
            accumulate(tiles.weight, tiles.v, row, part, visible - begin, seenByAll - begin, o);
    }
    if (first + row >= p.queryLen)
        return;
    float* out = p.o + p.queryHead(head) + (long long)(first + row) * p.headDim;
#pragma unroll
    for (int i = 0; i < D / lanesPerRow; ++i)
        if (i * lanesPerRow + part < p.headDim)
            out[i * lanesPerRow + part] = statistics.normalised(o[i]);
    if (part == 0)
        p.lse[(long long)head * p.queryLen + first + row] = statistics.logSumExp();
}

} // namespace

// Kernels a padded head dimension D and a block size B. Grid: (blocks of queries, heads). Dynamic shared memory:
// sizeof(PairShared<D, B>).
#define PAIR_KERNELS(D, B)                                                                                               \
    extern "C" __global__ void __launch_bounds__(B * lanesPerRow) block_sparse_pairs_d##D##_b##B(                        \
        AttentionProblem<float> p, const int* starts, const int* blocks, const int* places, const unsigned long long* bits, \
        int maskHeads) {                                                                                                 \
        auto& shared = *reinterpret_cast<PairShared<D, B>*>(dynamicShared);                                              \
        pairAttention<D, B>(p, {starts, blocks, places, bits, maskHeads}, shared);                                       \
    }
PAIR_KERNELS(32, 16)
PAIR_KERNELS(32, 32)
PAIR_KERNELS(32, 64)
PAIR_KERNELS(64, 16)
PAIR_KERNELS(64, 32)
PAIR_KERNELS(64, 64)
PAIR_KERNELS(128, 16)
PAIR_KERNELS(128, 32)
PAIR_KERNELS(128, 64)
