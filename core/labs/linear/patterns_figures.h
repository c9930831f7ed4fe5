// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"
#include "core/sparse/statistics.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// One pattern of the gallery, counted.
struct Judged {
    std::string name, title, rule;
    sparse::Statistics numbers;
    int64_t side = 0;         ///< of the small map
    std::vector<float> cells; ///< [side, side]: the share of the pairs of a cell that are kept
    lab::Link look, race;     ///< the page with this pattern chosen; the race under it, empty for a user's mask
};

constexpr int64_t gallerySide = 128; ///< cells of a small map at most

/// The mask [n, n] as shares of `side` × `side` cells of nearly the same size.
std::vector<float> pooled(const std::vector<uint8_t>& mask, int64_t n, int64_t side, const std::atomic<bool>* cancel);

/// All patterns as small maps in place, and as a table.
lab::Figure galleryOf(const std::vector<Judged>& all);
lab::Figure tableOf(const std::vector<Judged>& all);
/// Pairs, density, blocks and reach of one.
void putHeadlines(const Judged& chosen, lab::Run& run);
/// Pairs kept after each number of layers, for one.
lab::Figure reachOf(const Judged& chosen);

} // namespace warplight::labs::linear
