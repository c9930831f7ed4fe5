// SPDX-License-Identifier: GPL-3.0-or-later
// Recursive doubling: in round t ranks at distance 2^t exchange whole vectors and both add, so that after log2 p rounds
// everybody has the sum: log2 p (α + V/β), the fewest steps there can be, for short vectors. Other rank counts fold the
// extra ranks in and out: two steps of V more. Partners add the same two numbers, so all ranks end alike.
// [R. Thakur, R. Rabenseifner, W. Gropp: Optimization of Collective Communication Operations in MPICH, 2005]
#include "core/collectives/folding.h"
#include "core/collectives/schedules.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace warplight::collectives {
namespace {

class RecursiveDoubling : public Schedule {
  public:
    RecursiveDoubling(int ranks, int64_t elements) : Schedule(ranks, elements), folding(ranks) {}

    int64_t steps() const override { return folding.rounds() + 2 * foldSteps(); }
    std::string_view phase(int64_t index) const override {
        return index < foldSteps() + folding.rounds() ? "reduce" : "broadcast";
    }
    std::vector<int64_t> chunkBorders() const override { return {0, elements()}; }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const Range whole{0, elements()};
        const int64_t round = index - foldSteps();
        if (round >= 0 && round < folding.rounds()) {
            if (folding.leaves(rank))
                return;
            const int partner = folding.rankOf(folding.numberOf(rank) ^ (1 << round));
            out.sends.push_back({partner, whole});
            out.receives.push_back({partner, whole, true});
        } else if (folding.folds(rank)) {
            const bool in = round < 0;
            if (folding.leaves(rank) == in)
                out.sends.push_back({rank ^ 1, whole});
            else
                out.receives.push_back({rank ^ 1, whole, in});
        }
    }

  private:
    int foldSteps() const { return folding.extra() > 0 ? 1 : 0; }

    Folding folding;
};

} // namespace

std::unique_ptr<Schedule> makeRecursiveDoubling(Collective, int ranks, int64_t elements, const AlgorithmOptions&) {
    return std::make_unique<RecursiveDoubling>(ranks, elements);
}

} // namespace warplight::collectives
