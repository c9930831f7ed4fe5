// SPDX-License-Identifier: GPL-3.0-or-later
// FlashAttention on the CPU (Dao et al. 2022, 2023): query tiles walk over key blocks; a strip of six rows goes from
// Q Kᵀ through the online softmax to P V while its scores are still in the first-level cache.
//
// `flash` transposes each key block anew for every query tile, so that its memory does not grow with the sequence, and
// keeps the true running maximum. `flash-packed` transposes K once, rescales lazily, and starts with the heavy tiles.
// `flash-bf16` is that on inputs rounded to bf16. With AVX-512's bf16 instructions Q, K, V and P are multiplied as bf16
// and added up in f32 (bf16-inl.h). Elsewhere products are taken in f32, where those of two bf16 numbers are exact:
// what is lost then is the rounding of Q, K and V alone, which happens while they are packed.
#include "core/cpu/attention/kernels.h"
#include "core/cpu/attention/rungs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace warplight::cpu {
namespace {

constexpr float minusInfinity = -std::numeric_limits<float>::infinity();
constexpr int64_t packedQueryTile = 192;  // 96 to 384 are within noise of each other
constexpr int64_t packingQueryTile = 384; // spreads the cost of packing a key block over more rows
constexpr int64_t smallestQueryTile = 48;
constexpr int64_t wantedItems = 16;    // enough to even out a handful of threads
constexpr int64_t smallestChunk = 512; // keys; below that merging costs more than it gains
constexpr float lazyPowers = 16;

/// How the problem is cut. Depends on the problem alone, never on the number of threads: so do the results.
struct Plan {
    int64_t queryTile, keyTile;
    int64_t queryTiles, keyBlocks;  ///< of one head
    int64_t chunks, blocksPerChunk; ///< split over keys where query tiles are few (decoding)
    int64_t outputStride;
    bool packOnce, padValues;
};

Plan makePlan(const AttentionProblem& p, const Execution& execution, bool packOnce, int64_t lanes) {
    Plan plan{};
    plan.packOnce = packOnce;
    plan.keyTile = execution.keyTile > 0 ? std::min(execution.keyTile, blockKeys) : blockKeys;
    const int64_t even = roundUp(std::max<int64_t>(p.queryLen * headCount(p) / wantedItems, 1), stripRows);
    plan.queryTile = execution.queryTile > 0
                         ? execution.queryTile
                         : std::clamp(even, smallestQueryTile, packOnce ? packedQueryTile : packingQueryTile);
    plan.queryTile = std::min(plan.queryTile, p.queryLen);
    plan.queryTiles = ceilDiv(p.queryLen, plan.queryTile);
    plan.keyBlocks = ceilDiv(p.keyLen, plan.keyTile);
    const int64_t items = plan.queryTiles * headCount(p);
    plan.chunks = 1;
    if (!execution.observer && items < wantedItems)
        plan.chunks = std::max<int64_t>(1, std::min(wantedItems / items, p.keyLen / smallestChunk));
    plan.blocksPerChunk = ceilDiv(std::max<int64_t>(plan.keyBlocks, 1), plan.chunks);
    plan.outputStride = roundUp(p.headDim, lanes);
    plan.padValues = plan.outputStride != p.headDim;
    return plan;
}

/// Runs one plan: packs, walks, merges.
class FlashRun {
  public:
    FlashRun(const AttentionProblem& problem, const Execution& execution, bool packOnce, bool inBf16 = false)
        : p(problem),
          execution(execution),
          kernel(kernels()),
          bf16(inBf16 ? kernel.bf16 : nullptr),
          rounds(inBf16 && !bf16),
          plan(makePlan(problem, execution, packOnce, kernel.lanes)),
          workers(execution.observer ? 1 : workerCount(execution.threads)),
          lazy(packOnce ? lazyPowers : 0.0f) {
        // `flash` holds its largest tile whatever the sequence: its memory does not grow.
        const int64_t rows = plan.packOnce ? plan.queryTile : std::max(plan.queryTile, packingQueryTile);
        const int64_t packedBlocks = plan.packOnce ? p.batch * p.keyHeads * plan.keyBlocks : workers;
        keyWords = bf16 ? (p.headDim + 1) / 2 : p.headDim;
        valueRows = bf16 ? blockKeys / 2 : blockKeys;
        packedKeys = workspace.take<float>(packedBlocks * blockKeys * keyWords);
        if (packsValues())
            packedValues = workspace.take<float>(packedBlocks * valueRows * plan.outputStride);
        scratchFloats = rows * (keyWords + plan.outputStride + kernel.lanes + 2);
        scratch = workspace.take<float>(workers * roundUp(scratchFloats, 16));
        if (plan.chunks > 1)
            partials = workspace.take<float>(headCount(p) * plan.queryTiles * plan.chunks * rows * (p.headDim + 2));
    }

