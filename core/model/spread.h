// SPDX-License-Identifier: GPL-3.0-or-later
// Work cut into items whose borders follow from the sizes alone: with sums that never cross an item, results have the
// same bits for any number of threads.
#pragma once

#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/run.h"

#include <algorithm>
#include <cstdint>
#include <functional>

namespace warplight::model {

/// One thread for what is done before another would be awake.
inline cpu::RunOptions worth(const cpu::RunOptions& options, int64_t multiplications, int64_t fewest = 1 << 20) {
    return {multiplications < fewest ? 1 : options.threads, options.cancel};
}

/// Calls work(item) for every item. Takes no memory.
template <class Work>
void spread(int64_t items, const cpu::RunOptions& options, const Work& work) {
    const auto each = [&work](int64_t item, int) { work(item); };
    cpu::parallelItems(items, cpu::workerCount(options.threads), options.cancel, std::cref(each));
}

/// Calls work(begin, end) for pieces of 0 … count of that length.
template <class Work>
void inPieces(int64_t count, int64_t piece, const cpu::RunOptions& options, const Work& work) {
    spread(cpu::ceilDiv(count, piece), options,
           [&](int64_t item) { work(item * piece, std::min(count, (item + 1) * piece)); });
}

/// Calls work(begin, end) for rows of that width, some ten thousand numbers at a time.
template <class Work>
void inRows(int64_t rows, int64_t width, const cpu::RunOptions& options, const Work& work) {
    constexpr int64_t numbers = 1 << 16;
    inPieces(rows, std::max<int64_t>(1, numbers / width), options, work);
}

/// Calls work(begin, end) for columns, some cache lines of a row at a time.
template <class Work>
void inColumns(int64_t columns, const cpu::RunOptions& options, const Work& work) {
    constexpr int64_t wide = 128;
    inPieces(columns, wide, options, work);
}

} // namespace warplight::model
