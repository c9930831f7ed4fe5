// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// y[r, i] = e^x[r, i] / Σ_j e^x[r, j]. Both f32 [rows, columns], row-major and contiguous.
struct SoftmaxProblem {
    int64_t rows = 0;
    int64_t columns = 0;
    const float* x = nullptr;
    float* y = nullptr;
};

/// The rungs of the ladder, slowest first.
enum class SoftmaxRung { Reference, ThreePass, Online, NoMax };

/// "reference", "three-pass", "online", "no-max", in ladder order. Valid for the whole life of the program.
std::span<const RungInfo<SoftmaxRung>> softmaxRungs();

/// Runs one rung. A row that holds a NaN or +inf, or nothing but -inf (0/0), is NaN as a whole; other -inf give 0. No
/// rows or no columns: nothing is written. The result is bitwise the same for any number of threads. Throws InputError
/// for negative sizes, Cancelled.
RunCost softmax(SoftmaxRung rung, const SoftmaxProblem& problem, const RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(SoftmaxRung rung, const SoftmaxProblem& problem, int threads = 0);

/// Useful floating-point operations: 5 an element (maximum, difference, exponential, sum, product with 1 / sum), also
/// of no-max, which does without the first two.
double usefulFlops(const SoftmaxProblem& problem);

/// Columns that one thread takes at a time; statistics of longer rows are merged.
inline constexpr int64_t softmaxPiece = 1 << 15;

} // namespace warplight::cpu
