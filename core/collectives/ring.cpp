// SPDX-License-Identifier: GPL-3.0-or-later
// Ring: p chunks go round. In p - 1 steps of reduce-scatter each rank passes on what it has just added to; after them
// every rank owns one finished chunk, and p - 1 steps of all-gather pass the finished ones round. Each rank sends and
// receives 2(p - 1)V/p bytes, which no allreduce can undercut: 2(p - 1)(α + V/(pβ)) [P. Patarasuk, X. Yuan: Bandwidth
// Optimal All-reduce Algorithms for Clusters of Workstations, 2009]. Which chunk a rank starts with is Baidu's or
// NCCL's choice: `shift` chunks further on.
#include "core/collectives/schedules.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace warplight::collectives {
namespace {

class Ring : public Schedule {
  public:
    Ring(Collective collective, int ranks, int64_t elements, ChunkConvention convention)
        : Schedule(ranks, elements, collective),
          reduceSteps(collective == Collective::AllGather ? 0 : ranks - 1),
          gatherSteps(collective == Collective::ReduceScatter ? 0 : ranks - 1),
          shift(collective == Collective::Allreduce && convention == ChunkConvention::Baidu ? 1 : 0),
          chunks(elements, ranks) {}

    int64_t steps() const override { return reduceSteps + gatherSteps; }
    std::string_view phase(int64_t index) const override {
        return index < reduceSteps ? "reduce-scatter" : "all-gather";
    }
    std::vector<int64_t> chunkBorders() const override { return equalBorders(elements(), ranks()); }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const int p = ranks();
        const bool reduces = index < reduceSteps;
        // Rank r ends the reduce-scatter with chunk r + shift, so its first chunk is one before.
        const int64_t sent = reduces ? rank + shift - 1 - index : rank + shift - (index - reduceSteps);
        out.sends.push_back({rank + 1 == p ? 0 : rank + 1, chunk(sent)});
        out.receives.push_back({rank == 0 ? p - 1 : rank - 1, chunk(sent - 1), reduces});
    }

  private:
    Range chunk(int64_t index) const { // from -p - 1 to p
        const int64_t p = ranks();
        index += index < 0 ? p : 0;
        index += index < 0 ? p : 0;
        return chunks[index < p ? index : index - p];
    }

    int64_t reduceSteps, gatherSteps;
    int shift;
    Chunks chunks;
};

} // namespace

std::unique_ptr<Schedule> makeRing(Collective collective, int ranks, int64_t elements,
                                   const AlgorithmOptions& options) {
    return std::make_unique<Ring>(collective, ranks, elements, options.convention);
}

} // namespace warplight::collectives
