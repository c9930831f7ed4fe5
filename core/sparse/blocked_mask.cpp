// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sparse/blocked_mask.h"

#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <limits>

namespace warplight::sparse {
namespace {

/// Bits begin … begin + count - 1 of a row of words, count at most 64, at the bottom of a word.
uint64_t bitsAt(const uint64_t* words, int64_t begin, int64_t count) {
    const int64_t word = begin / wordBits, at = begin % wordBits;
    uint64_t found = words[word] >> at;
    if (at + count > wordBits)
        found |= words[word + 1] << (wordBits - at);
    return found & lowBits(count);
}

/// The blocks of one row of them; those that are seen in part wait here until it is known where they go.
struct RowOfBlocks {
    std::vector<int64_t> whole, partly; ///< blocks of keys
    std::vector<uint64_t> bits;         ///< [partly, blockSize, words]
    int64_t pairs = 0;
};

/// The shape of a pattern in blocks.
struct Grid {
    int64_t size, queryBlocks, keyBlocks, rows; ///< rows of blocks of all heads
    Grid(const Pattern& p, int64_t blockSize)
        : size(blockSize),
          queryBlocks(cpu::ceilDiv(p.queries, blockSize)),
          keyBlocks(cpu::ceilDiv(p.keys, blockSize)),
          rows(p.heads * queryBlocks) {}
    int64_t blocks() const { return saturatedProduct(rows, keyBlocks); }
};

/// Cuts a pattern into rows of blocks.
class Cutter {
  public:
    Cutter(const Pattern& p, const Grid& g, bool bits, const cpu::RunOptions& o)
        : pattern(p), grid(g), keepsBits(bits), options(o), rowWords(wordsOf(p.keys)), blockWords(wordsOf(g.size)) {}

    std::vector<RowOfBlocks> run() const {
        const int workers = cpu::workerCount(options.threads);
        std::vector<RowOfBlocks> rows(static_cast<size_t>(grid.rows));
        std::vector<std::vector<uint64_t>> scratch(static_cast<size_t>(workers));
        cpu::parallelItems(grid.rows, workers, options.cancel, [&](int64_t item, int worker) {
            cut(item, scratch[static_cast<size_t>(worker)], rows[static_cast<size_t>(item)]);
        });
        return rows;
    }

  private:
    void cut(int64_t item, std::vector<uint64_t>& scratch, RowOfBlocks& found) const {
        const int64_t head = item / grid.queryBlocks, begin = item % grid.queryBlocks * grid.size;
        const int64_t rows = std::min(grid.size, pattern.queries - begin);
        scratch.assign(static_cast<size_t>(rows * rowWords), 0);
        for (int64_t r = 0; r < rows; ++r) {
            if (r % 16 == 0)
                checkCancelled(options.cancel);
            const BitRow row(scratch.data() + r * rowWords, pattern.keys);
            pattern.see(head, begin + r, row);
            found.pairs += row.ones();
        }
        for (int64_t block = 0; block < grid.keyBlocks; ++block)
            cutBlock(begin, rows, block, scratch.data(), found);
    }

    void cutBlock(int64_t begin, int64_t rows, int64_t block, const uint64_t* bits, RowOfBlocks& found) const {
        const int64_t first = block * grid.size, keys = std::min(grid.size, pattern.keys - first);
        bool any = false, all = true;
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t w = 0; w * wordBits < keys; ++w) {
                const int64_t from = first + w * wordBits, many = std::min(wordBits, keys - w * wordBits);
                const uint64_t seen = bitsAt(bits + r * rowWords, from, many),
                               open = lowBits(std::clamp<int64_t>(pattern.seenAtMost(begin + r) - from, 0, many));
                any = any || seen != 0;
                all = all && seen == open;
            }
        if (!any)
            return;
        (all ? found.whole : found.partly).push_back(block);
        if (all || !keepsBits)
            return;
        const size_t at = found.bits.size();
        found.bits.resize(at + static_cast<size_t>(grid.size * blockWords), 0);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t w = 0; w * wordBits < keys; ++w)
                found.bits[at + static_cast<size_t>(r * blockWords + w)] =
                    bitsAt(bits + r * rowWords, first + w * wordBits, std::min(wordBits, keys - w * wordBits));
    }

