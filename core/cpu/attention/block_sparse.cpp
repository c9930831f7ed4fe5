// SPDX-License-Identifier: GPL-3.0-or-later
// Attention under a mask of blocks, and of pairs where a block is visible in part. A tile of queries, which lies within
// one block of them, gathers the keys that it goes through from wherever they lie: K is packed once into panels of one
// vector of keys, and a strip of 64 scores is made of any 64 / lanes of these. Then it is flash-packed: the softmax
// online, S in the first-level cache. Panels that no query of the tile sees are left out, also within blocks; scores of
// hidden pairs become -inf.
#include "core/cpu/attention/block_sparse.h"

#include "core/cpu/attention/kernels.h"
#include "core/cpu/attention/rungs.h"
#include "core/cpu/attention/sparse_kernels.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <limits>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<BlockSparseRung>, 3> infos{{
    {BlockSparseRung::Reference, "reference", "double precision, plain loops",
     "nothing: this is the formula that every other rung is judged by"},
    {BlockSparseRung::MaskedDense, "masked-dense", "every block computed, then hidden",
     "tiles and online softmax, as flash attention; a mask alone saves nothing"},
    {BlockSparseRung::BlockSparse, "block-sparse", "hidden blocks are skipped",
     "gathers the visible keys of a block of queries: time and bytes follow the visible blocks"},
}};

constexpr float minusInfinity = -std::numeric_limits<float>::infinity();
constexpr int64_t tileRows = 192; // at most; as flash-packed's
constexpr float lazyPowers = 16;
constexpr int64_t mostLanes = 16;

int64_t keyBlocks(const BlockSparseProblem& p) { return ceilDiv(p.attention.keyLen, p.mask.blockSize); }
int64_t queryBlocks(const BlockSparseProblem& p) { return ceilDiv(p.attention.queryLen, p.mask.blockSize); }

void check(const BlockSparseProblem& p) {
    checkShape(p.attention);
    if (p.mask.blockSize < 1)
        throw InputError(fmt::format("block size {}, expected at least 1", p.mask.blockSize));
    if (p.mask.heads != 1 && p.mask.heads != p.attention.queryHeads && p.mask.heads != headCount(p.attention))
        throw InputError(fmt::format("a block mask of {} heads, expected 1 or one for each of the {} query heads",
                                     p.mask.heads, p.attention.queryHeads));
}

class SparseRun {
  public:
    SparseRun(const BlockSparseProblem& b, const RunOptions& o, bool all)
        : problem(b),
          p(b.attention),
          options(o),
          everything(all),
          workers(workerCount(o.threads)),
          size(b.mask.blockSize),
          panelsPerBlock(ceilDiv(std::min(size, std::max<int64_t>(p.keyLen, 1)), kernel.lanes)),
          columns(roundUp(p.headDim, kernel.lanes)),
          rowsPerTile(std::min({tileRows, size, p.queryLen})),
          tilesPerBlock(ceilDiv(std::min(size, p.queryLen), rowsPerTile)) {
        packedKeys = workspace.take<float>(p.batch * p.keyHeads * keyBlocks(b) * panelsPerBlock * panelFloats());
        if (columns != p.headDim)
            paddedValues = workspace.take<float>(p.batch * p.keyHeads * p.keyLen * columns);
        if (everything) {
            zeros = workspace.take<float>(blockKeys * columns);
            std::fill_n(zeros, blockKeys * columns, 0.0f);
        }
        if (b.mask.part)
            finite = workspace.take<uint8_t>(p.batch * p.keyHeads * keyBlocks(b));
        scratchFloats = roundUp(rowsPerTile * (p.headDim + columns + kernel.lanes + 1), 16);
        scratch = workspace.take<float>(workers * scratchFloats);
    }

    RunCost run() {
        const int64_t blocks = keyBlocks(problem);
        parallelItems(p.batch * p.keyHeads * blocks, workers, options.cancel,
                      [&](int64_t item, int) { packBlock(item / blocks, item % blocks); });
        const int64_t tiles = queryBlocks(problem) * tilesPerBlock;
        parallelItems(headCount(p) * tiles, workers, options.cancel, [&](int64_t item, int worker) {
            // The last tile first: under a causal mask that is the heaviest.
            const int64_t tile = tiles - 1 - item / headCount(p), block = tile / tilesPerBlock;
            const int64_t begin = block * size + tile % tilesPerBlock * rowsPerTile;
            const int64_t end = std::min({p.queryLen, (block + 1) * size, begin + rowsPerTile});
            if (begin < end) // the last block may be shorter
                walk(item % headCount(p), block, begin, end, worker);
        });
        return {workspace.bytes(), workers};
    }

