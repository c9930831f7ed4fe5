// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/map_tiles.h"

#include "core/error.h"

#include <cmath>
#include <limits>

namespace warplight::labs::attention {

using lab::TilePut;

int mapLevels(int64_t rows, int64_t columns) {
    int count = 1;
    while ((std::max(rows, columns) - 1) >> (count - 1) >= mapTileSize)
        ++count;
    return count;
}

TilePut emptyTile(int64_t rows, int64_t columns, int level, int64_t tileRow, int64_t tileCol) {
    const int levels = mapLevels(rows, columns);
    if (level < 0 || level >= levels)
        throw InputError(fmt::format("level {} of the map does not exist, expected 0 to {}", level, levels - 1));
    const int64_t cell = int64_t{1} << level;
    TilePut tile;
    tile.level = level;
    tile.tileRow = tileRow;
    tile.tileCol = tileCol;
    const auto side = [&](int64_t length, int64_t index) { // any index, so none is multiplied before it is known to fit
        const int64_t cells = (length + cell - 1) / cell;
        return index < 0 || index >= (cells + mapTileSize - 1) / mapTileSize
                   ? 0
                   : std::min<int64_t>(mapTileSize, cells - index * mapTileSize);
    };
    tile.rows = side(rows, tileRow);
    tile.cols = side(columns, tileCol);
    if (tile.rows == 0 || tile.cols == 0)
        throw InputError(fmt::format("tile {}, {} lies outside level {} of the map", tileRow, tileCol, level));
    tile.cells.resize(static_cast<size_t>(tile.rows * tile.cols));
    return tile;
}

TilePut MapTiles::tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) {
    TilePut tile = emptyTile(head->problem.queryLen, head->problem.keyLen, level, tileRow, tileCol);
    const int64_t cell = int64_t{1} << level;
    if (level < summaryLevel)
        cpu::mapTile(head->problem, head->lse, tileRow * mapTileSize * cell, tileCol * mapTileSize * cell, tile.rows,
                     tile.cols, cell, head->pooling, tile.cells, 0, &cancel);
    else
        pool(tile);
    return tile;
}

std::vector<std::string> MapTiles::probe(int64_t row, int64_t col) {
    if (row < 0 || col < 0 || row >= head->problem.queryLen || col >= head->problem.keyLen)
        return {};
    const auto& p = head->problem;
    if (p.causal && col > row + p.keyLen - p.queryLen)
        return {"masked"};
    double score = 0;
    for (int64_t c = 0; c < p.headDim; ++c)
        score += static_cast<double>(p.q[row * p.headDim + c]) * static_cast<double>(p.k[col * p.headDim + c]);
    score *= static_cast<double>(p.scale);
    return {fmt::format("query {} · key {}", head->token(row), head->token(col)),
            fmt::format("P = {:.4g} · S = {:.4f}",
                        std::exp(score - static_cast<double>(head->lse[static_cast<size_t>(row)])), score)};
}

void MapTiles::pool(TilePut& tile) const {
    const auto& s = head->summary;
    const int64_t step = int64_t{1} << (tile.level - summaryLevel);
    const auto& from = head->pooling == cpu::Pooling::Max ? s.maxPooled : s.meanPooled;
    for (int64_t r = 0; r < tile.rows; ++r)
        for (int64_t c = 0; c < tile.cols; ++c) {
            const int64_t rowBegin = (tile.tileRow * mapTileSize + r) * step,
                          colBegin = (tile.tileCol * mapTileSize + c) * step;
            const int64_t rowEnd = std::min(rowBegin + step, s.rows), colEnd = std::min(colBegin + step, s.cols);
            double value = 0, cells = 0;
            for (int64_t i = rowBegin; i < rowEnd; ++i)
                for (int64_t j = colBegin; j < colEnd; ++j) {
                    const double block = static_cast<double>(from[static_cast<size_t>(i * s.cols + j)]);
                    const double size =
                        static_cast<double>((std::min((i + 1) * s.cell, head->problem.queryLen) - i * s.cell) *
                                            (std::min((j + 1) * s.cell, head->problem.keyLen) - j * s.cell));
                    value = head->pooling == cpu::Pooling::Max ? std::max(value, block) : value + block * size;
                    cells += size;
                }
            const int64_t lastRow = std::min(rowEnd * s.cell, head->problem.queryLen) - 1,
                          offset = head->problem.keyLen - head->problem.queryLen;
            const bool seen = !head->problem.causal || colBegin * s.cell <= lastRow + offset;
            tile.cells[static_cast<size_t>(r * tile.cols + c)] =
                !seen ? std::numeric_limits<float>::quiet_NaN()
                      : static_cast<float>(head->pooling == cpu::Pooling::Max ? value : value / cells);
        }
}

} // namespace warplight::labs::attention
