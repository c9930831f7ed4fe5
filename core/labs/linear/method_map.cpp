// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/method_map.h"

#include "core/labs/attention/map_tiles.h"

#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::labs::linear {
namespace {

/// Of both maps, and of what lies between.
class Tiles : public lab::TileSource {
  public:
    Tiles(std::shared_ptr<const ComparedMaps> maps, Shown shown) : maps(std::move(maps)), shown(shown) {}

    lab::TilePut tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) override {
        const cpu::MapProblem& p = maps->exact;
        lab::TilePut tile = attention::emptyTile(p.queryLen, p.keyLen, level, tileRow, tileCol);
        const int64_t cell = int64_t{1} << level;
        const int64_t firstRow = tileRow * attention::mapTileSize * cell,
                      firstColumn = tileCol * attention::mapTileSize * cell;
        if (shown != Shown::Method)
            cpu::mapTile(p, maps->lse, firstRow, firstColumn, tile.rows, tile.cols, cell, cpu::Pooling::Mean,
                         tile.cells, 0, &cancel);
        if (shown == Shown::Exact)
            return tile;
        std::vector<float> made(tile.cells.size());
        maps->method->means(firstRow, firstColumn, tile.rows, tile.cols, cell, made, &cancel);
        for (size_t i = 0; i < made.size(); ++i)
            tile.cells[i] = shown == Shown::Method ? made[i] : made[i] - tile.cells[i];
        return tile;
    }

    std::vector<std::string> probe(int64_t row, int64_t col) override {
        const cpu::MapProblem& p = maps->exact;
        if (row < 0 || col < 0 || row >= p.queryLen || col >= p.keyLen)
            return {};
        if (p.causal && col > row)
            return {"masked"};
        double score = 0;
        for (int64_t c = 0; c < p.headDim; ++c)
            score += static_cast<double>(p.q[row * p.headDim + c]) * static_cast<double>(p.k[col * p.headDim + c]);
        const double exact =
            std::exp(score * static_cast<double>(p.scale) - static_cast<double>(maps->lse[static_cast<size_t>(row)]));
        const double method = maps->method->at(row, col);
        return {fmt::format("query {} · key {}", row, col), fmt::format("softmax {:.4g}", exact),
                fmt::format("{} {:.4g} · difference {:.3g}", maps->name, method, method - exact)};
    }

  private:
    std::shared_ptr<const ComparedMaps> maps;
    Shown shown;
};

} // namespace

std::shared_ptr<lab::TileSource> tilesOf(std::shared_ptr<const ComparedMaps> maps, Shown shown) {
    return std::make_shared<Tiles>(std::move(maps), shown);
}

} // namespace warplight::labs::linear