    const Pattern& pattern;
    const Grid grid;
    const bool keepsBits;
    const cpu::RunOptions& options;
    const int64_t rowWords, blockWords;
};

BlockCounts countsOf(const std::vector<RowOfBlocks>& rows, const Grid& grid) {
    BlockCounts counts;
    counts.blocks = grid.blocks();
    for (const RowOfBlocks& row : rows) {
        counts.parts += static_cast<int64_t>(row.partly.size());
        counts.visibleBlocks += static_cast<int64_t>(row.whole.size() + row.partly.size());
        counts.pairs += row.pairs;
    }
    return counts;
}

void checkBlocks(const Grid& grid) {
    if (grid.blocks() > std::numeric_limits<int32_t>::max())
        throw InputError(fmt::format("{} blocks of {}, expected at most {}; take larger blocks or a shorter sequence",
                                     grid.blocks(), grid.size, std::numeric_limits<int32_t>::max()));
}

} // namespace

int64_t BlockedMask::bytes() const {
    return static_cast<int64_t>(visible.size() + part.size() * sizeof(int32_t) + bits.size() * sizeof(uint64_t));
}

int64_t bytesAtMost(const BlockCounts& counts, int64_t blockSize) {
    constexpr int64_t ofABlock = sizeof(uint8_t) + sizeof(int32_t) + sizeof(int64_t);
    // While rows are put together their bits are there twice, with what vectors have in reserve.
    const int64_t ofAPart = 3 * blockSize * wordsOf(blockSize) * static_cast<int64_t>(sizeof(uint64_t));
    return saturatedSum(saturatedProduct(counts.blocks, ofABlock), saturatedProduct(counts.parts, ofAPart));
}

int64_t bytesAtMost(int64_t heads, int64_t queries, int64_t keys, int64_t blockSize) {
    const int64_t all =
        saturatedProduct(heads, saturatedProduct(cpu::ceilDiv(queries, blockSize), cpu::ceilDiv(keys, blockSize)));
    return bytesAtMost({all, all, all, 0}, blockSize);
}

BlockCounts countBlocks(const Pattern& pattern, int64_t blockSize, const cpu::RunOptions& options) {
    const Grid grid(pattern, blockSize);
    checkBlocks(grid);
    return countsOf(Cutter(pattern, grid, false, options).run(), grid);
}

BlockedMask blocked(const Pattern& pattern, int64_t blockSize, const cpu::RunOptions& options) {
    const Grid grid(pattern, blockSize);
    checkBlocks(grid);
    std::vector<RowOfBlocks> rows = Cutter(pattern, grid, true, options).run();
    const BlockCounts counts = countsOf(rows, grid);
    BlockedMask mask;
    mask.blockSize = blockSize;
    mask.heads = pattern.heads;
    mask.queryBlocks = grid.queryBlocks;
    mask.keyBlocks = grid.keyBlocks;
    mask.visibleBlocks = counts.visibleBlocks;
    mask.parts = counts.parts;
    mask.pairs = counts.pairs;
    mask.visible.assign(static_cast<size_t>(counts.blocks), 0);
    mask.part.assign(static_cast<size_t>(counts.blocks), -1);
    mask.bits.reserve(static_cast<size_t>(counts.parts * blockSize * wordsOf(blockSize)));
    int32_t next = 0;
    for (size_t item = 0; item < rows.size(); ++item) {
        checkCancelled(options.cancel);
        const size_t first = item * static_cast<size_t>(grid.keyBlocks);
        for (const int64_t block : rows[item].whole)
            mask.visible[first + static_cast<size_t>(block)] = 1;
        for (const int64_t block : rows[item].partly) {
            mask.visible[first + static_cast<size_t>(block)] = 1;
            mask.part[first + static_cast<size_t>(block)] = next++;
        }
        mask.bits.insert(mask.bits.end(), rows[item].bits.begin(), rows[item].bits.end());
        rows[item] = {};
    }
    return mask;
}

} // namespace warplight::sparse
