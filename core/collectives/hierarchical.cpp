// SPDX-License-Identifier: GPL-3.0-or-later
// Hierarchical: m ranks share a node with fast links, N nodes share a slower network. A ring reduce-scatter within each
// node leaves each rank one chunk of the node's sum, for each chunk a binary tree joins the nodes, a ring all-gather
// within each node spreads the result. The slow network carries chunks of V/m only, m trees side by side:
// 2(m - 1)(α + V/(mβ)) + (K - 1 + 2H)(α' + 3V/(mKβ')), H = floor(log2 N), K pieces, dashes for between nodes.
// [M. Cho et al.: BlueConnect, 2019, for the decomposition; trees as in tree.cpp]
// The last node may have fewer ranks than the others: each of its ranks then stands for several neighbouring chunks.
#include "core/collectives/tree_pipeline.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace warplight::collectives {
namespace {

class Hierarchical : public Schedule {
  public:
    Hierarchical(int ranks, int64_t elements, int ranksPerNode, int pieces)
        : Schedule(ranks, elements),
          perNode(std::min(ranksPerNode, ranks)),
          nodes((ranks + perNode - 1) / perNode),
          pieces(nodes > 1 ? pieces : 1),
          between(Tree::heap(nodes), pieces) {}

    int64_t steps() const override { return 2 * ringSteps() + between.bothSteps(); }
    std::string_view phase(int64_t index) const override {
        if (index < ringSteps())
            return "reduce-scatter";
        index -= ringSteps();
        return index < between.bothSteps() ? between.bothPhase(index) : "all-gather";
    }
    std::vector<int64_t> chunkBorders() const override {
        std::vector<int64_t> borders{0};
        for (int chunk = 0; chunk < perNode; ++chunk)
            for (int piece = 0; piece < pieces; ++piece)
                borders.push_back(pieceOf(range({chunk, chunk + 1}), pieces, piece).end);
        return borders;
    }
    void step(int rank, int64_t index, Step& out) const override {
        out.clear();
        const int node = rank / perNode, local = rank % perNode;
        if (index < ringSteps()) {
            ringStep(node, local, local - 1 - index, index, true, out);
            return;
        }
        index -= ringSteps();
        if (index < between.bothSteps()) {
            const Range owned = chunksOf(node, local);
            for (int64_t chunk = owned.begin; chunk < owned.end; ++chunk)
                between.addBoth(
                    node, index, range({chunk, chunk + 1}),
                    [&](int32_t other) { return owner(other, static_cast<int>(chunk)); }, out);
            return;
        }
        index -= between.bothSteps();
        ringStep(node, local, local - index, index, false, out);
    }

  private:
    int64_t ringSteps() const { return perNode - 1; }
    int size(int node) const { return std::min(perNode, ranks() - node * perNode); }
    /// Chunks (of perNode) that a rank of the node owns between the rings.
    Range chunksOf(int node, int64_t local) const { return chunkRange(perNode, size(node), local); }
    Range range(Range chunks) const {
        return {chunkRange(elements(), perNode, chunks.begin).begin,
                chunkRange(elements(), perNode, chunks.end - 1).end};
    }
    int32_t owner(int node, int chunk) const {
        const int members = size(node), few = perNode / members, longer = perNode % members;
        const int inLonger = longer * (few + 1); // chunks of the first members, which own one more
        const int local = chunk < inLonger ? chunk / (few + 1) : longer + (chunk - inLonger) / few;
        return node * perNode + local;
    }

    void ringStep(int node, int local, int64_t sent, int64_t index, bool reduces, Step& out) const {
        const int members = size(node);
        if (index >= members - 1)
            return;
        const auto group = [&](int64_t of) { return range(chunksOf(node, (of + int64_t{2} * members) % members)); };
        const int base = node * perNode;
        out.sends.push_back({base + (local + 1) % members, group(sent)});
        out.receives.push_back({base + (local + members - 1) % members, group(sent - 1), reduces});
    }

    int perNode, nodes, pieces;
    TreePipeline between;
};

} // namespace

std::unique_ptr<Schedule> makeHierarchical(Collective, int ranks, int64_t elements, const AlgorithmOptions& options) {
    return std::make_unique<Hierarchical>(ranks, elements, options.ranksPerNode, options.pipelineChunks);
}

} // namespace warplight::collectives
