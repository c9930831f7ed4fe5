// SPDX-License-Identifier: GPL-3.0-or-later
// One query row at a time with a running maximum and sum: no N×N matrix, but K and V are read anew for each row.
#include "core/cpu/attention/kernels.h"
#include "core/cpu/attention/rungs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace warplight::cpu {

AttentionCost onlineAttention(const AttentionProblem& p, const Execution& execution) {
    const Kernels& kernel = kernels();
    const int workers = workerCount(execution.threads);
    Workspace workspace;
    float* queries = workspace.take<float>(p.headDim * workers);
    const float scale2 = static_cast<float>(static_cast<double>(p.scale) * log2e);
    parallelItems(headCount(p) * p.queryLen, workers, execution.cancel, [&](int64_t item, int worker) {
        const HeadView head = headView(p, item / p.queryLen);
        const int64_t row = item % p.queryLen, d = p.headDim;
        float* query = queries + worker * d;
        for (int64_t c = 0; c < d; ++c)
            query[c] = head.q[row * d + c] * scale2;
        float* o = head.o + row * d;
        float max, sum;
        kernel.onlineRow(query, head.k, head.v, visibleKeys(p, row), d, o, max, sum);
        for (int64_t c = 0; c < d; ++c)
            o[c] = sum == 0 ? 0 : o[c] / sum;
        if (head.lse)
            head.lse[row] =
                static_cast<float>(sum == 0 ? -std::numeric_limits<double>::infinity()
                                            : (static_cast<double>(max) + std::log2(static_cast<double>(sum))) * ln2);
    });
    return {workspace.bytes(), workers};
}

} // namespace warplight::cpu
