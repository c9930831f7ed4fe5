// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/matmul/matmul.h"

#include "core/cpu/matmul/rungs.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

using Rung = RunCost (*)(const MatmulProblem&, const RunOptions&);
constexpr std::array<RungInfo<MatmulRung>, 4> infos{{
    {MatmulRung::Reference, "reference", "double precision, plain loops",
     "nothing: these are the sums that every other rung is judged by"},
    {MatmulRung::Naive, "naive", "three loops as they stand, in f32",
     "half the bytes a number; each element of C walks down a column of B, a cache line for every number"},
    {MatmulRung::Blocked, "blocked", "tiles that stay in the cache, rows of B as vectors",
     "a tile of B serves many rows of A while it is in the cache, and consecutive columns share an instruction"},
    {MatmulRung::Packed, "packed", "A and B packed, sums in registers",
     "six rows times a panel of columns add up in registers: C is loaded and stored once for hundreds of products"},
}};
constexpr std::array<Rung, infos.size()> rungs{referenceMatmul, naiveMatmul, blockedMatmul, packedMatmul};

} // namespace

std::span<const RungInfo<MatmulRung>> matmulRungs() { return infos; }

RunCost matmul(MatmulRung rung, const MatmulProblem& p, const RunOptions& options) {
    if (p.m < 0 || p.n < 0 || p.k < 0)
        throw InputError(fmt::format("matmul: A is {} by {} and B is {} by {}, expected no side to be negative", p.m,
                                     p.k, p.k, p.n));
    if (p.m == 0 || p.n == 0)
        return {};
    if (p.k == 0) {
        std::fill_n(p.c, p.m * p.n, 0.0f);
        return {};
    }
    return rungs[static_cast<size_t>(rung)](p, options);
}

int64_t extraBytesAtMost(MatmulRung rung, const MatmulProblem& problem, int threads) {
    return rung == MatmulRung::Blocked  ? blockedBytesAtMost(problem, threads)
           : rung == MatmulRung::Packed ? packedBytesAtMost(problem, threads)
                                        : 0;
}

double usefulFlops(const MatmulProblem& p) {
    return 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
}

} // namespace warplight::cpu
