// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// Which blocks of scores are visible, and which pairs in those that are so in part. Blocks at the ends may be smaller.
struct BlockMask {
    int64_t blockSize = 0; ///< queries and keys of a block, at least 1
    /// 1: all heads share it; otherwise one a query head, which batches share, or one a query head of each batch entry.
    int64_t heads = 1;
    const uint8_t* visible = nullptr; ///< [heads, ⌈queryLen/blockSize⌉, ⌈keyLen/blockSize⌉]; 0: hidden
    /// Of the same shape: the block's place in `bits`, -1: all of it is visible. Null: all visible blocks are whole.
    const int32_t* part = nullptr;
    /// [places, blockSize, ⌈blockSize/64⌉]: bit j of a row, the lowest first: its query sees key j of the block.
    const uint64_t* bits = nullptr;
};

/// O = softmax over the scores that the mask and, if causal, the causal mask leave visible.
struct BlockSparseProblem {
    AttentionProblem attention;
    BlockMask mask;
};

/// The rungs of the ladder, slowest first.
enum class BlockSparseRung { Reference, MaskedDense, BlockSparse };

/// "reference", "masked-dense", "block-sparse", in ladder order. Valid for the whole life of the program.
std::span<const RungInfo<BlockSparseRung>> blockSparseRungs();

/// Runs one rung, for the shapes that attentionForward takes and any block size. Rows that see nothing give o = 0,
/// lse = -inf. NaN as in attentionForward: what is hidden touches no row. `masked-dense` computes every score and hides
/// it afterwards, `block-sparse` looks at visible blocks only. The result is bitwise the same for any number of
/// threads. Throws InputError for other shapes, Cancelled.
RunCost blockSparseForward(BlockSparseRung rung, const BlockSparseProblem& problem, const RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(BlockSparseRung rung, const BlockSparseProblem& problem, int threads = 0);

/// (query, key) pairs of all heads and batches that are visible.
double visiblePairs(const BlockSparseProblem& problem);

/// Useful floating-point operations: 4 · headDim for each visible pair.
double usefulFlops(const BlockSparseProblem& problem);

} // namespace warplight::cpu
