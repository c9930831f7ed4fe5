// SPDX-License-Identifier: GPL-3.0-or-later
// The rung all others are judged by: three loops in double precision, straight from the formula.
#include "core/cpu/attention/rungs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace warplight::cpu {

AttentionCost referenceAttention(const AttentionProblem& p, const Execution& execution) {
    return attentionByFormula(p, {execution.threads, execution.cancel}, nullptr);
}

RunCost attentionByFormula(const AttentionProblem& p, const RunOptions& options, const BlockMask* mask) {
    const int workers = workerCount(options.threads);
    Workspace workspace;
    const int64_t scratchPerWorker = p.keyLen + p.headDim;
    double* scratch = workspace.take<double>(scratchPerWorker * workers);
    parallelItems(headCount(p) * p.queryLen, workers, options.cancel, [&](int64_t item, int worker) {
        const HeadView head = headView(p, item / p.queryLen);
        const int64_t row = item % p.queryLen, keys = visibleKeys(p, row), d = p.headDim;
        const BlockRow blocks = mask ? blocksOf(*mask, p, item / p.queryLen, row / mask->blockSize) : BlockRow{};
        const auto hidden = [&](int64_t key) { return mask && !isVisible(*mask, blocks, row, key); };
        double* s = scratch + worker * scratchPerWorker;
        double* o = s + p.keyLen;
        double max = -std::numeric_limits<double>::infinity();
        for (int64_t j = 0; j < keys; ++j) {
            if (hidden(j))
                continue;
            double dot = 0;
            for (int64_t c = 0; c < d; ++c)
                dot += static_cast<double>(head.q[row * d + c]) * static_cast<double>(head.k[j * d + c]);
            s[j] = dot * static_cast<double>(p.scale);
            max = s[j] > max || std::isnan(s[j]) ? s[j] : max;
        }
        double sum = 0;
        std::fill_n(o, d, 0.0);
        for (int64_t j = 0; j < keys; ++j) {
            if (hidden(j))
                continue;
            const double weight = std::isinf(s[j]) && s[j] < 0 ? 0.0 : std::exp(s[j] - max);
            sum += weight;
            for (int64_t c = 0; c < d; ++c)
                o[c] += weight * static_cast<double>(head.v[j * d + c]);
        }
        for (int64_t c = 0; c < d; ++c)
            head.o[row * d + c] = static_cast<float>(sum == 0 ? 0 : o[c] / sum);
        if (head.lse)
            head.lse[row] =
                static_cast<float>(sum == 0 ? -std::numeric_limits<double>::infinity() : max + std::log(sum));
    });
    return {workspace.bytes(), workers};
}

} // namespace warplight::cpu
