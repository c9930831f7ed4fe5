// SPDX-License-Identifier: GPL-3.0-or-later
// The backward rung all others are judged by: the chain rule in double precision, from Q, K, V and dO alone.
#include "core/cpu/attention/backward_rungs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace warplight::cpu {
namespace {

double dot(const float* a, const float* b, int64_t count) {
    double sum = 0;
    for (int64_t c = 0; c < count; ++c)
        sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
    return sum;
}

/// What a row's weights and their gradients need.
struct RowStatistics {
    double max, sum, rowSum; ///< rowSum: D = Σ_j P_j dP_j
    double exponential(double score) const { return std::isinf(score) && score < 0 ? 0 : std::exp(score - max); }
    double weight(double score) const { return exponential(score) / (sum == 0 ? 1 : sum); }
};

} // namespace

RunCost referenceBackward(const BackwardProblem& problem, const RunOptions& options) {
    const AttentionProblem& p = problem.forward;
    const int workers = workerCount(options.threads);
    const int64_t d = p.headDim, perWorker = p.keyLen + 2 * d;
    const double scale = static_cast<double>(p.scale);
    Workspace workspace;
    auto* statistics = workspace.take<RowStatistics>(headCount(p) * p.queryLen);
    double* scratch = workspace.take<double>(perWorker * workers);

    parallelItems(headCount(p) * p.queryLen, workers, options.cancel, [&](int64_t item, int worker) { // rows: dQ
        const HeadView head = headView(p, item / p.queryLen);
        const BackwardView view = backwardView(problem, item / p.queryLen);
        const int64_t row = item % p.queryLen, keys = visibleKeys(p, row);
        const float *q = head.q + row * d, *dOut = view.dOut + row * d;
        double* score = scratch + worker * perWorker;
        double* dq = score + p.keyLen;
        RowStatistics s{-std::numeric_limits<double>::infinity(), 0, 0};
        for (int64_t j = 0; j < keys; ++j) {
            score[j] = dot(q, head.k + j * d, d) * scale;
            s.max = score[j] > s.max || std::isnan(score[j]) ? score[j] : s.max;
        }
        for (int64_t j = 0; j < keys; ++j)
            s.sum += s.exponential(score[j]);
        for (int64_t j = 0; j < keys; ++j)
            s.rowSum += s.weight(score[j]) * dot(dOut, head.v + j * d, d);
        std::fill_n(dq, d, 0.0);
        for (int64_t j = 0; j < keys; ++j) {
            const double ds = s.weight(score[j]) * (dot(dOut, head.v + j * d, d) - s.rowSum) * scale;
            for (int64_t c = 0; c < d; ++c)
                dq[c] += ds * static_cast<double>(head.k[j * d + c]);
        }
        for (int64_t c = 0; c < d; ++c)
            view.dq[row * d + c] = static_cast<float>(dq[c]);
        statistics[item] = s;
    });

    parallelItems(p.batch * p.keyHeads * p.keyLen, workers, options.cancel, [&](int64_t item, int worker) { // dK, dV
        const int64_t keyHead = item / p.keyLen, key = item % p.keyLen;
        double* dk = scratch + worker * perWorker;
        double* dv = dk + d;
        std::fill_n(dk, 2 * d, 0.0);
        for (int64_t h = firstReader(p, keyHead); h < firstReader(p, keyHead) + p.queryHeads / p.keyHeads; ++h) {
            const HeadView head = headView(p, h);
            const BackwardView view = backwardView(problem, h);
            const float *k = head.k + key * d, *v = head.v + key * d;
            for (int64_t row = std::max<int64_t>(0, firstSeeing(p, 0, key)); row < p.queryLen; ++row) {
                const float *q = head.q + row * d, *dOut = view.dOut + row * d;
                const RowStatistics& s = statistics[h * p.queryLen + row];
                const double weight = s.weight(dot(q, k, d) * scale),
                             ds = weight * (dot(dOut, v, d) - s.rowSum) * scale;
                for (int64_t c = 0; c < d; ++c) {
                    dk[c] += ds * static_cast<double>(q[c]);
                    dv[c] += weight * static_cast<double>(dOut[c]);
                }
            }
        }
        for (int64_t c = 0; c < d; ++c) {
            problem.dk[item * d + c] = static_cast<float>(dk[c]);
            problem.dv[item * d + c] = static_cast<float>(dv[c]);
        }
    });
    return {workspace.bytes(), workers};
}

} // namespace warplight::cpu
