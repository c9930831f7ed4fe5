// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/message_log.h"
#include "core/labs/allreduce/collective_job.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace warplight::labs::allreduce {

/// What the ranks held after each step, made again from a run's messages and the vectors it began with. The end is the
/// same bit for bit as what the run left (matches()), so the steps between are the run's own.
class Replay {
  public:
    Replay(const collectives::MessageLog& log, const CollectiveJob& job, RankVectors inputs);
    int64_t steps() const { return stepCount; }
    int64_t step() const { return current; } ///< the last one done; -1 at the start
    bool next();                             ///< does one more step; false when there is none
    std::span<const std::byte> vector(int rank) const { return vectors[static_cast<size_t>(rank)]; }
    double element(int rank, int64_t index) const { return elementAt(job.type, vector(rank), index); }
    /// Messages of step `step`, in the order in which they were taken in.
    std::vector<const collectives::Message*> messages(int64_t step) const;
    /// What the ranks hold in the end: an average is a sum that has been divided.
    RankVectors finished() const;
    bool matches(const RankVectors& results) const { return finished() == results; }

  private:
    const collectives::MessageLog& log;
    CollectiveJob job;
    RankVectors vectors;
    int64_t stepCount = 0, current = -1;
};

} // namespace warplight::labs::allreduce
