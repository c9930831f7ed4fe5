// SPDX-License-Identifier: GPL-3.0-or-later
// The backward pass with P and dS whole in memory, one head after the other. Its products use the same register
// blocking as flash2-bwd, so that what it costs to keep P and dS is all that differs.
#include "core/cpu/attention/backward_kernels.h"
#include "core/cpu/attention/backward_rungs.h"
#include "core/cpu/attention/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace warplight::cpu {
namespace {

constexpr int64_t tileRows = 48; // as standardAttention's: cancelling stays prompt

class StandardBackward {
  public:
    StandardBackward(const BackwardProblem& b, const RunOptions& o)
        : problem(b),
          p(b.forward),
          options(o),
          workers(workerCount(o.threads)),
          d(p.headDim),
          columns(roundUp(d, kernel.lanes)),
          stride(roundUp(p.keyLen, blockKeys)),
          tiles((p.queryLen + tileRows - 1) / tileRows) {
        weights = workspace.take<float>(p.queryLen * stride);
        gradients = workspace.take<float>(p.queryLen * stride);
        packedKeys = workspace.take<float>(stride * d);
        packedValues = workspace.take<float>(stride * d);
        rowSums = workspace.take<float>(p.queryLen);
        if (columns != d) {
            for (float** padded : {&paddedKeys, &sumK, &sumV})
                *padded = workspace.take<float>(p.keyLen * columns);
            for (float** padded : {&paddedQueries, &paddedOut})
                *padded = workspace.take<float>(p.queryLen * columns);
        }
        tileSums = workspace.take<float>(workers * tileRows * columns);
    }

    RunCost run() {
        for (int64_t keyHead = 0; keyHead < p.batch * p.keyHeads; ++keyHead) {
            const int64_t first = keyHead * p.keyLen * d;
            dk = columns == d ? problem.dk + first : sumK;
            dv = columns == d ? problem.dv + first : sumV;
            startKeyHead(p.k + first, p.v + first);
            const int64_t reader = firstReader(p, keyHead);
            for (int64_t head = reader; head < reader + p.queryHeads / p.keyHeads; ++head)
                addHead(head);
            finishKeyHead(problem.dk + first, problem.dv + first);
        }
        return {workspace.bytes(), workers};
    }

  private:
    /// Rows [count, d] with `columns` apart and zeros behind; the rows themselves where nothing is to be padded.
    const float* padded(const float* from, float* to, int64_t begin, int64_t count) const {
        for (int64_t i = begin; to && i < begin + count; ++i) {
            std::memcpy(to + i * columns, from + i * d, sizeof(float) * static_cast<size_t>(d));
            std::fill(to + i * columns + d, to + (i + 1) * columns, 0.0f);
        }
        return to ? to : from;
    }

    void startKeyHead(const float* k, const float* v) {
        parallelItems(stride / blockKeys, workers, options.cancel, [&](int64_t block, int) {
            const int64_t begin = block * blockKeys, count = std::min(blockKeys, p.keyLen - begin);
            kernel.packKeys(k + begin * d, count, d, packedKeys + begin * d);
            kernel.packKeys(v + begin * d, count, d, packedValues + begin * d);
            padded(k, paddedKeys, begin, count);
            std::fill_n(dk + begin * columns, count * columns, 0.0f);
            std::fill_n(dv + begin * columns, count * columns, 0.0f);
        });
        keys = paddedKeys ? paddedKeys : k;
    }

