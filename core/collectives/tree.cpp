// SPDX-License-Identifier: GPL-3.0-or-later
// Binary tree: K pieces of the vector go up level by level, each rank adding its children's, and down again while later
// pieces still come up. H = floor(log2 p) levels take K - 1 + 2H steps; a rank inside the tree sends three pieces a
// step (one up, two down): (K - 1 + 2H)(α + 3V/(Kβ)). Few steps for short vectors, but inner ranks carry 3V where a
// ring carries 2V, and leaves only V: that imbalance is what the double tree removes. Broadcast alone sends two pieces
// a step. [R. Thakur et al. 2005; P. Sanders, J. Speck, J. L. Träff: Two-tree algorithms for full bandwidth broadcast,
// reduction and scan, 2009]
#include "core/collectives/tree_pipeline.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::collectives {

Tree::Tree(std::vector<int32_t> parents)
    : parent(std::move(parents)), children(parent.size(), {none, none}), depth(parent.size(), none) {
    std::vector<int32_t> path;
    for (size_t member = 0; member < parent.size(); ++member) {
        if (parent[member] != none) {
            auto& of = children[static_cast<size_t>(parent[member])];
            of[of[0] == none ? 0 : 1] = static_cast<int32_t>(member);
        }
        // Up to a member whose depth is known, or the root, then down again: every member is entered once.
        auto at = static_cast<int32_t>(member);
        for (; at != none && depth[static_cast<size_t>(at)] == none; at = parent[static_cast<size_t>(at)])
            path.push_back(at);
        int32_t above = at == none ? none : depth[static_cast<size_t>(at)];
        for (; !path.empty(); path.pop_back())
            depth[static_cast<size_t>(path.back())] = ++above;
        height = std::max(height, static_cast<int>(depth[member]));
    }
}

Tree Tree::heap(int size) {
    std::vector<int32_t> parents(static_cast<size_t>(size), none);
    for (int32_t member = 1; member < size; ++member)
        parents[static_cast<size_t>(member)] = (member - 1) / 2;
    return Tree(std::move(parents));
}

namespace {

class PipelinedTree : public Schedule {
  public:
    PipelinedTree(Collective collective, int ranks, int64_t elements, int pieces)
        : Schedule(ranks, elements, collective), pieces(pieces), pipeline(Tree::heap(ranks), pieces) {}

    int64_t steps() const override { return reduces() ? pipeline.bothSteps() : pipeline.steps(); }
    std::string_view phase(int64_t index) const override { return reduces() ? pipeline.bothPhase(index) : "broadcast"; }
    std::vector<int64_t> chunkBorders() const override { return equalBorders(elements(), pieces); }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const auto itself = [](int32_t member) { return member; };
        if (reduces())
            pipeline.addBoth(rank, index, {0, elements()}, itself, out);
        else
            pipeline.addDown(rank, index, {0, elements()}, itself, out);
    }

  private:
    bool reduces() const { return collective() == Collective::Allreduce; }

    int pieces;
    TreePipeline pipeline;
};

} // namespace

std::unique_ptr<Schedule> makeTree(Collective collective, int ranks, int64_t elements,
                                   const AlgorithmOptions& options) {
    return std::make_unique<PipelinedTree>(collective, ranks, elements, options.pipelineChunks);
}

} // namespace warplight::collectives
