// SPDX-License-Identifier: GPL-3.0-or-later
// FlashAttention-2's backward pass (Dao 2023, algorithm 2) on the CPU: a block of keys walks over tiles of queries. P
// is computed again from Q, K and the log-sum-exp; P and dS of a tile stay in the cache.
//
// A key head, or a chunk of its keys where heads are few, belongs to one thread: dK and dV add up beside it. dQ, to
// which all keys add, adds up once a chunk; chunks are merged in their order. So there are no races, and the result has
// the same bits for any number of threads.
#include "core/cpu/attention/backward_kernels.h"
#include "core/cpu/attention/backward_rungs.h"
#include "core/cpu/attention/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

namespace warplight::cpu {
namespace {

constexpr int64_t tileRows = 96;    // P and dS of a tile: 48 KiB
constexpr int64_t wantedItems = 16; // enough to even out a handful of threads

class Flash2Backward {
  public:
    Flash2Backward(const BackwardProblem& b, const RunOptions& o)
        : problem(b),
          p(b.forward),
          options(o),
          workers(workerCount(o.threads)),
          d(p.headDim),
          columns(roundUp(d, kernel.lanes)),
          chunks(backwardChunks(p)) {
        rowSums = workspace.take<float>(headCount(p) * p.queryLen);
        partials = workspace.take<float>((inPlace() ? chunks - 1 : chunks) * headCount(p) * p.queryLen * columns);
        scratchFloats = roundUp(blockKeys * (2 * d + 3 * columns) + 2 * tileRows * (blockKeys + columns), 16);
        scratch = workspace.take<float>(workers * scratchFloats);
    }

    RunCost run() {
        const int64_t pieces = ceilDiv(p.queryLen, tileRows);
        parallelItems(headCount(p) * pieces, workers, options.cancel, [&](int64_t item, int) {
            const BackwardView view = backwardView(problem, item / pieces);
            const int64_t begin = item % pieces * tileRows, end = std::min(begin + tileRows, p.queryLen);
            for (int64_t row = begin; row < end; ++row)
                rowSums[item / pieces * p.queryLen + row] = backward.dot(view.dOut + row * d, view.o + row * d, d);
        });
        // The first keys are seen by most queries: under a causal mask heavy items come first.
        const int64_t keyHeads = p.batch * p.keyHeads;
        parallelItems(keyHeads * chunks, workers, options.cancel,
                      [&](int64_t item, int worker) { walkChunk(item % keyHeads, item / keyHeads, worker); });
        parallelItems(headCount(p) * pieces, workers, options.cancel, [&](int64_t item, int) {
            const int64_t begin = item % pieces * tileRows;
            mergeQueries(item / pieces, begin, std::min(begin + tileRows, p.queryLen));
        });
        return {workspace.bytes(), workers};
    }

  private:
    struct Scratch {
        float *packedKeys, *packedValues; ///< as Kernels::packKeys
        float *keys, *dk, *dv;            ///< [blockKeys, columns]
        float *weights, *gradients;       ///< [tileRows, blockKeys]
        float *queries, *dOut;            ///< [tileRows, columns]
    };

    bool inPlace() const { return columns == d; } ///< dQ of the first chunk adds up where it belongs

    float* queryGradients(int64_t head, int64_t chunk) const {
        const int64_t offset = head * p.queryLen * columns;
        if (inPlace() && chunk == 0)
            return problem.dq + offset;
        return partials + (inPlace() ? chunk - 1 : chunk) * headCount(p) * p.queryLen * columns + offset;
    }

    Scratch scratchOf(int worker) const {
        float* at = scratch + worker * scratchFloats;
        const auto take = [&at](int64_t count) { return (at += count) - count; };
        return {take(blockKeys * d),        take(blockKeys * d),       take(blockKeys * columns),
                take(blockKeys * columns),  take(blockKeys * columns), take(tileRows * blockKeys),
                take(tileRows * blockKeys), take(tileRows * columns),  take(tileRows * columns)};
    }

    const float* padded(const float* from, float* to, int64_t count) const {
        if (columns == d)
            return from;
        for (int64_t i = 0; i < count; ++i) {
            std::memcpy(to + i * columns, from + i * d, sizeof(float) * static_cast<size_t>(d));
            std::fill(to + i * columns + d, to + (i + 1) * columns, 0.0f);
        }
        return to;
    }