    void addHead(int64_t h) {
        const HeadView head = headView(p, h);
        const BackwardView view = backwardView(problem, h);
        const float* queries = paddedQueries ? paddedQueries : head.q;
        const float* dOut = paddedOut ? paddedOut : view.dOut;
        parallelItems(tiles, workers, options.cancel, [&](int64_t tile, int worker) { // P, dS and dQ of some rows
            const int64_t begin = tile * tileRows, rows = std::min(tileRows, p.queryLen - begin);
            padded(head.q, paddedQueries, begin, rows);
            padded(view.dOut, paddedOut, begin, rows);
            for (int64_t r = begin; r < begin + rows; ++r)
                rowSums[r] = backward.dot(view.dOut + r * d, view.o + r * d, d);
            for (int64_t key = 0; key < stride; key += blockKeys)
                for (int64_t r = begin; r < begin + rows; r += stripRows)
                    scoresOfStrip(head, view, r, std::min(stripRows, begin + rows - r), key);
            queryGradients(view, begin, rows, tileSums + worker * tileRows * columns);
        });
        parallelItems(stride / blockKeys, workers, options.cancel, [&](int64_t block, int) { // dK and dV of some keys
            const int64_t begin = block * blockKeys, count = std::min(blockKeys, p.keyLen - begin);
            const int64_t seeing = firstSeeing(p, 0, begin);
            backward.accumulateTransposed(weights + begin, stride, p.queryLen, count, seeing, dOut, columns,
                                          dv + begin * columns, columns, columns);
            backward.accumulateTransposed(gradients + begin, stride, p.queryLen, count, seeing, queries, columns,
                                          dk + begin * columns, columns, columns);
        });
    }

    void scoresOfStrip(const HeadView& head, const BackwardView& view, int64_t row, int64_t rows, int64_t key) {
        const int64_t seen = std::min(blockKeys, visibleKeys(p, row + rows - 1) - key);
        if (seen <= 0)
            return;
        float *weight = weights + row * stride + key, *gradient = gradients + row * stride + key;
        kernel.scores(head.q + row * d, rows, d, packedKeys + key * d, seen, weight, stride);
        kernel.scores(view.dOut + row * d, rows, d, packedValues + key * d, seen, gradient, stride);
        for (int64_t r = 0; r < rows; ++r) { // what the mask hides is computed along, and never read
            backward.weights(weight + r * stride, roundUp(seen, kernel.lanes), scale2, shiftOf(view.lse[row + r]));
            backward.scoreGradients(weight + r * stride, gradient + r * stride, roundUp(seen, kernel.lanes),
                                    rowSums[row + r]);
        }
    }

    void queryGradients(const BackwardView& view, int64_t begin, int64_t rows, float* sums) const {
        std::fill_n(sums, rows * columns, 0.0f);
        for (int64_t key = 0; key < p.keyLen; key += blockKeys)
            for (int64_t r = 0; r < rows; r += stripRows) {
                const int64_t strip = std::min(stripRows, rows - r), row = begin + r;
                const int64_t seen = std::min(blockKeys, visibleKeys(p, row + strip - 1) - key);
                if (seen > 0)
                    kernel.accumulate(gradients + row * stride + key, stride, strip, keys + key * columns, columns,
                                      seen, p.causal ? row + 1 + p.keyLen - p.queryLen - key : seen, sums + r * columns,
                                      columns, columns);
            }
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < d; ++c)
                view.dq[(begin + r) * d + c] = sums[r * columns + c] * p.scale;
    }

    void finishKeyHead(float* outK, float* outV) const {
        for (int64_t j = 0; j < p.keyLen; ++j)
            for (int64_t c = 0; c < d; ++c) {
                outK[j * d + c] = dk[j * columns + c] * p.scale;
                outV[j * d + c] = dv[j * columns + c];
            }
    }

    const BackwardProblem& problem;
    const AttentionProblem& p;
    const RunOptions& options;
    const Kernels& kernel = kernels();
    const BackwardKernels& backward = backwardKernels();
    const int workers;
    const int64_t d, columns, stride, tiles;
    const float scale2 = static_cast<float>(static_cast<double>(p.scale) * log2e);
    Workspace workspace;
    float *weights = nullptr, *gradients = nullptr; ///< P and dS [queryLen, stride]
    float *packedKeys = nullptr, *packedValues = nullptr;
    float* rowSums = nullptr; ///< D
    float *paddedKeys = nullptr, *sumK = nullptr, *sumV = nullptr, *paddedQueries = nullptr, *paddedOut = nullptr;
    float* tileSums = nullptr;
    const float* keys = nullptr;        ///< of the key head at hand, `columns` apart
    float *dk = nullptr, *dv = nullptr; ///< the same, before the scale
};

} // namespace

RunCost standardBackward(const BackwardProblem& problem, const RunOptions& options) {
    return StandardBackward(problem, options).run();
}

} // namespace warplight::cpu