    AttentionCost run() {
        if (plan.packOnce)
            packAll();
        const int64_t tiles = plan.queryTiles, items = headCount(p) * tiles * plan.chunks;
        parallelItems(items, workers, execution.cancel, [&](int64_t item, int worker) {
            const int64_t chunk = item % plan.chunks, head = item / plan.chunks % headCount(p);
            // Tile by tile over all heads, the last tile first: under a causal mask that is the heaviest.
            const int64_t tile =
                execution.observer ? item / plan.chunks % tiles : tiles - 1 - item / plan.chunks / headCount(p);
            walk(execution.observer ? item / plan.chunks / tiles : head, tile, chunk, worker);
        });
        if (plan.chunks > 1)
            parallelItems(headCount(p) * tiles, workers, execution.cancel,
                          [&](int64_t item, int) { merge(item / tiles, item % tiles); });
        return {workspace.bytes(), workers};
    }

  private:
    bool packsValues() const { return bf16 || rounds || plan.padValues; }
    float* packedBlock(int64_t slot) const { return packedKeys + slot * blockKeys * keyWords; }
    float* valueBlock(int64_t slot) const { return packedValues + slot * valueRows * plan.outputStride; }

    void packBlock(const float* k, const float* v, int64_t block, int64_t slot) const {
        const int64_t begin = block * plan.keyTile, keys = std::min(plan.keyTile, p.keyLen - begin);
        if (bf16) {
            bf16->packKeys(k + begin * p.headDim, keys, p.headDim, reinterpret_cast<uint32_t*>(packedBlock(slot)));
            bf16->packValues(v + begin * p.headDim, keys, p.headDim, plan.outputStride,
                             reinterpret_cast<uint32_t*>(valueBlock(slot)));
            return;
        }
        if (rounds) {
            alignas(64) float rounded[blockKeys * largestHeadDim];
            kernel.roundToBf16(k + begin * p.headDim, rounded, keys * p.headDim);
            kernel.packKeys(rounded, keys, p.headDim, packedBlock(slot));
        } else {
            kernel.packKeys(k + begin * p.headDim, keys, p.headDim, packedBlock(slot));
        }
        for (int64_t j = 0; packsValues() && j < keys; ++j) {
            float* row = valueBlock(slot) + j * plan.outputStride;
            if (rounds)
                kernel.roundToBf16(v + (begin + j) * p.headDim, row, p.headDim);
            else
                std::memcpy(row, v + (begin + j) * p.headDim, sizeof(float) * static_cast<size_t>(p.headDim));
            std::fill(row + p.headDim, row + plan.outputStride, 0.0f);
        }
    }

    void packAll() {
        parallelItems(p.batch * p.keyHeads * plan.keyBlocks, workers, execution.cancel, [&](int64_t item, int) {
            const int64_t offset = item / plan.keyBlocks * p.keyLen * p.headDim;
            packBlock(p.k + offset, p.v + offset, item % plan.keyBlocks, item);
        });
    }

    /// One query tile against the key blocks of one chunk.
    void walk(int64_t head, int64_t tile, int64_t chunk, int worker) {
        const HeadView view = headView(p, head);
        const int64_t rowBegin = tile * plan.queryTile, rows = std::min(plan.queryTile, p.queryLen - rowBegin),
                      d = p.headDim;
        const RowState state = startTile(view.q + rowBegin * d, rows, worker);
        const int64_t lastBlock = std::min((chunk + 1) * plan.blocksPerChunk, plan.keyBlocks);
        for (int64_t block = chunk * plan.blocksPerChunk; block < lastBlock; ++block) {
            const int64_t keyBegin = block * plan.keyTile;
            const bool skipped = visibleKeys(p, rowBegin + rows - 1) <= keyBegin;
            if (skipped && !execution.observer)
                break; // everything further right is hidden as well
            checkCancelled(execution.cancel);
            const BlockArgs args = blockArgs(view, head, block, rowBegin, rows, worker, skipped);
            if (execution.observer)
                observe(args, state, head, tile, block, skipped);
            else
                (bf16 ? bf16->flashBlock : kernel.flashBlock)(args, state);
        }
        if (plan.chunks == 1)
            finish(view, rowBegin, rows, state);
        else
            storePartial((head * plan.queryTiles + tile) * plan.chunks + chunk, rows, state);
    }

