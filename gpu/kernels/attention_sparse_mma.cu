// Attention under a mask of 64 × 64 blocks on tensor cores, for f16 and bf16: flash2-mma (attention_mma.cuh) that goes
// through a list of the visible blocks of keys, as block-sparse in attention_sparse.cu does. Tiles of the list's next
// block are on their way while this one is worked on.
#include "attention_mma.cuh"

namespace {

/// What one thread reads for all threads of a block.
struct Slots {
    int begin, end, block[2];
};

/// blocks[starts[row]] … blocks[starts[row + 1] - 1], of which two at a time are known to all threads.
class ListedTiles {
  public:
    __device__ ListedTiles(const int* starts, const int* blocks, int row, Slots& s) : from(blocks), slots(s) {
        if (threadIdx.x == 0) {
            slots.begin = starts[row];
            slots.end = starts[row + 1];
            for (int i = 0; i < 2; ++i)
                slots.block[i] = slots.begin + i < slots.end ? from[slots.begin + i] : -1;
        }
        __syncthreads();
        at = slots.begin;
        end = slots.end;
    }
    __device__ int first() const { return keyOf(0); }
    __device__ int next(int) const { return keyOf(seen + 1); }
    /// The block after the next one takes the place of this one, which all threads have read.
    __device__ void lookAhead() {
        if (threadIdx.x == 0)
            slots.block[seen % 2] = at + seen + 2 < end ? from[at + seen + 2] : -1;
        ++seen;
    }

  private:
    __device__ int keyOf(int i) const { return slots.block[i % 2] < 0 ? -1 : slots.block[i % 2] * 64; }
    const int* from;
    Slots& slots;
    int at, end, seen = 0;
};

/// `D` and T as flash2_mma's; the slots lie behind its tiles.
template <class T, int D>
__device__ void sparseMma(const AttentionProblem<T>& p, const int* starts, const int* blocks, int maskHeads) {
    static_assert(rows == 64 && keysPerTile<D> == 64);
    Slots& slots = *reinterpret_cast<Slots*>(dynamicShared + 2 * D * (rows + 4 * keysPerTile<D>));
    const int maskRow = (maskHeads == 1 ? 0 : blockIdx.y % p.queryHeads) * gridDim.x + blockIdx.x;
    flash2Mma<T, D>(p, dynamicShared, ListedTiles(starts, blocks, maskRow, slots));
}

} // namespace

// headDim is a multiple of 8 up to D. Dynamic shared memory: 2·D·320 + sizeof(Slots) bytes. maskHeads is 1 or queryHeads.
#define SPARSE_MMA_KERNELS(D)                                                                                          \
    extern "C" __global__ void __launch_bounds__(threads) block_sparse_mma_f16_d##D(                                   \
        AttentionProblem<__half> p, const int* starts, const int* blocks, int maskHeads) {                             \
        sparseMma<__half, D>(p, starts, blocks, maskHeads);                                                            \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(threads) block_sparse_mma_bf16_d##D(                                  \
        AttentionProblem<__nv_bfloat16> p, const int* starts, const int* blocks, int maskHeads) {                      \
        sparseMma<__nv_bfloat16, D>(p, starts, blocks, maskHeads);                                                     \
    }
SPARSE_MMA_KERNELS(32)
SPARSE_MMA_KERNELS(64)
SPARSE_MMA_KERNELS(128)
