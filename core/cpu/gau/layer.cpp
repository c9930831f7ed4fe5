// SPDX-License-Identifier: GPL-3.0-or-later
// The whole unit in f32: its four products, and tokens mixed between them.
#include "core/cpu/gau/kernels.h"
#include "core/cpu/gau/mixing.h"
#include "core/cpu/gau/rungs.h"
#include "core/cpu/matmul/matmul.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace warplight::cpu {
namespace {

MatmulProblem productOf(const GauShape& p, int64_t in, int64_t out, const float* x, const float* w, float* y) {
    return {p.rows(), out, in, false, x, w, y};
}

/// y = silu(x · w).
int64_t project(const GauShape& p, int64_t out, const float* x, const float* w, float* y, const RunOptions& options) {
    constexpr int64_t piece = 1 << 14;
    const int64_t held = matmul(MatmulRung::Packed, productOf(p, p.features, out, x, w, y), options).extraBytes;
    const int64_t count = p.rows() * out;
    parallelItems(ceilDiv(count, piece), workerCount(options.threads), options.cancel, [&](int64_t item, int) {
        float* at = y + item * piece;
        gauKernels().silu(at, at, std::min(piece, count - item * piece));
    });
    return held;
}

RunCost layer(GauScores scores, const GauProblem& problem, const RunOptions& options) {
    const GauShape& p = problem.shape;
    Workspace workspace;
    float *u = workspace.take<float>(p.rows() * p.expanded), *v = workspace.take<float>(p.rows() * p.expanded),
          *z = workspace.take<float>(p.rows() * p.shared);
    int64_t inside = project(p, p.expanded, problem.x, problem.wu, u, options);
    inside = std::max(inside, project(p, p.expanded, problem.x, problem.wv, v, options));
    inside = std::max(inside, project(p, p.shared, problem.x, problem.wz, z, options));
    inside = std::max(inside, mixTokens(scores, {p, z, problem.gamma, problem.beta, v, u, u}, options).extraBytes);
    inside = std::max(
        inside,
        matmul(MatmulRung::Packed, productOf(p, p.expanded, p.features, u, problem.wo, problem.y), options).extraBytes);
    return {workspace.bytes() + inside, workerCount(options.threads)};
}

GauScores scoresOf(GauRung rung) {
    return rung == GauRung::Quadratic ? GauScores::InMemory
           : rung == GauRung::Tiled   ? GauScores::InTiles
                                      : GauScores::InChunks;
}

} // namespace

RunCost quadraticGau(const GauProblem& problem, const RunOptions& options) {
    return layer(GauScores::InMemory, problem, options);
}
RunCost tiledGau(const GauProblem& problem, const RunOptions& options) {
    return layer(GauScores::InTiles, problem, options);
}
RunCost chunkedGau(const GauProblem& problem, const RunOptions& options) {
    return layer(GauScores::InChunks, problem, options);
}

int64_t extraBytesAtMost(GauRung rung, const GauShape& p, int threads) {
    const int64_t rows = saturatedProduct(p.batch, p.length);
    const int64_t wide = floats(rows, p.expanded), narrow = floats(rows, p.shared);
    if (rung == GauRung::Reference) // U, V, Z in f64 of one sequence, and a row of A, its sum and A V of each worker
        return buffers({2 * floats(p.length, 2 * p.expanded), 2 * floats(p.length, p.shared),
                        2 * floats(p.length, saturatedProduct(p.views(), p.shared)),
                        2 * floats(workerCount(threads), saturatedSum(p.length, p.expanded))});
    int64_t inside = mixingBytesAtMost(scoresOf(rung), p, threads);
    for (const auto& [in, out] :
         {std::pair(p.features, p.expanded), std::pair(p.features, p.shared), std::pair(p.expanded, p.features)})
        inside = std::max(inside, extraBytesAtMost(MatmulRung::Packed, {rows, out, in}, threads));
    return saturatedSum(buffers({wide, wide, narrow}), inside);
}

} // namespace warplight::cpu
