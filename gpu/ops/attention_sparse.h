#pragma once

#include "gpu/ops/attention.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// Which blocks of scores are visible. Blocks at the ends may be smaller.
struct BlockMask {
    int64_t blockSize = 0;            ///< queries and keys of a block, one of sparseBlockSizes
    int64_t heads = 1;                ///< 1: all heads share it; otherwise one a query head. Batches share it.
    const uint8_t* visible = nullptr; ///< [heads, ⌈queryLen/blockSize⌉, ⌈keyLen/blockSize⌉]; 0: hidden
};
inline constexpr std::array<int64_t, 3> sparseBlockSizes{16, 32, 64};
inline constexpr int64_t sparseLargestHeadDim = 128;

/// The rungs of the ladder (gpu/kernels/attention_sparse.cu), f32.
enum class BlockSparseRung { MaskedDense, BlockSparse };
std::string_view name(BlockSparseRung rung); ///< "masked-dense", "block-sparse"

/// The visible blocks of each block of queries, in ascending order: blocks[starts[i]] … blocks[starts[i + 1] - 1] with
/// i = head of the mask · blocks of queries + block of queries. What lies behind the causal mask is left out.
struct BlockLists {
    std::vector<int32_t> starts, blocks;
};
BlockLists visibleBlocks(const AttentionShape& shape, const BlockMask& mask);

/// Throws InputError for what the kernels cannot launch: as checkShape(shape), headDim above 128, other block sizes,
/// masks of other heads, more than 2³¹ - 1 blocks.
void checkShape(const AttentionShape& shape, const BlockMask& mask);

/// Where the tensors of an attention lie in device memory, f32.
struct AttentionAddresses {
    uint64_t q = 0, k = 0, v = 0, o = 0, lse = 0;
};
/// Launches a rung. The mask, or its lists, are copied to the device: `mask`, or `starts` and `blocks`.
void launchBlockSparse(Launcher& launcher, BlockSparseRung rung, const AttentionShape& shape, const BlockMask& mask,
                       const AttentionAddresses& at);

/// O = softmax over the scores that the block mask and, if causal, the causal mask leave visible; rows that see
/// nothing: o = 0, lse = -inf. Copies the tensors to the device and the result back; buffers are called Q, K, V, O,
/// lse, and mask or starts and blocks. Throws InputError, KernelError, Cancelled.
AttentionRun blockSparseForward(KernelLibrary& library, BlockSparseRung rung, const AttentionShape& shape,
                                const BlockMask& mask, const float* q, const float* k, const float* v,
                                const LaunchOptions& options = {});

/// What any implementation has to move: Q, O, lse and the mask once, and the keys and values that any query sees.
TensorTraffic compulsoryTraffic(const AttentionShape& shape, const BlockMask& mask);
/// What the loops of a rung ask memory for, with the mask or its lists.
TensorTraffic algorithmicTraffic(BlockSparseRung rung, const AttentionShape& shape, const BlockMask& mask);

/// Device memory that a rung takes at most, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(BlockSparseRung rung, const AttentionShape& shape, const BlockMask& mask);

} // namespace warplight::gpu
