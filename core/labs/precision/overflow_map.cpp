// SPDX-License-Identifier: GPL-3.0-or-later
// The map of |S|: tiles when somebody looks at them; of large maps the far levels from one pass.
#include "core/labs/attention/map_tiles.h"
#include "core/labs/precision/overflow.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using attention::mapTileSize;

constexpr int farLevel = 6; ///< levels from this on come from the pass
constexpr int64_t farCell = int64_t{1} << farLevel;

int levelsOf(const cpu::MapProblem& p) { return attention::mapLevels(p.queryLen, p.keyLen); }
bool isLargeMap(const cpu::MapProblem& p) { return levelsOf(p) > farLevel + 1; }

class ScoreTiles : public TileSource {
  public:
    explicit ScoreTiles(std::shared_ptr<const OverflowScene> s)
        : scene(std::move(s)),
          levels(levelsOf(scene->head.problem)),
          farRows((scene->head.problem.queryLen + farCell - 1) / farCell),
          farCols((scene->head.problem.keyLen + farCell - 1) / farCell) {}

    TilePut tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) override {
        TilePut tile = emptyTile(level, tileRow, tileCol);
        const int64_t cell = int64_t{1} << level, edge = mapTileSize * cell;
        if (level < farLevel || far.empty())
            scene->steps->tile(tileRow * edge, tileCol * edge, tile.rows, tile.cols, cell, tile.cells, 0, &cancel);
        else
            pool(tile);
        return tile;
    }

    std::vector<std::string> probe(int64_t row, int64_t col) override {
        const cpu::MapProblem& p = scene->head.problem;
        if (row < 0 || col < 0 || row >= p.queryLen || col >= p.keyLen)
            return {};
        if (col >= scene->steps->visible(row))
            return {"masked"};
        const cpu::HalfScore score = scene->steps->score(row, col);
        std::vector<std::string> lines{fmt::format("query {} · key {}", row, col),
                                       fmt::format("S = {:.5g} · in f64 {:.5g}", score.stored, score.exact)};
        if (score.origin.step != cpu::HalfStep::None)
            lines.push_back(fmt::format("lost in: {}", nameOf(score.origin.step)) +
                            (score.origin.at < 0 ? "" : fmt::format(", feature {}", score.origin.at)));
        return lines;
    }

    /// The pass: a band of far cells a time, shown as it grows.
    void survey(Run& run) {
        if (!isLargeMap(scene->head.problem))
            return;
        std::vector<float> all(static_cast<size_t>(farRows * farCols), std::numeric_limits<float>::quiet_NaN());
        const int64_t band = std::max<int64_t>(1, farRows / 64);
        far = all;
        for (int64_t row = 0; row < farRows; row += band) {
            const int64_t rows = std::min(band, farRows - row);
            const auto at = static_cast<size_t>(row * farCols);
            scene->steps->tile(row * farCell, 0, rows, farCols, farCell,
                               std::span(far).subspan(at, static_cast<size_t>(rows * farCols)), 0, run.cancelToken());
            run.progress(static_cast<double>(row + rows) / static_cast<double>(farRows),
                         fmt::format("map: {} of {} queries",
                                     std::min((row + rows) * farCell, scene->head.problem.queryLen),
                                     scene->head.problem.queryLen));
            if (row / band % 4 == 3 || row + rows == farRows)
                volunteer(run, row + rows == farRows);
        }
    }

    void volunteer(Run& run, bool final) {
        TilePut tile = emptyTile(levels - 1, 0, 0);
        tile.figure = "scores";
        tile.final = final;
        if (far.empty())
            tile.cells = this->tile(levels - 1, 0, 0, *run.cancelToken()).cells;
        else
            pool(tile);
        run.putTile(std::move(tile));
    }

  private:
    TilePut emptyTile(int level, int64_t tileRow, int64_t tileCol) const {
        return attention::emptyTile(scene->head.problem.queryLen, scene->head.problem.keyLen, level, tileRow, tileCol);
    }

    void pool(TilePut& tile) const {
        const int64_t step = int64_t{1} << (tile.level - farLevel);
        for (int64_t r = 0; r < tile.rows; ++r)
            for (int64_t c = 0; c < tile.cols; ++c) {
                float most = std::numeric_limits<float>::quiet_NaN();
                const int64_t row = (tile.tileRow * mapTileSize + r) * step,
                              col = (tile.tileCol * mapTileSize + c) * step;
                for (int64_t i = row; i < std::min(row + step, farRows); ++i)
                    for (int64_t j = col; j < std::min(col + step, farCols); ++j)
                        most = std::fmax(most, far[static_cast<size_t>(i * farCols + j)]);
                tile.cells[static_cast<size_t>(r * tile.cols + c)] = most;
            }
    }

    std::shared_ptr<const OverflowScene> scene;
    int levels;
    int64_t farRows, farCols;
    std::vector<float> far; ///< [farRows, farCols] of a large map, NaN where the pass has not been
};

} // namespace

void putScores(Run& run, const std::shared_ptr<const OverflowScene>& scene) {
    const cpu::MapProblem& p = scene->head.problem;
    Heatmap map;
    map.rows = p.queryLen;
    map.cols = p.keyLen;
    map.x = {"key", "", Scale::Linear, {}, {}, {}, false};
    map.y = {"query", "", Scale::Linear, {}, {}, {}, true};
    map.valueTitle = "|S|";
    map.valueScale = Scale::Log2;
    map.lazy = true;
    map.tileSize = mapTileSize;
    map.levels = levelsOf(p);
    map.pooling = "max";
    map.selectable = true;
    const double most = std::min(scene->steps->limit(), 65504.0); // bf16 has room beyond any score worth a colour
    map.valueMaximum = most;
    map.valueMinimum = most / (1 << 18); // one palette for all scales of the inputs: a dragged one is seen growing
    run.put(
        {"scores", "Scores S", scene->kernel + " · hatched: ∞, NaN · click: history",
         "|S| as the kernel stores it; what became infinite or NaN is drawn as such. A coarse cell shows the largest "
         "score below it. **Counted**: every score is computed as the kernel adds it up, product by product; whether "
         "it "
         "is finite is exact at every zoom.",
         Figure::Place::Main, std::move(map)});
    if (!isLargeMap(scene->head.problem))
        surveyScores(run, scene);
}

void surveyScores(Run& run, const std::shared_ptr<const OverflowScene>& scene) {
    const auto tiles = std::make_shared<ScoreTiles>(scene);
    tiles->survey(run);
    run.serveTiles("scores", tiles);
    tiles->volunteer(run, true);
}

bool isLarge(const OverflowScene& scene) { return isLargeMap(scene.head.problem); }

} // namespace warplight::labs::precision
