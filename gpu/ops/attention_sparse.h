// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/attention.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// Which blocks of scores are visible, and which pairs in those that are so in part. Blocks at the ends may be smaller.
struct BlockMask {
    int64_t blockSize = 0; ///< queries and keys of a block, one of sparseBlockSizes
    /// 1: all heads share it; otherwise one a query head, which batches share. Where it hides pairs also one a query
    /// head of each batch entry.
    int64_t heads = 1;
    const uint8_t* visible = nullptr; ///< [heads, ⌈queryLen/blockSize⌉, ⌈keyLen/blockSize⌉]; 0: hidden
    int64_t parts = 0;                ///< blocks that are visible in part
    const int32_t* part = nullptr;    ///< as `visible`: a block's place in `bits`, -1: whole; null: all of them are
    const uint64_t* bits = nullptr;   ///< [parts, blockSize]: bit j of a row: its query sees key j of the block

    bool hidesPairs() const { return parts > 0 || part; }
};
inline constexpr std::array<int64_t, 3> sparseBlockSizes{16, 32, 64};
inline constexpr int64_t sparseLargestHeadDim = 128;

/// The rungs of the ladder (gpu/kernels/attention_sparse.cu). block-sparse takes f16 and bf16, too, on tensor cores
/// (attention_sparse_mma.cu).
/// Pairs within blocks are hidden by block-sparse in f32 alone (attention_sparse_pairs.cu).
enum class BlockSparseRung { MaskedDense, BlockSparse };
std::string_view name(BlockSparseRung rung); ///< "masked-dense", "block-sparse"

/// The visible blocks of each block of queries, in ascending order: blocks[starts[i]] … blocks[starts[i + 1] - 1] with
/// i = head of the mask · blocks of queries + block of queries. What lies behind the causal mask is left out.
struct BlockLists {
    std::vector<int32_t> starts, blocks;
    std::vector<int32_t> places; ///< of these blocks in BlockMask::bits, -1: whole; empty where the mask hides no pairs
};
BlockLists visibleBlocks(const AttentionShape& shape, const BlockMask& mask);

/// Throws InputError for what the kernels cannot launch: as checkShape(shape), headDim above 128, other block sizes,
/// masks of other heads, more than 2³¹ - 1 blocks.
void checkShape(const AttentionShape& shape, const BlockMask& mask);

/// Why a rung does not take a format, block size and parts, as a sentence; empty: it does. f16 and bf16 are compiled
/// for block-sparse with blocks of 64.
std::string whyNot(BlockSparseRung rung, const BlockMask& mask, number::Format format);

/// Launches a rung. The mask, or its lists, are copied to the device: `mask`, or `starts` and `blocks`. Nothing is
/// launched where there is no query. Q, K, V and O lie in the format, their rows in f16 and bf16 padded with zeros to a
/// multiple of 8 numbers; lse in f32. Throws InputError with whyNot's or checkShape's sentence, and as Launcher::start.
void launchBlockSparse(Launcher& launcher, BlockSparseRung rung, const AttentionShape& shape, const BlockMask& mask,
                       const AttentionAddresses& at, number::Format format = number::Format::F32);

/// O = softmax over the scores that the block mask and, if causal, the causal mask leave visible; rows that see
/// nothing: o = 0, lse = -inf. Copies the tensors (f32, rounded to the format) to the device and the result back;
/// buffers are called Q, K, V, O, lse, and mask or starts and blocks. Throws InputError, KernelError, Cancelled.
AttentionRun blockSparseForward(KernelLibrary& library, BlockSparseRung rung, const AttentionShape& shape,
                                const BlockMask& mask, const float* q, const float* k, const float* v,
                                const LaunchOptions& options = {}, number::Format format = number::Format::F32);

/// What any implementation has to move: Q, O, lse and the mask once, and the keys and values that any query sees.
TensorTraffic compulsoryTraffic(const AttentionShape& shape, const BlockMask& mask,
                                number::Format format = number::Format::F32);
/// What the loops of a rung ask memory for, with the mask or its lists.
TensorTraffic algorithmicTraffic(BlockSparseRung rung, const AttentionShape& shape, const BlockMask& mask,
                                 number::Format format = number::Format::F32);

/// Device memory that a rung takes at most, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(BlockSparseRung rung, const AttentionShape& shape, const BlockMask& mask,
                    number::Format format = number::Format::F32);

} // namespace warplight::gpu
