// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/softmax/softmax.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/softmax/kernels.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <limits>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<SoftmaxRung>, 4> infos{{
    {SoftmaxRung::Reference, "reference", "double precision, plain loops",
     "nothing: this is the formula, with its maximum taken off, that every other rung is judged by"},
    {SoftmaxRung::ThreePass, "three-pass", "maximum, sum, result: the row is read three times",
     "a vector of exponentials at a time, in f32"},
    {SoftmaxRung::Online, "online", "maximum and sum in one pass, then the result: the row is read twice",
     "keeps a running maximum and rescales the sum when it rises: one pass over memory less"},
    {SoftmaxRung::NoMax, "no-max", "e^x as it stands: overflows above 88.7",
     "nothing is taken off, so there is no maximum to look for; what the other rungs are careful about"},
}};

constexpr double minusInfinity = -std::numeric_limits<double>::infinity();

struct Statistics {
    float max;
    double sum; ///< Σ e^(x - max)
};

Statistics statisticsOf(SoftmaxRung rung, const float* x, int64_t count) {
    const SoftmaxKernels& kernel = softmaxKernels();
    Statistics s{};
    if (rung == SoftmaxRung::NoMax) { // as if the maximum were 0
        s.sum = kernel.sumAsItStands(x, count);
    } else if (rung == SoftmaxRung::Online) {
        kernel.maximumAndSum(x, count, s.max, s.sum);
    } else {
        s.max = kernel.maximum(x, count);
        s.sum = kernel.sum(x, count, std::isinf(s.max) && s.max < 0 ? 0 : s.max); // -inf alone: a sum of 0
    }
    return s;
}

/// Of a row whose statistics were taken in pieces.
Statistics merged(const Statistics* parts, int64_t count) {
    Statistics all{-std::numeric_limits<float>::infinity(), 0};
    for (int64_t i = 0; i < count; ++i)
        all.max = std::isnan(parts[i].max) ? parts[i].max : std::max(all.max, parts[i].max);
    for (int64_t i = 0; i < count; ++i)
        all.sum += parts[i].sum * std::exp(static_cast<double>(parts[i].max) - static_cast<double>(all.max));
    return all;
}

void write(SoftmaxRung rung, const float* x, float* y, int64_t count, const Statistics& s) {
    const auto factor = static_cast<float>(1 / s.sum);
    if (rung == SoftmaxRung::NoMax)
        softmaxKernels().scaleAsItStands(x, y, count, factor);
    else
        softmaxKernels().scale(x, y, count, s.max, factor);
}

RunCost reference(const SoftmaxProblem& p, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    parallelItems(p.rows, workers, options.cancel, [&](int64_t row, int) {
        const float* x = p.x + row * p.columns;
        float* y = p.y + row * p.columns;
        double max = minusInfinity, sum = 0;
        for (int64_t i = 0; i < p.columns; ++i)
            max = std::max(max, static_cast<double>(x[i]));
        for (int64_t i = 0; i < p.columns; ++i)
            sum += std::exp(static_cast<double>(x[i]) - max);
        for (int64_t i = 0; i < p.columns; ++i)
            y[i] = static_cast<float>(std::exp(static_cast<double>(x[i]) - max) / sum);
    });
    return {0, workers};
}

/// Short rows whole, several an item; long ones in pieces, so that few rows occupy all threads as well.
RunCost inPieces(SoftmaxRung rung, const SoftmaxProblem& p, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    if (p.columns <= softmaxPiece) {
        const int64_t rows = std::max<int64_t>(1, softmaxPiece / p.columns);
        parallelItems((p.rows + rows - 1) / rows, workers, options.cancel, [&](int64_t item, int) {
            for (int64_t row = item * rows; row < std::min(p.rows, (item + 1) * rows); ++row) {
                const float* x = p.x + row * p.columns;
                write(rung, x, p.y + row * p.columns, p.columns, statisticsOf(rung, x, p.columns));
            }
        });
        return {0, workers};
    }
    const int64_t pieces = (p.columns + softmaxPiece - 1) / softmaxPiece;
    Workspace workspace;
    auto* parts = workspace.take<Statistics>(p.rows * pieces);
    const auto perPiece = [&](const auto& work) {
        parallelItems(p.rows * pieces, workers, options.cancel, [&](int64_t item, int) {
            const int64_t begin = item % pieces * softmaxPiece;
            work(item / pieces, item / pieces * p.columns + begin, std::min(softmaxPiece, p.columns - begin), item);
        });
    };
    perPiece(
        [&](int64_t, int64_t at, int64_t count, int64_t item) { parts[item] = statisticsOf(rung, p.x + at, count); });
    auto* rows = workspace.take<Statistics>(p.rows);
    for (int64_t row = 0; row < p.rows; ++row)
        rows[row] = merged(parts + row * pieces, pieces);
    perPiece(
        [&](int64_t row, int64_t at, int64_t count, int64_t) { write(rung, p.x + at, p.y + at, count, rows[row]); });
    return {workspace.bytes(), workers};
}

} // namespace

std::span<const RungInfo<SoftmaxRung>> softmaxRungs() { return infos; }

RunCost softmax(SoftmaxRung rung, const SoftmaxProblem& problem, const RunOptions& options) {
    if (problem.rows < 0 || problem.columns < 0)
        throw InputError(fmt::format("softmax: {} rows and {} columns, expected none to be negative", problem.rows,
                                     problem.columns));
    if (problem.rows == 0 || problem.columns == 0)
        return {};
    return rung == SoftmaxRung::Reference ? reference(problem, options) : inPieces(rung, problem, options);
}

int64_t extraBytesAtMost(SoftmaxRung rung, const SoftmaxProblem& p, int) {
    if (rung == SoftmaxRung::Reference || p.columns <= softmaxPiece)
        return 0;
    const int64_t pieces = (p.columns + softmaxPiece - 1) / softmaxPiece, words = sizeof(Statistics) / 4;
    return buffers({floats(saturatedProduct(p.rows, pieces), words), floats(p.rows, words)});
}

double usefulFlops(const SoftmaxProblem& p) {
    return 5.0 * static_cast<double>(p.rows) * static_cast<double>(p.columns);
}

} // namespace warplight::cpu
