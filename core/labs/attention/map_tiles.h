// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention_map.h"
#include "core/lab/run.h"
#include "core/labs/attention/map_inputs.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {

inline constexpr int mapTileSize = 256;
/// Levels of a lazy map of so many rows and columns: the coarsest is one tile.
int mapLevels(int64_t rows, int64_t columns);
/// A tile of such a map, its cells 0; throws InputError for a level or a place that the map does not have.
lab::TilePut emptyTile(int64_t rows, int64_t columns, int level, int64_t tileRow, int64_t tileCol);

inline constexpr int summaryLevel = 6; ///< of the attention map: this one and those above come from the streaming pass

/// Everything that outlives run() to answer for the map.
struct MapHead {
    MapInputs inputs;
    cpu::MapProblem problem;
    std::vector<float> lse, entropy;
    cpu::MapSummary summary;
    cpu::Pooling pooling = cpu::Pooling::Max;
    std::vector<std::string> labels;

    int levels() const { return mapLevels(problem.queryLen, problem.keyLen); }
    std::string token(int64_t key) const {
        return key < static_cast<int64_t>(labels.size()) ? fmt::format("{} “{}”", key, labels[static_cast<size_t>(key)])
                                                         : std::to_string(key);
    }
};

/// Fine tiles of the attention map from Q, K and the log-sum-exp, coarse ones from the summary.
class MapTiles : public lab::TileSource {
  public:
    explicit MapTiles(std::shared_ptr<const MapHead> head) : head(std::move(head)) {}

    lab::TilePut tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) override;
    std::vector<std::string> probe(int64_t row, int64_t col) override;
    /// Cells of a level from the summary's on. Blocks that no query sees are NaN.
    void pool(lab::TilePut& tile) const;

  private:
    std::shared_ptr<const MapHead> head;
};

} // namespace warplight::labs::attention
