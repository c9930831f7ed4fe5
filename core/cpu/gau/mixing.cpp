// SPDX-License-Identifier: GPL-3.0-or-later
// A V without and with A in memory, and by chunks whose past is a state. A tile of rows, which lies within one chunk,
// goes through blocks of keys; products are those of the packed matrix product.
#include "core/cpu/gau/mixing.h"

#include "core/cpu/gau/chunk_states.h"
#include "core/cpu/gau/packed_tokens.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/softmax/kernels.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <optional>

namespace warplight::cpu {
namespace {

constexpr int64_t tileRows = 96; ///< each block of values that is read serves so many rows
constexpr int64_t mostLanes = 16, mostPanelColumns = 64;
constexpr float lazyPowers = 16; ///< as in attention: how far scores exceed a maximum before sums are rescaled
constexpr float minusInfinity = -std::numeric_limits<float>::infinity();

/// Floats of one worker: queries, a block of weights, A V, and of softmax maxima and sums.
int64_t scratchFloats(int64_t shared, int64_t columns) {
    return roundUp(tileRows * (shared + gauBlockKeys + columns + 1 + mostLanes), mostLanes);
}

class MixRun {
  public:
    MixRun(GauScores how, const GauMixing& m, const RunOptions& o)
        : scores(how),
          p(m.shape),
          options(o),
          workers(workerCount(o.threads)),
          tokens(m, p.chunk > 0 && how != GauScores::InChunks, workspace),
          mixing(m),
          rowsPerTile(std::min(tileRows, std::min(p.segment(), p.length))),
          tilesPerSegment(ceilDiv(std::min(p.segment(), p.length), rowsPerTile)) {
        if (scores == GauScores::InMemory)
            all = workspace.take<float>(p.batch * p.length * p.length);
        if (keepsStates())
            states.emplace(tokens, workspace);
        scratchSize = scratchFloats(p.shared, tokens.columns());
        scratch = workspace.take<float>(workers * scratchSize);
    }

    RunCost run() {
        tokens.pack(workers, options);
        if (states)
            states->make(workers, scratch, scratchSize, options);
        if (scores == GauScores::InMemory)
            forEachTile([&](const Tile& t) { keepWeights(t); });
        forEachTile([&](const Tile& t) { mix(t); });
        return {workspace.bytes(), workers};
    }

  private:
    struct Tile {
        int64_t sequence, segment, begin, rows;
        float *q, *weights, *m, *max, *sum; ///< scratch
    };

    bool isSoftmax() const { return p.function == GauFunction::Softmax; }
    bool keepsStates() const { return p.chunk > 0 && scores == GauScores::InChunks; }
    float* weightsOf(const Tile& t) const { return all + (t.sequence * p.length + t.begin) * p.length; }

    template <class Work>
    void forEachTile(const Work& work) {
        const int64_t tiles = tokens.segments() * tilesPerSegment;
        parallelItems(p.batch * tiles, workers, options.cancel, [&](int64_t item, int worker) {
            // The last tile first: under a causal mask that is the heaviest.
            const int64_t tile = tiles - 1 - item / p.batch, segment = tile / tilesPerSegment;
            const int64_t begin = segment * p.segment() + tile % tilesPerSegment * rowsPerTile;
            const int64_t end = std::min({p.length, (segment + 1) * p.segment(), begin + rowsPerTile});
            if (begin >= end) // the last chunk may be shorter
                return;
            Tile t{item % p.batch, segment, begin, end - begin, scratch + worker * scratchSize, {}, {}, {}, {}};
            t.m = t.q + rowsPerTile * p.shared;
            t.weights = t.m + rowsPerTile * tokens.columns();
            t.max = t.weights + rowsPerTile * gauBlockKeys;
            t.sum = t.max + rowsPerTile;
            work(t);
        });
    }