  private:
    int64_t panelFloats() const { return p.headDim * kernel.lanes; }
    float* panel(int64_t keyHead, int64_t block, int64_t index) const {
        return packedKeys + ((keyHead * keyBlocks(problem) + block) * panelsPerBlock + index) * panelFloats();
    }
    const float* values(int64_t keyHead, int64_t key) const {
        const int64_t row = keyHead * p.keyLen + key;
        return paddedValues ? paddedValues + row * columns : p.v + row * p.headDim;
    }

    void packBlock(int64_t keyHead, int64_t block) const {
        const int64_t begin = block * size, end = std::min(p.keyLen, begin + size), d = p.headDim;
        for (int64_t key = begin; key < end; key += kernel.lanes)
            sparse.packPanel(p.k + (keyHead * p.keyLen + key) * d, std::min(kernel.lanes, end - key), d,
                             panel(keyHead, block, (key - begin) / kernel.lanes));
        for (int64_t key = begin; paddedValues && key < end; ++key) {
            float* to = paddedValues + (keyHead * p.keyLen + key) * columns;
            std::memcpy(to, p.v + (keyHead * p.keyLen + key) * d, sizeof(float) * static_cast<size_t>(d));
            std::fill(to + d, to + columns, 0.0f);
        }
        if (finite) {
            const float* v = p.v + (keyHead * p.keyLen + begin) * d;
            float sum = 0; // 0 unless there is an infinity or a NaN
            for (int64_t i = 0; i < (end - begin) * d; ++i)
                sum += v[i] * 0.0f;
            finite[keyHead * keyBlocks(problem) + block] = sum == 0;
        }
    }

    RowState startTile(const float* q, int64_t rows, int worker) const {
        RowState state{};
        state.outputStride = columns;
        state.output = scratch + worker * scratchFloats;
        state.query = state.output + rowsPerTile * columns;
        state.sum = state.query + rowsPerTile * p.headDim;
        state.max = state.sum + rowsPerTile * kernel.lanes;
        const float scale2 = static_cast<float>(static_cast<double>(p.scale) * log2e);
        for (int64_t i = 0; i < rows * p.headDim; ++i)
            state.query[i] = q[i] * scale2;
        std::fill_n(state.output, rows * columns, 0.0f);
        std::fill_n(state.sum, rows * kernel.lanes, 0.0f);
        std::fill_n(state.max, rows, minusInfinity);
        return state;
    }

    /// One tile of queries against the keys that its block of the mask lets it go through.
    void walk(int64_t h, int64_t queryBlock, int64_t begin, int64_t end, int worker) const {
        const HeadView head = headView(p, h);
        const int64_t keyHead = keyHeadOf(p, h), seenAtMost = visibleKeys(p, end - 1);
        const RowState state = startTile(head.q + begin * p.headDim, end - begin, worker);
        const BlockRow blocks = blocksOf(problem.mask, p, h, queryBlock);
        const int64_t words = ceilDiv(size, 64), rowOfBlock = begin - queryBlock * size;
        KeyGroup group;
        const auto take = [&] {
            checkCancelled(options.cancel);
            if (group.panelCount > 0)
                sparse.groupOfKeys(group, end - begin, p.headDim, columns, lazyPowers, state);
            group.panelCount = group.spanCount = 0;
        };
        for (int64_t block = 0; block < keyBlocks(problem); ++block) {
            const int64_t first = block * size, last = std::min(p.keyLen, first + size);
            const int32_t place = blocks.part && blocks.visible[block] ? blocks.part[block] : -1;
            const uint64_t* bits = place < 0 ? nullptr : pairsOf(problem.mask, place, rowOfBlock);
            for (int64_t key = first; key < last; key += kernel.lanes) {
                const bool hidden = !blocks.visible[block] || key >= seenAtMost;
                if (hidden && !everything)
                    break;
                if (bits && !everything && !seenInPanel(bits, words, end - begin, key - first))
                    continue;
                KeySpan next{0, std::min(kernel.lanes, last - key), 0, nullptr, hidden};
                if (bits && !hidden) {
                    next.bits = bits;
                    next.bitWords = words;
                    next.firstBit = key - first;
                    next.finite = finite[keyHead * keyBlocks(problem) + block] != 0;
                }
                add(group, panel(keyHead, block, (key - first) / kernel.lanes), keyHead, key, next, begin);
                if (group.panelCount * kernel.lanes == blockKeys)
                    take();
            }
        }
        take();
        for (int64_t r = 0; r < end - begin; ++r)
            writeRow(head, p.headDim, begin + r, state.output + r * columns, static_cast<double>(state.max[r]),
                     sumOfLanes(state.sum + r * kernel.lanes, kernel.lanes));
    }

    /// Whether any row of a tile sees any key of the panel that begins at key `first` of a block.
    bool seenInPanel(const uint64_t* bits, int64_t words, int64_t rows, int64_t first) const {
        uint64_t seen = 0;
        for (int64_t r = 0; r < rows; ++r)
            seen |= bits[r * words + first / 64];
        return seen >> (first % 64) & (~uint64_t{0} >> (64 - kernel.lanes));
    }

