// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/factor_map.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace warplight::labs::linear {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

bool finite(const float* row, int64_t count) {
    return std::all_of(row, row + count, [](float x) { return std::isfinite(x); });
}

/// Sums of all rows before each, of `count` rows.
std::vector<double> sumsBefore(const std::vector<float>& x, int64_t count, int64_t rank) {
    std::vector<double> sums(static_cast<size_t>((count + 1) * rank));
    for (size_t i = 0; i < static_cast<size_t>(count * rank); ++i)
        sums[i + static_cast<size_t>(rank)] = sums[i] + static_cast<double>(x[i]);
    return sums;
}

} // namespace

FactorMap::FactorMap(std::vector<float> l, std::vector<float> r, int64_t rank, bool causal)
    : rowCount(static_cast<int64_t>(l.size()) / rank),
      columnCount(static_cast<int64_t>(r.size()) / rank),
      rank(rank),
      causal(causal),
      left(std::move(l)),
      right(std::move(r)),
      undefined(static_cast<size_t>(rowCount + 1)) {
    for (int64_t i = 0; i < rowCount; ++i) {
        float* row = left.data() + i * rank;
        const bool defined = finite(row, rank);
        undefined[static_cast<size_t>(i + 1)] = undefined[static_cast<size_t>(i)] + (defined ? 0 : 1);
        if (!defined)
            std::fill(row, row + rank, 0.0f); // so that the sums behind it stay numbers
    }
    leftSums = sumsBefore(left, rowCount, rank);
    rightSums = sumsBefore(right, columnCount, rank);
}

double FactorMap::at(int64_t row, int64_t column) const { return mean(row, row + 1, column, column + 1); }

void FactorMap::means(int64_t rowBegin, int64_t columnBegin, int64_t rows, int64_t columns, int64_t cell,
                      std::span<float> out, const std::atomic<bool>* cancel) const {
    for (int64_t r = 0; r < rows; ++r) {
        checkCancelled(cancel);
        for (int64_t c = 0; c < columns; ++c) {
            const int64_t row = rowBegin + r * cell, column = columnBegin + c * cell;
            out[static_cast<size_t>(r * columns + c)] = static_cast<float>(
                mean(row, std::min(row + cell, rowCount), column, std::min(column + cell, columnCount)));
        }
    }
}

double FactorMap::mean(int64_t rowBegin, int64_t rowEnd, int64_t columnBegin, int64_t columnEnd) const {
    if (undefined[static_cast<size_t>(rowEnd)] > undefined[static_cast<size_t>(rowBegin)] ||
        (causal && columnBegin >= rowEnd))
        return nothing;
    const double *begin = rightSums.data() + columnBegin * rank, *end = rightSums.data() + columnEnd * rank;
    double sum = 0;
    int64_t whole = rowBegin; // from here on a row sees every column of the block
    if (causal)
        for (; whole < rowEnd && whole + 1 < columnEnd; ++whole)
            if (whole >= columnBegin) {
                const float* row = left.data() + whole * rank;
                const double* seen = rightSums.data() + (whole + 1) * rank;
                for (int64_t c = 0; c < rank; ++c)
                    sum += static_cast<double>(row[c]) * (seen[c] - begin[c]);
            }
    const double *rowsBegin = leftSums.data() + whole * rank, *rowsEnd = leftSums.data() + rowEnd * rank;
    for (int64_t c = 0; c < rank; ++c)
        sum += (rowsEnd[c] - rowsBegin[c]) * (end[c] - begin[c]);
    return sum / static_cast<double>((rowEnd - rowBegin) * (columnEnd - columnBegin));
}

int64_t FactorMap::heldBytes(int64_t rows, int64_t columns, int64_t rank) {
    return (rows + columns + 2) * rank * 12 + (rows + 1) * 8;
}

} // namespace warplight::labs::linear