    /// What a row's scores are multiplied by before they become weights.
    float quadraticScale(int64_t row) const {
        const double m = static_cast<double>(p.countedKeys(row)), s = static_cast<double>(p.shared);
        switch (p.function) {
        case GauFunction::Relu2Root:
            return static_cast<float>(1 / std::sqrt(m * s));
        case GauFunction::Softmax: // in memory base e, in tiles powers of two
            return static_cast<float>((scores == GauScores::InMemory ? 1 : std::numbers::log2e) / std::sqrt(s));
        default:
            return static_cast<float>(1 / m);
        }
    }
    /// Of the linear part: one over the tokens that it is a mean of.
    float linearScale(int64_t segment) const {
        return 1 / static_cast<float>(p.causal ? segment * p.segment() : p.length);
    }
    bool hasLinearPart(int64_t segment) const { return p.chunk > 0 && (!p.causal || segment > 0); }
    /// Blocks of the linear part of a segment: from the first to this one.
    int64_t linearBlocks(int64_t segment) const {
        return p.causal ? segment * tokens.blocksPerSegment() : tokens.blocks();
    }
    int64_t seenIn(const TokenBlock& block, int64_t row) const {
        return p.causal ? row + 1 - block.begin : block.tokens;
    }

    void quadraticQueries(const Tile& t) const {
        tokens.view(
            0, t.sequence, t.begin, t.rows, [&](int64_t row) { return quadraticScale(row); }, t.q);
    }
    void linearQueries(const Tile& t) const {
        tokens.view(
            1, t.sequence, t.begin, t.rows, [&](int64_t) { return linearScale(t.segment); }, t.q);
    }

    /// Calls work(index, block) for the blocks of the tile's segment that a row of it sees.
    template <class Work>
    void forEachOwnBlock(const Tile& t, const Work& work) const {
        const int64_t first = t.segment * tokens.blocksPerSegment();
        for (int64_t i = first; i < first + tokens.blocksPerSegment(); ++i) {
            const TokenBlock block = tokens.block(i);
            if (block.tokens == 0 || (p.causal && block.begin >= t.begin + t.rows))
                return;
            checkCancelled(options.cancel);
            work(i, block);
        }
    }
    template <class Work>
    void forEachLinearBlock(const Tile& t, const Work& work) const {
        if (!hasLinearPart(t.segment))
            return;
        for (int64_t i = 0; i < linearBlocks(t.segment); ++i)
            if (const TokenBlock block = tokens.block(i); block.tokens > 0) {
                checkCancelled(options.cancel);
                work(i, block);
            }
    }

    void activate(float* s, int64_t count) const {
        if (p.function == GauFunction::Laplace)
            kernel.laplace(s, count);
        else
            kernel.relu2(s, count);
    }

    /// The tile's rows of A, written to memory: each score made, then each row's weights, then the linear part.
    void keepWeights(const Tile& t) const {
        float* rows = weightsOf(t);
        const int64_t own = t.segment * p.segment();
        quadraticQueries(t);
        forEachOwnBlock(t, [&](int64_t i, const TokenBlock& block) {
            tokens.scores(false, t.sequence, i, t.q, t.rows, rows + block.begin, p.length);
        });
        for (int64_t r = 0; r < t.rows; ++r) {
            float* s = rows + r * p.length + own;
            const int64_t end = std::min(p.length, own + p.segment());
            const int64_t seen = p.causal ? t.begin + r + 1 - own : end - own;
            if (isSoftmax()) {
                const float max = softmax.maximum(s, seen);
                softmax.scale(s, s, seen, max, static_cast<float>(1 / softmax.sum(s, seen, max)));
            } else
                activate(s, seen);
        }
        if (!hasLinearPart(t.segment))
            return;
        linearQueries(t);
        forEachLinearBlock(t, [&](int64_t i, const TokenBlock& block) {
            tokens.scores(true, t.sequence, i, t.q, t.rows, t.weights, gauBlockKeys);
            const bool isOwn = block.begin >= own && block.begin < own + p.segment();
            for (int64_t r = 0; r < t.rows; ++r) {
                const float* linear = t.weights + r * gauBlockKeys;
                float* to = rows + r * p.length + block.begin;
                for (int64_t k = 0; k < block.tokens; ++k)
                    to[k] = isOwn ? to[k] + linear[k] : linear[k];
            }
        });
    }

    void mix(const Tile& t) const {
        std::fill_n(t.m, t.rows * tokens.columns(), 0.0f);
        if (scores == GauScores::InMemory)
            multiplyKept(t);
        else {
            quadraticPart(t);
            linearPart(t);
        }
        for (int64_t r = 0; r < t.rows; ++r) {
            const int64_t at = (t.sequence * p.length + t.begin + r) * p.expanded;
            const float* m = t.m + r * tokens.columns();
            if (mixing.gate)
                kernel.multiply(m, mixing.gate + at, mixing.out + at, p.expanded);
            else
                std::copy_n(m, p.expanded, mixing.out + at);
        }
    }