    RowState startTile(const float* q, int64_t rows, int worker) const {
        float* base = scratch + worker * roundUp(scratchFloats, 16);
        RowState state{};
        state.outputStride = plan.outputStride;
        state.output = base;
        state.query = state.output + plan.queryTile * plan.outputStride;
        state.sum = state.query + plan.queryTile * keyWords;
        state.max = state.sum + plan.queryTile * kernel.lanes;
        for (int64_t r = 0; bf16 && r < rows; ++r) // exact: the scale comes later
            bf16->packRow(q + r * p.headDim, p.headDim, reinterpret_cast<uint32_t*>(state.query + r * keyWords));
        if (rounds)
            kernel.roundToBf16(q, state.query, rows * p.headDim);
        for (int64_t i = 0; !bf16 && i < rows * p.headDim; ++i)
            state.query[i] = (rounds ? state.query[i] : q[i]) * scale2();
        std::fill_n(state.output, rows * plan.outputStride, 0.0f);
        std::fill_n(state.sum, rows * kernel.lanes, 0.0f);
        std::fill_n(state.max, rows, minusInfinity);
        return state;
    }

    BlockArgs blockArgs(const HeadView& view, int64_t head, int64_t block, int64_t rowBegin, int64_t rows, int worker,
                        bool skipped) const {
        const int64_t keyBegin = block * plan.keyTile;
        const int64_t slot = plan.packOnce ? keyHeadOf(p, head) * plan.keyBlocks + block : worker;
        if (!plan.packOnce && !skipped)
            packBlock(view.k, view.v, block, slot);
        BlockArgs args{};
        args.packedKeys = packedBlock(slot);
        args.values = packsValues() ? valueBlock(slot) : view.v + keyBegin * p.headDim;
        args.valueStride = plan.outputStride;
        args.keys = std::min(plan.keyTile, p.keyLen - keyBegin);
        args.rows = rows;
        args.headDim = p.headDim;
        args.firstHidden = p.causal ? rowBegin + 1 + p.keyLen - p.queryLen - keyBegin : blockKeys;
        args.lazyThreshold = lazy;
        args.scale2 = scale2();
        return args;
    }

    float scale2() const { return static_cast<float>(static_cast<double>(p.scale) * log2e); }

    double sumOf(const RowState& state, int64_t row) const {
        return sumOfLanes(state.sum + row * kernel.lanes, kernel.lanes);
    }

    void finish(const HeadView& view, int64_t rowBegin, int64_t rows, const RowState& state) const {
        for (int64_t r = 0; r < rows; ++r)
            writeRow(view, p.headDim, rowBegin + r, state.output + r * plan.outputStride,
                     static_cast<double>(state.max[r]), sumOf(state, r));
    }

    float* partialRow(int64_t slot, int64_t row) const {
        return partials + (slot * plan.queryTile + row) * (p.headDim + 2);
    }

    void storePartial(int64_t slot, int64_t rows, const RowState& state) const {
        for (int64_t r = 0; r < rows; ++r) {
            float* out = partialRow(slot, r);
            std::copy_n(state.output + r * plan.outputStride, p.headDim, out);
            out[p.headDim] = state.max[r];
            out[p.headDim + 1] = static_cast<float>(sumOf(state, r));
        }
    }