    void walkChunk(int64_t keyHead, int64_t chunk, int worker) const {
        const int64_t first = firstReader(p, keyHead), end = first + p.queryHeads / p.keyHeads;
        for (int64_t head = first; head < end; ++head)
            std::fill_n(queryGradients(head, chunk), p.queryLen * columns, 0.0f);
        const int64_t blocks = ceilDiv(p.keyLen, blockKeys), perChunk = ceilDiv(blocks, chunks);
        const Scratch s = scratchOf(worker);
        for (int64_t block = chunk * perChunk; block < std::min(blocks, (chunk + 1) * perChunk); ++block) {
            const int64_t begin = block * blockKeys, keys = std::min(blockKeys, p.keyLen - begin);
            const int64_t at = (keyHead * p.keyLen + begin) * d;
            kernel.packKeys(p.k + at, keys, d, s.packedKeys);
            kernel.packKeys(p.v + at, keys, d, s.packedValues);
            const float* keyRows = padded(p.k + at, s.keys, keys);
            std::fill_n(s.dk, keys * columns, 0.0f);
            std::fill_n(s.dv, keys * columns, 0.0f);
            for (int64_t head = first; head < end; ++head)
                for (int64_t row = 0; row < p.queryLen; row += tileRows)
                    addTile(s, keyRows, head, row, begin, keys, queryGradients(head, chunk));
            for (int64_t j = 0; j < keys; ++j)
                for (int64_t c = 0; c < d; ++c) {
                    problem.dk[at + j * d + c] = s.dk[j * columns + c] * p.scale;
                    problem.dv[at + j * d + c] = s.dv[j * columns + c];
                }
        }
    }

    /// A tile of queries against a block of keys. What the mask hides may be computed along, and is never read.
    void addTile(const Scratch& s, const float* keyRows, int64_t h, int64_t begin, int64_t key, int64_t keys,
                 float* dq) const {
        const int64_t rows = std::min(tileRows, p.queryLen - begin);
        if (visibleKeys(p, begin + rows - 1) <= key)
            return;
        checkCancelled(options.cancel);
        const HeadView head = headView(p, h);
        const BackwardView view = backwardView(problem, h);
        const float* queries = padded(head.q + begin * d, s.queries, rows);
        const float* dOut = padded(view.dOut + begin * d, s.dOut, rows);
        for (int64_t r = 0; r < rows; r += stripRows) {
            const int64_t strip = std::min(stripRows, rows - r), row = begin + r;
            const int64_t seen = std::min(keys, visibleKeys(p, row + strip - 1) - key);
            if (seen <= 0)
                continue;
            float *weights = s.weights + r * blockKeys, *gradients = s.gradients + r * blockKeys;
            kernel.scores(head.q + row * d, strip, d, s.packedKeys, seen, weights, blockKeys);
            kernel.scores(view.dOut + row * d, strip, d, s.packedValues, seen, gradients, blockKeys);
            for (int64_t i = 0; i < strip; ++i) {
                backward.weights(weights + i * blockKeys, roundUp(seen, kernel.lanes), scale2,
                                 shiftOf(view.lse[row + i]));
                backward.scoreGradients(weights + i * blockKeys, gradients + i * blockKeys, roundUp(seen, kernel.lanes),
                                        rowSums[h * p.queryLen + row + i]);
            }
            kernel.accumulate(gradients, blockKeys, strip, keyRows, columns, seen,
                              p.causal ? row + 1 + p.keyLen - p.queryLen - key : seen, dq + row * columns, columns,
                              columns);
        }
        const int64_t seeing = firstSeeing(p, begin, key);
        backward.accumulateTransposed(s.weights, blockKeys, rows, keys, seeing, dOut, columns, s.dv, columns, columns);
        backward.accumulateTransposed(s.gradients, blockKeys, rows, keys, seeing, queries, columns, s.dk, columns,
                                      columns);
    }

    void mergeQueries(int64_t head, int64_t begin, int64_t end) const {
        float* out = backwardView(problem, head).dq;
        for (int64_t row = begin; row < end; ++row)
            for (int64_t c = 0; c < d; ++c) {
                float sum = queryGradients(head, 0)[row * columns + c];
                for (int64_t chunk = 1; chunk < chunks; ++chunk)
                    sum += queryGradients(head, chunk)[row * columns + c];
                out[row * d + c] = sum * p.scale;
            }
    }

    const BackwardProblem& problem;
    const AttentionProblem& p;
    const RunOptions& options;
    const Kernels& kernel = kernels();
    const BackwardKernels& backward = backwardKernels();
    const int workers;
    const int64_t d, columns, chunks;
    const float scale2 = static_cast<float>(static_cast<double>(p.scale) * log2e);
    Workspace workspace;
    float* rowSums = nullptr;  ///< D [heads, queryLen]
    float* partials = nullptr; ///< dQ before the scale [chunks, heads, queryLen, columns], but for what is in place
    float* scratch = nullptr;
    int64_t scratchFloats = 0;
};

} // namespace

int64_t backwardChunks(const AttentionProblem& p) {
    const int64_t blocks = ceilDiv(p.keyLen, blockKeys);
    return std::clamp<int64_t>(ceilDiv(wantedItems, std::max<int64_t>(p.batch * p.keyHeads, 1)), 1,
                               std::max<int64_t>(blocks, 1));
}

RunCost flash2Backward(const BackwardProblem& problem, const RunOptions& options) {
    return Flash2Backward(problem, options).run();
}

} // namespace warplight::cpu
