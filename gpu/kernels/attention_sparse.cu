// Attention under a block mask, in f32 on the ordinary cores: a block of B × B scores is visible or hidden as a whole. A
// block of threads holds B rows of Q, as in flash2, and its softmax runs over the visible blocks only.
//
//   masked-dense  goes through all blocks of keys and hides what the mask says: a mask alone saves nothing.
//   block-sparse  goes through a list of the visible blocks (CSR, built by the host, which leaves out what lies behind the
//                 causal mask): neither K and V nor scores of hidden blocks are touched.
#include "attention_flash.cuh"

namespace {

/// What one thread reads for all threads of a block.
struct Slots {
    int begin, end, block;
};

template <int D, int B>
struct SparseShared {
    FlashShared<D, B, B> tiles;
    Slots slots;
};

/// A block of keys; the next one has passed a barrier, so that the tiles of the one before are free.
struct KeyBlock {
    int index;
    bool hidden;
};

/// The visible blocks of a row of blocks: blocks[starts[row]] … blocks[starts[row + 1] - 1].
class ListedBlocks {
  public:
    __device__ ListedBlocks(const int* starts, const int* blocks, int row, Slots& s) : from(blocks), slots(s) {
        if (threadIdx.x == 0) {
            slots.begin = starts[row];
            slots.end = starts[row + 1];
        }
        __syncthreads();
        at = slots.begin;
        end = slots.end;
    }
    __device__ bool next(KeyBlock& block) {
        if (at == end)
            return false;
        if (threadIdx.x == 0)
            slots.block = from[at];
        ++at;
        __syncthreads();
        block = {slots.block, false};
        return true;
    }

  private:
    const int* from;
    Slots& slots;
    int at, end;
};

/// All blocks of a row of the mask.
class AllBlocks {
  public:
    __device__ AllBlocks(const unsigned char* visible, int count, int row, Slots& s) : from(visible + (long long)row * count), slots(s), end(count) {}
    __device__ bool next(KeyBlock& block) {
        if (at == end)
            return false;
        if (threadIdx.x == 0)
            slots.block = from[at];
        __syncthreads();
        block = {at, slots.block == 0};
        ++at;
        return true;
    }

  private:
    const unsigned char* from;
    Slots& slots;
    int at = 0, end;
};

/// As load(), but zeros where `hidden`, after the same reads: a weight of 0 times a NaN would be one.
template <int threads, int D, int rows>
__device__ void loadUnlessHidden(Tile<D, rows>& tile, const float* from, int first, int count, int headDim, bool hidden) {
#pragma unroll 2
    for (int i = threadIdx.x; i < rows * D; i += threads) {
        const int r = i / D, c = i % D;
        float x = 0;
        if (first + r < count && c < headDim)
            asm volatile("ld.global.f32 %0, [%1];" : "=f"(x) : "l"(from + (long long)(first + r) * headDim + c)); // is not left out
        tile.at[r][c] = hidden ? 0 : x;
    }
}

/// The row of the mask that this block of threads works on.
template <class T>
__device__ int maskRow(const AttentionProblem<T>& p, int maskHeads) {
    return (maskHeads == 1 ? 0 : blockIdx.y % p.queryHeads) * gridDim.x + blockIdx.x;
}

template <int D, int B, bool mayHide, class Blocks>
__device__ void sparseAttention(const AttentionProblem<float>& p, Blocks blocks, FlashShared<D, B, B>& shared) {
    constexpr int threads = B * lanesPerRow;
    const int head = blockIdx.y, first = blockIdx.x * B, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int end = visibleToTile(p, first, B), seenByAll = p.visible(first), visible = first + row < p.queryLen ? p.visible(first + row) : 0;
    load<threads>(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[B / lanesPerRow], o[D / lanesPerRow] = {};
    for (KeyBlock block; blocks.next(block);) {
        const int begin = block.index * B;
        const bool hidden = mayHide && (block.hidden || begin >= end);
        load<threads>(shared.k, k, begin, p.keyLen, p.headDim);
        if (mayHide)
            loadUnlessHidden<threads>(shared.v, v, begin, p.keyLen, p.headDim, hidden);
        else
            load<threads>(shared.v, v, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, hidden ? 0 : visible, p.scale, s);
        const float rescale = statistics.take(s);
#pragma unroll
        for (int j = 0; j < B / lanesPerRow; ++j)
            shared.weight[row][j * lanesPerRow + part] = s[j];
        __syncwarp(); // a row's weights are its own four threads'
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] *= rescale;
        accumulate(shared.weight, shared.v, row, part, visible - begin, hidden ? B : seenByAll - begin, o);
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

// Kernels a padded head dimension D and a block size B. Grid: (blocks of queries, heads). maskHeads is 1 or queryHeads.
// Dynamic shared memory: sizeof(SparseShared<D, B>).
#define SPARSE_KERNELS(D, B)                                                                                                             \
    extern "C" __global__ void __launch_bounds__(B * lanesPerRow)                                                                        \
        masked_dense_d##D##_b##B(AttentionProblem<float> p, const unsigned char* visible, int keyBlocks, int maskHeads) {                \
        auto& shared = *reinterpret_cast<SparseShared<D, B>*>(dynamicShared);                                                            \
        sparseAttention<D, B, true>(p, AllBlocks(visible, keyBlocks, maskRow(p, maskHeads), shared.slots), shared.tiles);                \
    }                                                                                                                                    \
    extern "C" __global__ void __launch_bounds__(B * lanesPerRow)                                                                        \
        block_sparse_d##D##_b##B(AttentionProblem<float> p, const int* starts, const int* blocks, int maskHeads) {                       \
        auto& shared = *reinterpret_cast<SparseShared<D, B>*>(dynamicShared);                                                            \
        sparseAttention<D, B, false>(p, ListedBlocks(starts, blocks, maskRow(p, maskHeads), shared.slots), shared.tiles);                \
    }
SPARSE_KERNELS(32, 16)
SPARSE_KERNELS(32, 32)
SPARSE_KERNELS(32, 64)
SPARSE_KERNELS(64, 16)
SPARSE_KERNELS(64, 32)
SPARSE_KERNELS(64, 64)
SPARSE_KERNELS(128, 16)
SPARSE_KERNELS(128, 32)
SPARSE_KERNELS(128, 64)