    /// Puts a panel into the group: to the last span, if the panel goes on where that ends.
    void add(KeyGroup& group, const float* from, int64_t keyHead, int64_t key, KeySpan next, int64_t rowBegin) const {
        next.column = group.panelCount * kernel.lanes;
        group.panels[static_cast<size_t>(group.panelCount++)] = from;
        next.values = next.hidden ? zeros : values(keyHead, key);
        next.firstHidden = p.causal ? rowBegin + 1 + p.keyLen - p.queryLen - key : blockKeys;
        if (group.spanCount > 0) {
            KeySpan& span = group.spans[static_cast<size_t>(group.spanCount - 1)];
            const bool follows = next.hidden ? span.hidden
                                             : !span.hidden && next.values == span.values + span.keys * columns &&
                                                   span.bits == next.bits &&
                                                   (!span.bits || next.firstBit == span.firstBit + span.keys);
            if (follows && span.column + span.keys == next.column) {
                span.keys += next.keys;
                return;
            }
        }
        group.spans[static_cast<size_t>(group.spanCount++)] = next;
    }

    const BlockSparseProblem& problem;
    const AttentionProblem& p;
    const RunOptions& options;
    const bool everything; ///< hidden blocks are computed, too
    const Kernels& kernel = kernels();
    const SparseKernels& sparse = sparseKernels();
    const int workers;
    const int64_t size, panelsPerBlock, columns, rowsPerTile, tilesPerBlock;
    Workspace workspace;
    float *packedKeys = nullptr, *paddedValues = nullptr, *zeros = nullptr, *scratch = nullptr;
    uint8_t* finite = nullptr; ///< [key heads, blocks]: whether all values of a block are numbers
    int64_t scratchFloats = 0;
};

} // namespace

std::span<const RungInfo<BlockSparseRung>> blockSparseRungs() { return infos; }

RunCost blockSparseForward(BlockSparseRung rung, const BlockSparseProblem& problem, const RunOptions& options) {
    check(problem);
    if (headCount(problem.attention) * problem.attention.queryLen == 0)
        return {}; // nothing is asked for
    if (rung == BlockSparseRung::Reference)
        return attentionByFormula(problem.attention, options, &problem.mask);
    return SparseRun(problem, options, rung == BlockSparseRung::MaskedDense).run();
}

int64_t extraBytesAtMost(BlockSparseRung rung, const BlockSparseProblem& problem, int threads) {
    const AttentionProblem& p = problem.attention;
    const int64_t workers = workerCount(threads), d = p.headDim, columns = roundUp(d, mostLanes);
    if (rung == BlockSparseRung::Reference)
        return buffers({floats(2 * workers, p.keyLen + d)});
    const int64_t size = std::max<int64_t>(problem.mask.blockSize, 1), heads = p.batch * p.keyHeads;
    const int64_t keys = saturatedProduct(ceilDiv(p.keyLen, size), roundUp(std::min(size, p.keyLen), mostLanes));
    return buffers({floats(saturatedProduct(heads, keys), d), floats(saturatedProduct(heads, p.keyLen), columns),
                    floats(blockKeys, columns), floats(workers * tileRows, d + columns + mostLanes + 2),
                    saturatedProduct(heads, ceilDiv(p.keyLen, size))});
}

namespace {
/// How many of the first `keys` keys of a block a row sees.
int64_t pairsIn(const BlockMask& mask, const BlockRow& blocks, int64_t block, int64_t row, int64_t keys) {
    if (!blocks.visible[block])
        return 0;
    if (!blocks.part || blocks.part[block] < 0)
        return keys;
    const uint64_t* bits = pairsOf(mask, blocks.part[block], row % mask.blockSize);
    int64_t seen = 0;
    for (int64_t begin = 0; begin < keys; begin += 64)
        seen += std::popcount(bits[begin / 64] & (~uint64_t{0} >> (64 - std::min<int64_t>(64, keys - begin))));
    return seen;
}
} // namespace

double visiblePairs(const BlockSparseProblem& problem) {
    const AttentionProblem& p = problem.attention;
    int64_t pairs = 0;
    for (int64_t head = 0; head < problem.mask.heads; ++head)
        for (int64_t row = 0; row < p.queryLen; ++row) {
            const BlockRow blocks = blocksOf(problem.mask, p, head, row / problem.mask.blockSize);
            const int64_t keys = visibleKeys(p, row);
            for (int64_t begin = 0, block = 0; begin < keys; begin += problem.mask.blockSize, ++block)
                pairs += pairsIn(problem.mask, blocks, block, row, std::min(problem.mask.blockSize, keys - begin));
        }
    return static_cast<double>(pairs) * static_cast<double>(headCount(p) / problem.mask.heads);
}

double usefulFlops(const BlockSparseProblem& problem) {
    return 4.0 * static_cast<double>(problem.attention.headDim) * visiblePairs(problem);
}

} // namespace warplight::cpu
