// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/block_sparse.h"
#include "core/cpu/run.h"
#include "core/sparse/pattern.h"

#include <cstdint>
#include <vector>

namespace warplight::sparse {

/// A pattern cut into blocks, as block-sparse kernels take it: blocks that nobody sees are skipped, whole ones run at
/// full speed, and the others carry a bit for each pair.
struct BlockedMask {
    int64_t blockSize = 0, heads = 1, queryBlocks = 0, keyBlocks = 0;
    std::vector<uint8_t> visible; ///< [heads, queryBlocks, keyBlocks]; 0: hidden
    std::vector<int32_t> part;    ///< the same shape: which of the blocks of `bits`, -1: whole or hidden
    std::vector<uint64_t> bits;   ///< [parts, blockSize, words of a row]
    int64_t visibleBlocks = 0, parts = 0;
    int64_t pairs = 0; ///< visible pairs of all its heads

    cpu::BlockMask view() const {
        return {blockSize, heads, visible.data(), parts ? part.data() : nullptr, bits.data()};
    }
    int64_t bytes() const;
};

/// What becomes of a pattern's blocks, without their bits.
struct BlockCounts {
    int64_t blocks = 0, visibleBlocks = 0;
    int64_t parts = 0; ///< visible blocks that are not whole
    int64_t pairs = 0;
    bool operator==(const BlockCounts&) const = default;
};

/// What a mask holds at most while it is made; INT64_MAX when that overflows.
int64_t bytesAtMost(int64_t heads, int64_t queries, int64_t keys, int64_t blockSize);
int64_t bytesAtMost(const BlockCounts& counts, int64_t blockSize);

/// Cuts a pattern. What its causal mask hides is of no account: a block is whole when everything before that is seen,
/// since kernels have a causal mask of their own. Takes a row of blocks a thread. Throws InputError where there are
/// more than 2³¹ − 1 blocks, Cancelled.
BlockedMask blocked(const Pattern& pattern, int64_t blockSize, const cpu::RunOptions& options = {});
BlockCounts countBlocks(const Pattern& pattern, int64_t blockSize, const cpu::RunOptions& options = {});

} // namespace warplight::sparse
