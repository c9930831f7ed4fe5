// SPDX-License-Identifier: GPL-3.0-or-later
// Standard attention: S = Q Kᵀ, P = softmax(S), O = P V as three passes, with S and P as whole N×N matrices of one
// head. The products use the same register blocking as the flash rungs, so that what it costs to keep S and P in memory
// is all that differs.
#include "core/cpu/attention/kernels.h"
#include "core/cpu/attention/rungs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace warplight::cpu {
namespace {

constexpr int64_t tileRows =
    48; // a tile of P times all of V is then some milliseconds at most: cancelling stays prompt

} // namespace

AttentionCost standardAttention(const AttentionProblem& p, const Execution& execution) {
    const Kernels& kernel = kernels();
    const int workers = workerCount(execution.threads);
    const int64_t d = p.headDim, columns = roundUp(d, kernel.lanes), stride = roundUp(p.keyLen, blockKeys);
    const int64_t tiles = (p.queryLen + tileRows - 1) / tileRows, blocks = stride / blockKeys;
    const float scale2 = static_cast<float>(static_cast<double>(p.scale) * log2e);

    Workspace workspace;
    float* s = workspace.take<float>(p.queryLen * stride);
    float* probabilities = workspace.take<float>(p.queryLen * stride);
    float* packed = workspace.take<float>(blocks * blockKeys * d);
    float* values = columns == d ? nullptr : workspace.take<float>(p.keyLen * columns);
    float* sums = workspace.take<float>(p.queryLen);
    float* perWorker = workspace.take<float>(workers * tileRows * (d + columns));

    for (int64_t h = 0; h < headCount(p); ++h) {
        const HeadView head = headView(p, h);
        parallelItems(blocks, workers, execution.cancel, [&](int64_t block, int) {
            const int64_t begin = block * blockKeys, keys = std::min(blockKeys, p.keyLen - begin);
            kernel.packKeys(head.k + begin * d, keys, d, packed + begin * d);
            for (int64_t j = begin; values && j < begin + keys; ++j) {
                std::memcpy(values + j * columns, head.v + j * d, sizeof(float) * static_cast<size_t>(d));
                std::fill(values + j * columns + d, values + (j + 1) * columns, 0.0f);
            }
        });
        parallelItems(tiles, workers, execution.cancel, [&](int64_t tile, int worker) { // S = Q Kᵀ
            const int64_t begin = tile * tileRows, rows = std::min(tileRows, p.queryLen - begin);
            float* query = perWorker + worker * tileRows * (d + columns);
            for (int64_t i = 0; i < rows * d; ++i)
                query[i] = head.q[begin * d + i] * scale2;
            for (int64_t block = 0; block < blocks; ++block)
                for (int64_t r = 0; r < rows; r += stripRows)
                    kernel.scores(query + r * d, std::min(stripRows, rows - r), d, packed + block * blockKeys * d,
                                  blockKeys, s + (begin + r) * stride + block * blockKeys, stride);
        });
        parallelItems(p.queryLen, workers, execution.cancel, [&](int64_t row, int) { // P = softmax(S), masked
            const int64_t keys = visibleKeys(p, row);
            float* out = probabilities + row * stride;
            float max = -std::numeric_limits<float>::infinity(), sum = 0;
            kernel.softmaxRow(s + row * stride, out, keys, max, sum);
            std::fill(out + keys, out + stride, 0.0f);
            sums[row] = sum;
            if (head.lse)
                head.lse[row] = static_cast<float>(
                    sum == 0 ? -std::numeric_limits<double>::infinity()
                             : (static_cast<double>(max) + std::log2(static_cast<double>(sum))) * ln2);
        });
        parallelItems(tiles, workers, execution.cancel, [&](int64_t tile, int worker) { // O = P V
            const int64_t begin = tile * tileRows, rows = std::min(tileRows, p.queryLen - begin);
            float* out = perWorker + worker * tileRows * (d + columns);
            std::fill_n(out, rows * columns, 0.0f);
            for (int64_t key = 0; key < p.keyLen; key += blockKeys)
                for (int64_t r = 0; r < rows; r += stripRows) {
                    const int64_t strip = std::min(stripRows, rows - r), row = begin + r;
                    const int64_t seen = std::min(blockKeys, visibleKeys(p, row + strip - 1) - key);
                    if (seen > 0)
                        kernel.accumulate(probabilities + row * stride + key, stride, strip,
                                          (values ? values : head.v) + key * columns, columns, seen,
                                          p.causal ? row + 1 + p.keyLen - p.queryLen - key : seen, out + r * columns,
                                          columns, columns);
                }
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t c = 0; c < d; ++c)
                    head.o[(begin + r) * d + c] = sums[begin + r] == 0 ? 0 : out[r * columns + c] / sums[begin + r];
        });
    }
    return {workspace.bytes(), workers};
}

} // namespace warplight::cpu