    /// Σ over chunks of (o, sum) · 2^(max - largest max): the associative merge of partial results.
    void merge(int64_t head, int64_t tile) const {
        const HeadView view = headView(p, head);
        const int64_t rowBegin = tile * plan.queryTile, rows = std::min(plan.queryTile, p.queryLen - rowBegin),
                      d = p.headDim;
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t first = (head * plan.queryTiles + tile) * plan.chunks;
            float max = minusInfinity;
            for (int64_t chunk = 0; chunk < plan.chunks; ++chunk)
                max = std::isnan(partialRow(first + chunk, r)[d]) ? partialRow(first + chunk, r)[d]
                                                                  : std::max(max, partialRow(first + chunk, r)[d]);
            float* total = partialRow(first, r);
            double sum = 0;
            for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
                const float* part = partialRow(first + chunk, r);
                const float factor = part[d] == minusInfinity ? 0.0f : std::exp2(part[d] - max);
                sum += static_cast<double>(factor) * static_cast<double>(part[d + 1]);
                for (int64_t c = 0; c < d; ++c)
                    total[c] = (chunk == 0 ? 0.0f : total[c]) + factor * part[c];
            }
            writeRow(view, p.headDim, rowBegin + r, total, static_cast<double>(max), sum);
        }
    }

    void observe(BlockArgs args, const RowState& state, int64_t head, int64_t tile, int64_t block, bool skipped) const {
        const int64_t rowBegin = tile * plan.queryTile, keyBegin = block * plan.keyTile, rowBytes = p.headDim * 4;
        std::vector<float> oldMax(state.max, state.max + args.rows), tileMax(static_cast<size_t>(args.rows));
        std::vector<RowUpdate> updates;
        std::vector<float> scores;
        if (!skipped) {
            std::vector<float> strip(static_cast<size_t>(args.rows * blockKeys));
            args.trueMax = tileMax.data();
            args.seenScores = strip.data();
            kernel.flashBlock(args, state);
            for (int64_t r = 0; r < args.rows; ++r)
                for (int64_t j = 0; j < args.keys; ++j)
                    scores.push_back(strip[static_cast<size_t>(r * blockKeys + j)] * static_cast<float>(ln2));
            for (int64_t r = 0; r < args.rows; ++r) {
                const float before = oldMax[static_cast<size_t>(r)], now = state.max[r];
                updates.push_back({rowBegin + r,
                                   tileMax[static_cast<size_t>(r)] * static_cast<float>(ln2),
                                   now * static_cast<float>(ln2),
                                   before == minusInfinity ? 0.0f : std::exp2(before - now),
                                   static_cast<float>(sumOf(state, r)),
                                   {state.output + r * plan.outputStride, static_cast<size_t>(p.headDim)}});
            }
        }
        TileVisit visit{};
        visit.head = head;
        visit.queryBegin = rowBegin;
        visit.queryEnd = rowBegin + args.rows;
        visit.keyBegin = keyBegin;
        visit.keyEnd = keyBegin + args.keys;
        visit.skipped = skipped;
        visit.rows = updates;
        visit.scores = scores;
        visit.bytesRead = (block == 0 ? args.rows * rowBytes : 0) + (skipped ? 0 : 2 * args.keys * rowBytes);
        visit.bytesWritten = block == plan.keyBlocks - 1 ? args.rows * (rowBytes + (p.lse ? 4 : 0)) : 0;
        execution.observer(visit);
    }

    const AttentionProblem& p;
    const Execution& execution;
    const Kernels& kernel;
    const Bf16Kernels* const bf16; ///< Q, K, V and P as pairs of bf16; null: f32
    const bool rounds;             ///< Q, K and V to bf16, but multiplied as f32
    const Plan plan;
    const int workers;
    const float lazy;
    Workspace workspace;
    int64_t keyWords = 0, valueRows = 0; ///< 32-bit words a key, rows of values a block
    float* packedKeys = nullptr;
    float* packedValues = nullptr;
    float* scratch = nullptr;
    float* partials = nullptr;
    int64_t scratchFloats = 0;
};

} // namespace

AttentionCost flashAttention(const AttentionProblem& problem, const Execution& execution) {
    return FlashRun(problem, execution, false).run();
}

AttentionCost flashPackedAttention(const AttentionProblem& problem, const Execution& execution) {
    Execution unobserved = execution;
    unobserved.observer = nullptr; // only `flash` keeps the true running maximum
    return FlashRun(problem, unobserved, true).run();
}

AttentionCost flashBf16Attention(const AttentionProblem& problem, const Execution& execution) {
    Execution unobserved = execution;
    unobserved.observer = nullptr;
    return FlashRun(problem, unobserved, true, true).run();
}

} // namespace warplight::cpu
