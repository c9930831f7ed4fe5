// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// C = A · B in f32, row-major and contiguous: a [m, k] (transposedA: [k, m]), b [k, n] (transposedB: [n, k]),
/// c [m, n].
struct MatmulProblem {
    int64_t m = 0;
    int64_t n = 0;
    int64_t k = 0;
    bool transposedB = false;
    const float* a = nullptr;
    const float* b = nullptr;
    float* c = nullptr;
    bool transposedA = false;
};

/// The rungs of the ladder, slowest first.
enum class MatmulRung { Reference, Naive, Blocked, Packed };

/// "reference", "naive", "blocked", "packed", in ladder order. Valid for the whole life of the program.
std::span<const RungInfo<MatmulRung>> matmulRungs();

/// Runs one rung. k = 0 gives C = 0; m or n = 0: nothing is written. NaN and infinity as IEEE arithmetic says. The
/// result is bitwise the same for any number of threads. Throws InputError for negative sizes, Cancelled.
RunCost matmul(MatmulRung rung, const MatmulProblem& problem, const RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(MatmulRung rung, const MatmulProblem& problem, int threads = 0);

/// Useful floating-point operations: 2 · m · n · k.
double usefulFlops(const MatmulProblem& problem);

} // namespace warplight::cpu
