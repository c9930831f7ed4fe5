// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/factor_map.h"

#include "core/error.h"
#include "core/labs/attention/map_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace warplight::labs::linear {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

bool finite(const float* row, int64_t count) {
    return std::all_of(row, row + count, [](float x) { return std::isfinite(x); });
}

/// Sums of all rows before each, of `count` rows.
std::vector<double> sumsBefore(const std::vector<float>& x, int64_t count, int64_t rank) {
    std::vector<double> sums(static_cast<size_t>((count + 1) * rank));
    for (size_t i = 0; i < static_cast<size_t>(count * rank); ++i)
        sums[i + static_cast<size_t>(rank)] = sums[i] + static_cast<double>(x[i]);
    return sums;
}

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
        if (shown != Shown::Exact)
            addMethod(tile, firstRow, firstColumn, cell, cancel);
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
    void addMethod(lab::TilePut& tile, int64_t firstRow, int64_t firstColumn, int64_t cell,
                   const std::atomic<bool>& cancel) const {
        const FactorMap& m = *maps->method;
        for (int64_t r = 0; r < tile.rows; ++r) {
            if (cancel.load(std::memory_order_relaxed))
                throw Cancelled();
            for (int64_t c = 0; c < tile.cols; ++c) {
                const int64_t row = firstRow + r * cell, column = firstColumn + c * cell;
                float& value = tile.cells[static_cast<size_t>(r * tile.cols + c)];
                const double mean =
                    m.mean(row, std::min(row + cell, m.rows()), column, std::min(column + cell, m.columns()));
                value = static_cast<float>(shown == Shown::Method ? mean : mean - static_cast<double>(value));
            }
        }
    }

    std::shared_ptr<const ComparedMaps> maps;
    Shown shown;
};

} // namespace

FactorMap::FactorMap(std::vector<float> l, std::vector<float> r, int64_t rank, bool causal)
    : rowCount(static_cast<int64_t>(l.size()) / rank),
      columnCount(static_cast<int64_t>(r.size()) / rank),
      rank(rank),
      causal(causal),
      left(std::move(l)),
      right(std::move(r)),
      undefined(static_cast<size_t>(rowCount + 1)) {
    for (int64_t i = 0; i < rowCount; ++i) {
        float* row = left.data() + i * rank;
        const bool defined = finite(row, rank);
        undefined[static_cast<size_t>(i + 1)] = undefined[static_cast<size_t>(i)] + (defined ? 0 : 1);
        if (!defined)
            std::fill(row, row + rank, 0.0f); // so that the sums behind it stay numbers
    }
    leftSums = sumsBefore(left, rowCount, rank);
    rightSums = sumsBefore(right, columnCount, rank);
}

double FactorMap::at(int64_t row, int64_t column) const { return mean(row, row + 1, column, column + 1); }

double FactorMap::mean(int64_t rowBegin, int64_t rowEnd, int64_t columnBegin, int64_t columnEnd) const {
    if (undefined[static_cast<size_t>(rowEnd)] > undefined[static_cast<size_t>(rowBegin)] ||
        (causal && columnBegin >= rowEnd))
        return nothing;
    const double *begin = rightSums.data() + columnBegin * rank, *end = rightSums.data() + columnEnd * rank;
    double sum = 0;
    int64_t whole = rowBegin; // from here on a row sees every column of the block
    if (causal)
        for (; whole < rowEnd && whole + 1 < columnEnd; ++whole)
            if (whole >= columnBegin) {
                const float* row = left.data() + whole * rank;
                const double* seen = rightSums.data() + (whole + 1) * rank;
                for (int64_t c = 0; c < rank; ++c)
                    sum += static_cast<double>(row[c]) * (seen[c] - begin[c]);
            }
    const double *rowsBegin = leftSums.data() + whole * rank, *rowsEnd = leftSums.data() + rowEnd * rank;
    for (int64_t c = 0; c < rank; ++c)
        sum += (rowsEnd[c] - rowsBegin[c]) * (end[c] - begin[c]);
    return sum / static_cast<double>((rowEnd - rowBegin) * (columnEnd - columnBegin));
}

int64_t FactorMap::heldBytes(int64_t rows, int64_t columns, int64_t rank) {
    return (rows + columns + 2) * rank * 12 + (rows + 1) * 8;
}

std::shared_ptr<lab::TileSource> tilesOf(std::shared_ptr<const ComparedMaps> maps, Shown shown) {
    return std::make_shared<Tiles>(std::move(maps), shown);
}

} // namespace warplight::labs::linear