    void multiplyKept(const Tile& t) const {
        const float* rows = weightsOf(t);
        const int64_t own = t.segment * tokens.blocksPerSegment();
        const auto multiply = [&](int64_t i, const TokenBlock& block, int64_t seen) {
            tokens.accumulate(t.sequence, i, rows + block.begin, p.length, t.rows, seen, t.m);
        };
        forEachLinearBlock(t, [&](int64_t i, const TokenBlock& block) {
            if (i < own || i >= own + tokens.blocksPerSegment())
                multiply(i, block, block.tokens);
        });
        forEachOwnBlock(t, [&](int64_t i, const TokenBlock& block) { multiply(i, block, seenIn(block, t.begin)); });
    }

    void quadraticPart(const Tile& t) const {
        quadraticQueries(t);
        std::fill_n(t.max, t.rows, minusInfinity);
        std::fill_n(t.sum, t.rows * kernel.lanes, 0.0f);
        forEachOwnBlock(t, [&](int64_t i, const TokenBlock& block) {
            tokens.scores(false, t.sequence, i, t.q, t.rows, t.weights, gauBlockKeys);
            const int64_t firstSeen = seenIn(block, t.begin);
            for (int64_t r = 0; r < t.rows; ++r) {
                float* s = t.weights + r * gauBlockKeys;
                const int64_t seen = std::clamp<int64_t>(firstSeen + (p.causal ? r : 0), 0, block.tokens);
                if (isSoftmax()) {
                    std::fill(s + seen, s + gauBlockKeys, minusInfinity);
                    kernel.softmaxBlock(s, lazyPowers, t.max[r], t.sum + r * kernel.lanes, t.m + r * tokens.columns(),
                                        tokens.columns());
                } else
                    activate(s, seen);
            }
            tokens.accumulate(t.sequence, i, t.weights, gauBlockKeys, t.rows, firstSeen, t.m);
        });
        for (int64_t r = 0; r < t.rows && isSoftmax(); ++r) {
            float sum = 0, *m = t.m + r * tokens.columns();
            for (int64_t lane = 0; lane < kernel.lanes; ++lane)
                sum += t.sum[r * kernel.lanes + lane];
            kernel.scale(m, 1 / sum, m, tokens.columns());
        }
    }

    void linearPart(const Tile& t) const {
        if (!hasLinearPart(t.segment))
            return;
        linearQueries(t);
        if (scores == GauScores::InTiles) {
            forEachLinearBlock(t, [&](int64_t i, const TokenBlock& block) {
                tokens.scores(true, t.sequence, i, t.q, t.rows, t.weights, gauBlockKeys);
                tokens.accumulate(t.sequence, i, t.weights, gauBlockKeys, t.rows, block.tokens, t.m);
            });
            return;
        }
        states->read(t.sequence, t.segment, t.q, t.rows, t.m);
    }

    const GauScores scores;
    const GauShape& p;
    const RunOptions& options;
    const int workers;
    Workspace workspace;
    const PackedTokens tokens;
    const GauMixing& mixing;
    const GauKernels& kernel = gauKernels();
    const SoftmaxKernels& softmax = softmaxKernels();
    const int64_t rowsPerTile, tilesPerSegment;
    std::optional<ChunkStates> states;
    float *all = nullptr, *scratch = nullptr;
    int64_t scratchSize = 0;
};

} // namespace

RunCost mixTokens(GauScores scores, const GauMixing& mixing, const RunOptions& options) {
    if (mixing.shape.rows() == 0)
        return {};
    return MixRun(scores, mixing, options).run();
}

int64_t mixingBytesAtMost(GauScores scores, const GauShape& p, int threads) {
    if (p.rows() == 0)
        return 0;
    const int64_t columns = roundUp(p.expanded, mostPanelColumns), workers = workerCount(threads);
    const bool states = p.chunk > 0 && scores == GauScores::InChunks;
    return saturatedSum(
        PackedTokens::bytesAtMost(p, p.chunk > 0 && scores != GauScores::InChunks),
        saturatedSum(states ? ChunkStates::bytesAtMost(p) : 0,
                     buffers({scores == GauScores::InMemory ? floats(saturatedProduct(p.batch, p.length), p.length) : 0,
                              floats(workers, scratchFloats(p.shared, columns))})));
}

} // namespace warplight::cpu
