// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/attention/inputs.h"
#include "gpu/ops/attention.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {

/// A tile that the GPU's or the CPU's kernel has just worked on, as it told.
struct TileStep {
    int64_t queryBegin = 0, queryEnd = 0, keyBegin = 0, keyEnd = 0;
    bool skipped = false;                  ///< hidden by the mask: nothing was read
    std::vector<gpu::TileVisit::Row> rows; ///< after the tile
    std::vector<float> scores;             ///< [rows, keys], -inf behind the mask; empty when skipped
    std::map<std::string, std::pair<int64_t, int64_t>> moved; ///< bytes read and written, by tensor
};

/// A whole run, tile by tile.
struct TileWalk {
    cpu::AttentionProblem shape;
    std::string kernel;
    int64_t queryTile = 1, keyTile = 1;
    std::vector<TileStep> steps;

    int64_t queryTiles() const { return (shape.queryLen + queryTile - 1) / queryTile; }
    int64_t keyTiles() const { return (shape.keyLen + keyTile - 1) / keyTile; }
    /// Bytes read and written up to step `step` (from 0), by tensor; with the last step: by the whole run.
    std::map<std::string, std::pair<int64_t, int64_t>> movedUpTo(size_t step) const;
    double bytesUpTo(size_t step) const;
};

/// Bytes that standard attention moves for one head in f32, by tensor: Q, K, V read, O written, S and P written and
/// read.
std::vector<std::pair<std::string, double>> standardBytes(const cpu::AttentionProblem& problem);
double totalStandardBytes(const cpu::AttentionProblem& problem);

/// A number as the picture shows it: "−0.42", "NaN", "−∞".
std::string shownNumber(double value);

/// What a tile did, in one sentence with its numbers.
struct TileSentence {
    std::string text;
    size_t grown = 0; ///< rows that found a larger maximum than they had
};
/// `before`: by query row, what it had before the tile; nothing = no tile yet.
TileSentence sentenceOf(const TileStep& step, std::span<const std::optional<gpu::TileVisit::Row>> before);

} // namespace warplight::labs::attention
