// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/attention/backward.h"

#include "core/cpu/attention/backward_rungs.h"
#include "core/cpu/attention/kernels.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace warplight::cpu {
namespace {

using Rung = RunCost (*)(const BackwardProblem&, const RunOptions&);
constexpr std::array<RungInfo<BackwardRung>, 3> infos{{
    {BackwardRung::Reference, "reference", "double precision, plain loops",
     "nothing: this is the chain rule that every other rung is judged by"},
    {BackwardRung::Standard, "standard-bwd", "P and dS as whole matrices, blocked products",
     "blocks the five matrix products for the registers; pays with two N×N matrices"},
    {BackwardRung::Flash2, "flash2-bwd", "P computed again tile by tile, no N×N matrix",
     "computes P from Q, K and the log-sum-exp where it is needed, so that P and dS never leave the cache"},
}};
constexpr std::array<Rung, infos.size()> rungs{referenceBackward, standardBackward, flash2Backward};

} // namespace

std::span<const RungInfo<BackwardRung>> backwardRungs() { return infos; }

RunCost attentionBackward(BackwardRung rung, const BackwardProblem& problem, const RunOptions& options) {
    checkShape(problem.forward);
    if (headCount(problem.forward) == 0)
        return {}; // nothing is asked for
    return rungs[static_cast<size_t>(rung)](problem, options);
}

double usefulBackwardFlops(const AttentionProblem& p) { return usefulFlops(p) / 4 * 10; }

int64_t extraBytesAtMost(BackwardRung rung, const AttentionProblem& p, int threads) {
    constexpr int64_t mostLanes = 16, standardTile = 48, flashTile = 96;
    const auto up = [](int64_t x, int64_t step) { return (x + step - 1) / step * step; };
    const int64_t workers = workerCount(threads), d = p.headDim, columns = up(d, mostLanes);
    const int64_t rows = saturatedProduct(p.batch * p.queryHeads, p.queryLen), keys = up(p.keyLen, blockKeys);
    switch (rung) {
    case BackwardRung::Reference:
        return buffers({floats(6, rows), floats(2 * workers, p.keyLen + 3 * d)});
    case BackwardRung::Standard:
        return buffers({floats(p.queryLen, keys), floats(p.queryLen, keys), floats(2 * keys, d),
                        floats(3 * keys, columns), floats(2 * p.queryLen, columns), floats(rows, 1),
                        floats(workers * standardTile, columns), 0, 0, 0, 0, 0});
    case BackwardRung::Flash2:
        return buffers({floats(saturatedProduct(backwardChunks(p), rows), columns), floats(rows, 1),
                        floats(workers, blockKeys * (2 * d + 3 * columns) + flashTile * 2 * (blockKeys + columns))});
    }
    return 0;
}

} // namespace warplight::cpu
