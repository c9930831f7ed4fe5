// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"
#include "core/labs/ssm/selective_story.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// The attention matrix that a selective scan of one channel implies: y_i = Σ_j α_ij u_j with
///   α_ij = Σ_n C_i[n] exp(A_n (S_i - S_j)) Δ_j B_j[n],  S the sums of Δ,
/// which is made where it is looked at. The mean of a block follows from what its rows read of a state at its first
/// row, and what its columns leave in a state at its last column: for blocks of all powers of two that is kept, 2 · 2
/// numbers a token and state, so that a tile of any level is a product of two thin matrices.
class ImpliedMap : public lab::TileSource {
  public:
    /// Throws Cancelled.
    ImpliedMap(std::shared_ptr<const SelectiveStory> story, int64_t channel, const std::atomic<bool>* cancel);

    int64_t length() const { return story->length; }
    int levels() const;
    /// NaN for tokens that come later.
    double at(int64_t row, int64_t column) const;
    /// How much of what a token has left in a state is there after `row`: exp(A_n (S_row - S_column)).
    double kept(int64_t row, int64_t column, int64_t n) const;
    double stepsBetween(int64_t row, int64_t column) const; ///< Σ Δ after `column` up to `row`
    /// The tokens that write most, Δ |B|: at most so many.
    std::vector<int64_t> loudest(int64_t count) const;
    /// Cells are |mean| instead of the mean, for colours by the logarithm.
    void showSizes(bool sizes) { absolute = sizes; }

    lab::TilePut tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) override;
    std::vector<std::string> probe(int64_t row, int64_t col) override;

    static int64_t heldBytes(int64_t length, int64_t states);

  private:
    struct Level {
        std::vector<float> reads, leaves; ///< [blocks, states]
        std::vector<double> diagonal;     ///< [blocks]: sum over the cells of the block on the diagonal that there are
    };
    int64_t firstOf(int level, int64_t block) const { return block << level; }
    int64_t lastOf(int level, int64_t block) const { return std::min(((block + 1) << level), story->length) - 1; }
    double decay(int64_t from, int64_t to, int64_t n) const;
    double cross(int level, int64_t rowBlock, int64_t columnBlock) const;

    std::shared_ptr<const SelectiveStory> story;
    int64_t channel;
    bool absolute = false;
    std::vector<double> sums; ///< S, [length]
    std::vector<Level> all;
};

} // namespace warplight::labs::ssm
