// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/pattern_map.h"

#include "core/cpu/parallel.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

namespace warplight::labs::linear {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t side = sparse::wordBits; ///< of the blocks whose weights are made at once

} // namespace

PatternMap::PatternMap(const cpu::MapProblem& problem, std::span<const float> logSumExp, const sparse::Pattern& pattern,
                       const std::atomic<bool>* cancel)
    : exact(problem),
      lse(logSumExp),
      words(sparse::wordsOf(problem.keyLen)),
      bits(static_cast<size_t>(problem.queryLen * words)),
      mass(static_cast<size_t>(problem.queryLen)) {
    cpu::parallelItems(exact.queryLen, cpu::workerCount(0), cancel, [&](int64_t row, int) {
        const sparse::BitRow seen(bits.data() + row * words, exact.keyLen);
        pattern.see(0, row, seen);
        seen.clearFrom(exact.causal ? row + 1 : pattern.seenAtMost(row));
    });
    const int64_t strips = (exact.queryLen + side - 1) / side;
    cpu::parallelItems(strips, cpu::workerCount(0), cancel, [&](int64_t strip, int) {
        eachPair(strip * side, std::min((strip + 1) * side, exact.queryLen), 0, exact.keyLen, cancel,
                 [&](int64_t row, int64_t, float p) { mass[static_cast<size_t>(row)] += static_cast<double>(p); });
    });
}

bool PatternMap::sees(int64_t row, int64_t column) const {
    return bitsOf(row)[column / sparse::wordBits] >> (column % sparse::wordBits) & 1;
}

template <class Take>
void PatternMap::eachPair(int64_t rowBegin, int64_t rowEnd, int64_t columnBegin, int64_t columnEnd,
                          const std::atomic<bool>* cancel, const Take& take) const {
    std::array<float, static_cast<size_t>(side * side)> weights;
    for (int64_t top = rowBegin; top < rowEnd; top += side) {
        checkCancelled(cancel);
        const int64_t rows = std::min(side, rowEnd - top);
        for (int64_t word = columnBegin / side; word * side < columnEnd; ++word) {
            const int64_t first = std::max(columnBegin, word * side), last = std::min(columnEnd, (word + 1) * side);
            const uint64_t wanted = sparse::lowBits(last - word * side) & ~sparse::lowBits(first - word * side);
            uint64_t any = 0;
            for (int64_t r = 0; r < rows; ++r)
                any |= bitsOf(top + r)[word];
            if (!(any & wanted))
                continue;
            const std::span<float> out(weights.data(), static_cast<size_t>(rows * (last - first)));
            cpu::mapTile(exact, lse, top, first, rows, last - first, 1, cpu::Pooling::Mean, out, 1, cancel);
            for (int64_t r = 0; r < rows; ++r)
                for (uint64_t seen = bitsOf(top + r)[word] & wanted; seen; seen &= seen - 1) {
                    const int64_t column = word * side + std::countr_zero(seen);
                    take(top + r, column, out[static_cast<size_t>(r * (last - first) + column - first)]);
                }
        }
    }
}

double PatternMap::at(int64_t row, int64_t column) const {
    const double sum = mass[static_cast<size_t>(row)];
    if ((exact.causal && column > row) || !(sum > 0))
        return nothing;
    if (!sees(row, column))
        return 0;
    float p = 0;
    cpu::mapTile(exact, lse, row, column, 1, 1, 1, cpu::Pooling::Mean, {&p, 1}, 1, nullptr);
    return static_cast<double>(p) / sum;
}

void PatternMap::means(int64_t rowBegin, int64_t columnBegin, int64_t rows, int64_t columns, int64_t cell,
                       std::span<float> out, const std::atomic<bool>* cancel) const {
    cpu::parallelItems(rows, cpu::workerCount(0), cancel, [&](int64_t r, int) {
        const int64_t first = rowBegin + r * cell, last = std::min(first + cell, exact.queryLen),
                      end = std::min(columnBegin + columns * cell, exact.keyLen);
        std::vector<double> sums(static_cast<size_t>(columns));
        eachPair(first, last, columnBegin, end, cancel, [&](int64_t row, int64_t column, float p) {
            sums[static_cast<size_t>((column - columnBegin) / cell)] +=
                static_cast<double>(p) / mass[static_cast<size_t>(row)];
        });
        const bool undefined =
            std::any_of(mass.begin() + first, mass.begin() + last, [](double m) { return !(m > 0); });
        for (int64_t c = 0; c < columns; ++c) {
            const int64_t left = columnBegin + c * cell, right = std::min(left + cell, exact.keyLen);
            const bool masked = exact.causal && left >= last;
            out[static_cast<size_t>(r * columns + c)] =
                static_cast<float>(undefined || masked ? nothing
                                                       : sums[static_cast<size_t>(c)] /
                                                             static_cast<double>((last - first) * (right - left)));
        }
    });
}

int64_t PatternMap::pairs() const {
    int64_t all = 0;
    for (const uint64_t word : bits)
        all += std::popcount(word);
    return all;
}

int64_t PatternMap::heldBytes(int64_t rows, int64_t columns) { return rows * (sparse::wordsOf(columns) * 8 + 8); }

} // namespace warplight::labs::linear
