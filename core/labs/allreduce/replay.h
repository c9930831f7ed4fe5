#pragma once

#include "core/collectives/message_log.h"
#include "core/collectives/reduction.h"
#include "core/labs/allreduce/vectors.h"

namespace warplight::labs {

/// What the ranks held after each step, made again from a run's messages and the vectors it began with. The end is the
/// same bit for bit as what the run left (matches()), so the steps between are the run's own.
class Replay {
  public:
    Replay(const collectives::MessageLog& log, tensor::DType type, collectives::Reduction reduction,
           RankVectors inputs);
    int64_t steps() const { return stepCount; }
    int64_t step() const { return current; } ///< the last one done; -1 at the start
    bool next();                             ///< does one more step; false when there is none
    std::span<const std::byte> vector(int rank) const { return vectors[static_cast<size_t>(rank)]; }
    double element(int rank, int64_t index) const { return elementAt(type, vector(rank), index); }
    /// Messages of step `step`, in the order in which they were taken in.
    std::vector<const collectives::Message*> messages(int64_t step) const;
    bool matches(const RankVectors& results) const;

  private:
    const collectives::MessageLog& log;
    tensor::DType type;
    collectives::Reduction reduction;
    RankVectors vectors;
    int64_t stepCount = 0, current = -1;
};

} // namespace warplight::labs
