// SPDX-License-Identifier: GPL-3.0-or-later
// Double binary tree: two trees, each for one half of the vector, in which every rank adds up in at most one and is a
// leaf in the other. A rank then sends and receives V on the way up and V on the way down, as in a ring, in a number of
// steps that grows with log p only: about 2(K - 1 + H)(2α + V/(Kβ)) for K pieces a half and H = ceil(log2 p).
// [P. Sanders, J. Speck, J. L. Träff: Two-tree algorithms for full bandwidth broadcast, reduction and scan, 2009]
// The way down starts when both halves are up: rank a above rank b in one tree and below it in the other would
// otherwise have to send it two pieces in a step.
//
// The first tree is in order: rank 0 is the root, the others hang by their lowest bit, so that odd ranks are leaves.
// The second is its mirror image, which makes even ranks leaves where the number of ranks is even. If it is odd, the
// last rank is left out of both and then hangs below both roots, which have one child each.
#include "core/collectives/tree_pipeline.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

/// Above a member of the in-order tree of `size` members: one that has the next bit instead of its lowest, or none.
int32_t inOrderParent(int32_t member, int32_t size) {
    if (member == 0)
        return Tree::none;
    const int32_t lowest = member & -member;
    const int32_t right = (member ^ lowest) | lowest << 1;
    return right < size ? right : member ^ lowest;
}

Tree halfTree(int ranks, bool mirrored) {
    std::vector<int32_t> parents(static_cast<size_t>(ranks), Tree::none);
    const int32_t even = ranks - ranks % 2;
    for (int32_t rank = 0; rank < even; ++rank) {
        const int32_t above = inOrderParent(mirrored ? even - 1 - rank : rank, even);
        parents[static_cast<size_t>(rank)] = above == Tree::none || !mirrored ? above : even - 1 - above;
    }
    if (even < ranks && even > 0)
        parents.back() = mirrored ? even - 1 : 0;
    return Tree(std::move(parents));
}

class DoubleTree : public Schedule {
  public:
    DoubleTree(int ranks, int64_t elements, int pieces)
        : Schedule(ranks, elements),
          pieces(pieces),
          first(halfTree(ranks, false), pieces),
          second(halfTree(ranks, true), pieces) {}

    int64_t steps() const override { return 2 * first.steps(); } // mirrored trees are equally high
    std::string_view phase(int64_t index) const override { return index < first.steps() ? "reduce" : "broadcast"; }
    std::vector<int64_t> chunkBorders() const override {
        std::vector<int64_t> borders{0};
        for (int half = 0; half < 2; ++half)
            for (int piece = 0; piece < pieces; ++piece)
                borders.push_back(pieceOf(chunkRange(elements(), 2, half), pieces, piece).end);
        return borders;
    }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const auto itself = [](int32_t member) { return member; };
        const Range halves[]{chunkRange(elements(), 2, 0), chunkRange(elements(), 2, 1)};
        if (index < first.steps()) {
            first.addUp(rank, index, halves[0], itself, out);
            second.addUp(rank, index, halves[1], itself, out);
        } else {
            first.addDown(rank, index - first.steps(), halves[0], itself, out);
            second.addDown(rank, index - first.steps(), halves[1], itself, out);
        }
    }

  private:
    int pieces;
    TreePipeline first, second;
};

} // namespace

std::unique_ptr<Schedule> makeDoubleTree(Collective, int ranks, int64_t elements, const AlgorithmOptions& options) {
    return std::make_unique<DoubleTree>(ranks, elements, options.pipelineChunks);
}

} // namespace warplight::collectives
