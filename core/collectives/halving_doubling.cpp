// SPDX-License-Identifier: GPL-3.0-or-later
// Halving and doubling (Rabenseifner): log2 p rounds in which partners, at first p/2 apart, exchange halves of what
// they still add up, until each owns one chunk; then the same way back with finished chunks. As few bytes as a ring in
// far fewer steps: 2 log2 p α + 2(p - 1)V/(pβ). Other rank counts fold the extra ranks in and out: two steps of V more.
// [R. Rabenseifner: Optimization of Collective Reduction Operations, 2004; R. Thakur et al. 2005]
// On its own, reduce-scatter ends and all-gather begins with chunk r of p at rank r, also with folded ranks: a rank
// that folded another in works for both chunks.
#include "core/collectives/folding.h"
#include "core/collectives/schedules.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace warplight::collectives {
namespace {

class HalvingDoubling : public Schedule {
  public:
    HalvingDoubling(Collective collective, int ranks, int64_t elements)
        : Schedule(ranks, elements, collective),
          folding(ranks),
          foldSteps(folding.extra() > 0 ? 1 : 0),
          halvings(collective == Collective::AllGather ? 0 : folding.rounds()),
          doublings(collective == Collective::ReduceScatter ? 0 : folding.rounds()) {}

    int64_t steps() const override { return halvings + doublings + 2 * foldSteps; }
    std::string_view phase(int64_t index) const override {
        if (collective() == Collective::Allreduce && index < foldSteps)
            return "reduce";
        if (collective() == Collective::Allreduce && index >= steps() - foldSteps)
            return "broadcast";
        return collective() == Collective::ReduceScatter || index < foldSteps + halvings ? "reduce-scatter"
                                                                                         : "all-gather";
    }
    std::vector<int64_t> chunkBorders() const override {
        return equalBorders(elements(), collective() == Collective::Allreduce ? folding.stayingRanks() : ranks());
    }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        if (index < foldSteps || index >= steps() - foldSteps) {
            fold(rank, index < foldSteps, out);
        } else if (!folding.leaves(rank)) {
            const int64_t round = index - foldSteps;
            if (round < halvings)
                exchange(rank, folding.stayingRanks() >> (round + 1), true, out);
            else
                exchange(rank, 1 << (round - halvings), false, out);
        }
    }

  private:
    /// Reducing, a rank keeps the `distance` chunks around its own and sends its partner's; gathering, it sends its
    /// own.
    void exchange(int rank, int distance, bool reduces, Step& out) const {
        const int own = folding.numberOf(rank), other = own ^ distance;
        const Range mine = chunks(own & -distance, distance), theirs = chunks(other & -distance, distance);
        const int partner = folding.rankOf(other);
        out.sends.push_back({partner, reduces ? theirs : mine});
        out.receives.push_back({partner, reduces ? mine : theirs, reduces});
    }

    void fold(int rank, bool in, Step& out) const {
        if (!folding.folds(rank))
            return;
        Range range{0, elements()};
        const bool reduces = in && collective() != Collective::AllGather;
        if (in ? collective() == Collective::AllGather : collective() == Collective::ReduceScatter)
            range = chunkRange(elements(), ranks(), rank | 1);
        if (folding.leaves(rank) == in)
            out.sends.push_back({rank ^ 1, range});
        else
            out.receives.push_back({rank ^ 1, range, reduces});
    }

    /// Chunks of `count` staying ranks from number `first` on.
    Range chunks(int first, int count) const { return {border(first), border(first + count)}; }
    int64_t border(int number) const {
        if (number == folding.stayingRanks())
            return elements();
        if (collective() == Collective::Allreduce)
            return chunkRange(elements(), folding.stayingRanks(), number).begin;
        return chunkRange(elements(), ranks(), folding.rankOf(number)).begin;
    }

    Folding folding;
    int64_t foldSteps, halvings, doublings;
};

} // namespace

std::unique_ptr<Schedule> makeHalvingDoubling(Collective collective, int ranks, int64_t elements,
                                              const AlgorithmOptions&) {
    return std::make_unique<HalvingDoubling>(collective, ranks, elements);
}

} // namespace warplight::collectives
