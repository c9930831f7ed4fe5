// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"

#include <cstdint>
#include <vector>

namespace warplight::collectives {

/// One message of a run, as its receiver saw it.
struct Message {
    int32_t source = 0, destination = 0;
    int64_t step = 0;
    Range range; ///< elements
    bool reduce = false;
    int64_t bytes = 0;
    double start = 0; ///< the sender began to send, in seconds since the run began
    double end = 0;   ///< the receiver had taken it in
    bool operator==(const Message&) const = default;
};

/// What went on in a run, ordered by step, then source, then destination.
struct MessageLog {
    int ranks = 0;
    int64_t elements = 0;
    int64_t elementBytes = 0;
    std::vector<int64_t> chunkBorders;
    std::vector<Message> messages;
    double seconds = 0; ///< from the first rank's start to the last rank's end
};

/// What the ranks hold after each step, replayed from the messages: a set of ranks for every rank and chunk.
/// Empty chunks stay as they were at the start. Throws std::runtime_error when a contribution would be counted twice,
/// InputError when the sets would take more than 1 GiB.
class Contributions {
  public:
    explicit Contributions(const MessageLog& log);
    /// Ranks whose elements are in what `rank` holds of `chunk` after step `step` (-1: at the start), ascending.
    std::vector<int> at(int64_t step, int rank, int chunk) const;
    int64_t steps() const;

  private:
    int rankCount = 0, chunkCount = 0;
    size_t wordsPerSet = 0;
    std::vector<uint64_t> sets; ///< [steps + 1, ranks, chunks, wordsPerSet]
};

} // namespace warplight::collectives
