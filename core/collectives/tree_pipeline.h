// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedules.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::collectives {

/// A rooted tree of ranks or nodes in which nobody has more than two children.
struct Tree {
    static constexpr int32_t none = -1;
    std::vector<int32_t> parent; ///< none: the root
    std::vector<std::array<int32_t, 2>> children;
    std::vector<int32_t> depth;
    int height = 0;

    explicit Tree(std::vector<int32_t> parents);
    /// Member i below member (i - 1) / 2: as flat as it can be, floor(log2 size) high.
    static Tree heap(int size);
};

/// Pieces follow one another through a tree, one level a step: up, combined at every member, and down again.
/// Piece k reaches the root after step k + height - 1, and the lowest leaf `height` steps after it left the root.
class TreePipeline {
  public:
    TreePipeline(Tree tree, int pieces) : shape(std::move(tree)), pieces(pieces) {}
    int height() const { return shape.height; }
    /// Of one way, up or down.
    int64_t steps() const { return shape.height == 0 ? 0 : pieces - 1 + shape.height; }

    /// What `member` does in step `index` of the way up or down, on pieces of `whole`; rankOf(member) is its rank.
    template <class RankOf>
    void addUp(int member, int64_t index, Range whole, const RankOf& rankOf, Step& out) const {
        const auto at = static_cast<size_t>(member);
        const int64_t sent = index - (shape.height - shape.depth[at]), taken = sent + 1;
        if (shape.parent[at] != Tree::none && sent >= 0 && sent < pieces)
            out.sends.push_back({rankOf(shape.parent[at]), pieceOf(whole, pieces, sent)});
        if (taken >= 0 && taken < pieces)
            for (const int32_t child : shape.children[at])
                if (child != Tree::none)
                    out.receives.push_back({rankOf(child), pieceOf(whole, pieces, taken), true});
    }
    template <class RankOf>
    void addDown(int member, int64_t index, Range whole, const RankOf& rankOf, Step& out) const {
        const auto at = static_cast<size_t>(member);
        const int64_t sent = index - shape.depth[at], taken = sent + 1;
        if (sent >= 0 && sent < pieces)
            for (const int32_t child : shape.children[at])
                if (child != Tree::none)
                    out.sends.push_back({rankOf(child), pieceOf(whole, pieces, sent)});
        if (shape.parent[at] != Tree::none && taken >= 0 && taken < pieces)
            out.receives.push_back({rankOf(shape.parent[at]), pieceOf(whole, pieces, taken), false});
    }

    /// Up and down at once: a piece goes down in the step after it was complete at the root.
    int64_t bothSteps() const { return shape.height == 0 ? 0 : steps() + shape.height; }
    std::string_view bothPhase(int64_t index) const {
        return index < shape.height ? "reduce" : index < steps() ? "reduce and broadcast" : "broadcast";
    }
    template <class RankOf>
    void addBoth(int member, int64_t index, Range whole, const RankOf& rankOf, Step& out) const {
        addUp(member, index, whole, rankOf, out);
        addDown(member, index - shape.height, whole, rankOf, out);
    }

  private:
    Tree shape;
    int pieces;
};

} // namespace warplight::collectives
