// SPDX-License-Identifier: GPL-3.0-or-later
// The first rung: rank 0 takes in one whole vector after another, then sends the sum to one rank after another.
// 2(p - 1) steps of V bytes, all through rank 0's port: 2(p - 1)(α + V/β) [R. Thakur, R. Rabenseifner, W. Gropp:
// Optimization of Collective Communication Operations in MPICH, 2005, for the notation]. Parameter-server shards the
// same idea: chunk r is rank r's, so each port carries 2(p - 1)V/p as in a ring, in two steps of p - 1 messages (of
// many ranks in 2(p - 1) rounds): 2(p - 1)(α + V/(pβ)), if the network takes all pairs at once [Li et al.: Scaling
// Distributed Machine Learning with the Parameter Server, 2014].
#include "core/collectives/schedules.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace warplight::collectives {
namespace {

class Naive : public Schedule {
  public:
    Naive(Collective collective, int ranks, int64_t elements)
        : Schedule(ranks, elements, collective), reduceSteps(collective == Collective::Allreduce ? ranks - 1 : 0) {}

    int64_t steps() const override { return reduceSteps + ranks() - 1; }
    std::string_view phase(int64_t index) const override { return index < reduceSteps ? "reduce" : "broadcast"; }
    std::vector<int64_t> chunkBorders() const override { return {0, elements()}; }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const bool reduces = index < reduceSteps;
        const auto other = static_cast<int32_t>(reduces ? index + 1 : index - reduceSteps + 1);
        const Range whole{0, elements()};
        if (rank == (reduces ? other : 0))
            out.sends.push_back({reduces ? 0 : other, whole});
        else if (rank == (reduces ? 0 : other))
            out.receives.push_back({reduces ? other : 0, whole, reduces});
    }

  private:
    int64_t reduceSteps;
};

/// Ranks up to which a phase is one step. Of more, a step is a round: one message a rank, in the same order; a step of
/// p (p - 1) messages could not be held in memory.
constexpr int mostRanksAtOnce = 1024;

class ParameterServer : public Schedule {
  public:
    ParameterServer(Collective collective, int ranks, int64_t elements)
        : Schedule(ranks, elements, collective),
          perStep(ranks <= mostRanksAtOnce ? std::max(ranks - 1, 1) : 1),
          rounds((ranks - 1 + perStep - 1) / perStep),
          reduceSteps(collective == Collective::AllGather ? 0 : rounds),
          chunks(elements, ranks) {}

    int64_t steps() const override { return reduceSteps + (collective() == Collective::ReduceScatter ? 0 : rounds); }
    std::string_view phase(int64_t index) const override {
        return index < reduceSteps ? "reduce-scatter" : "all-gather";
    }
    std::vector<int64_t> chunkBorders() const override { return equalBorders(elements(), ranks()); }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const int p = ranks();
        const bool reduces = index < reduceSteps;
        const int first = static_cast<int>((reduces ? index : index - reduceSteps) * perStep) + 1;
        // Everybody starts at another server: no port is overrun.
        for (int distance = first; distance < std::min(first + perStep, p); ++distance) {
            const int to = rank + distance < p ? rank + distance : rank + distance - p;
            const int from = rank >= distance ? rank - distance : rank - distance + p;
            out.sends.push_back({to, chunks[reduces ? to : rank]});
            out.receives.push_back({from, chunks[reduces ? rank : from], reduces});
        }
    }

  private:
    int perStep; ///< messages of a rank
    int64_t rounds;
    int64_t reduceSteps;
    Chunks chunks;
};

} // namespace

std::unique_ptr<Schedule> makeNaive(Collective collective, int ranks, int64_t elements, const AlgorithmOptions&) {
    return std::make_unique<Naive>(collective, ranks, elements);
}

std::unique_ptr<Schedule> makeParameterServer(Collective collective, int ranks, int64_t elements,
                                              const AlgorithmOptions&) {
    return std::make_unique<ParameterServer>(collective, ranks, elements);
}

} // namespace warplight::collectives
