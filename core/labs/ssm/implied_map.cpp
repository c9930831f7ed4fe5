// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/implied_map.h"

#include "core/error.h"
#include "core/labs/attention/map_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace warplight::labs::ssm {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

size_t index(int64_t i) { return static_cast<size_t>(i); }

} // namespace

ImpliedMap::ImpliedMap(std::shared_ptr<const SelectiveStory> s, int64_t e, const std::atomic<bool>* cancel)
    : story(std::move(s)), channel(e) {
    const int64_t length = story->length, states = story->states, mixing = story->mixing(channel);
    double sum = 0;
    Level finest;
    for (int64_t t = 0; t < length; ++t) {
        if (t % 4096 == 0)
            checkCancelled(cancel);
        const double size = static_cast<double>(story->size[index(channel * length + t)]);
        sums.push_back(sum += size);
        double own = 0;
        for (int64_t n = 0; n < states; ++n) {
            const auto b = static_cast<double>(story->b[index(mixing + n * length + t)]),
                       c = static_cast<double>(story->c[index(mixing + n * length + t)]);
            finest.reads.push_back(static_cast<float>(c));
            finest.leaves.push_back(static_cast<float>(size * b));
            own += c * size * b;
        }
        finest.diagonal.push_back(own);
    }
    all.push_back(std::move(finest));
    for (int level = 1; level < levels(); ++level) {
        const int below = level - 1;
        const Level& fine = all.back();
        const auto parts = static_cast<int64_t>(fine.diagonal.size()), blocks = (parts + 1) / 2;
        Level coarse;
        for (int64_t block = 0; block < blocks; ++block) {
            if (block % 1024 == 0)
                checkCancelled(cancel);
            const int64_t left = 2 * block, right = left + 1;
            const bool both = right < parts;
            for (int64_t n = 0; n < states; ++n) {
                const auto of = [&](const std::vector<float>& x, int64_t part) {
                    return static_cast<double>(x[index(part * states + n)]);
                };
                double reads = of(fine.reads, left), leaves = of(fine.leaves, left);
                if (both) {
                    reads += decay(firstOf(below, left), firstOf(below, right), n) * of(fine.reads, right);
                    leaves = decay(lastOf(below, left), lastOf(below, right), n) * leaves + of(fine.leaves, right);
                }
                coarse.reads.push_back(static_cast<float>(reads));
                coarse.leaves.push_back(static_cast<float>(leaves));
            }
            coarse.diagonal.push_back(fine.diagonal[index(left)] +
                                      (both ? fine.diagonal[index(right)] + cross(below, right, left) : 0));
        }
        all.push_back(std::move(coarse));
    }
}

int ImpliedMap::levels() const { return attention::mapLevels(story->length, story->length); }

double ImpliedMap::decay(int64_t from, int64_t to, int64_t n) const {
    return std::exp(static_cast<double>(story->a[index(channel * story->states + n)]) *
                    (sums[index(to)] - sums[index(from)]));
}

double ImpliedMap::kept(int64_t row, int64_t column, int64_t n) const { return decay(column, row, n); }
double ImpliedMap::stepsBetween(int64_t row, int64_t column) const { return sums[index(row)] - sums[index(column)]; }

double ImpliedMap::cross(int level, int64_t rowBlock, int64_t columnBlock) const {
    const Level& l = all[static_cast<size_t>(level)];
    const int64_t first = firstOf(level, rowBlock), last = lastOf(level, columnBlock), states = story->states;
    double sum = 0;
    for (int64_t n = 0; n < states; ++n)
        sum += static_cast<double>(l.reads[index(rowBlock * states + n)]) * decay(last, first, n) *
               static_cast<double>(l.leaves[index(columnBlock * states + n)]);
    return sum;
}

double ImpliedMap::at(int64_t row, int64_t column) const {
    return column > row ? none : column == row ? all[0].diagonal[index(row)] : cross(0, row, column);
}

std::vector<int64_t> ImpliedMap::loudest(int64_t count) const {
    std::vector<float> sizes;
    std::vector<int64_t> tokens;
    for (int64_t t = 0; t < story->length; ++t) {
        float size = 0;
        for (int64_t n = 0; n < story->states; ++n)
            size += std::fabs(all[0].leaves[index(t * story->states + n)]);
        sizes.push_back(std::isfinite(size) ? size : 0);
        tokens.push_back(t);
    }
    const auto end = tokens.begin() + std::min(count, story->length);
    std::partial_sort(tokens.begin(), end, tokens.end(),
                      [&](int64_t a, int64_t b) { return sizes[index(a)] > sizes[index(b)]; });
    tokens.erase(end, tokens.end());
    return tokens;
}

lab::TilePut ImpliedMap::tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) {
    lab::TilePut tile = attention::emptyTile(story->length, story->length, level, tileRow, tileCol);
    const Level& l = all[static_cast<size_t>(level)];
    const int64_t states = story->states, firstRow = tileRow * attention::mapTileSize,
                  firstColumn = tileCol * attention::mapTileSize;
    // Of a tile left of the diagonal, decays are taken in two parts that meet at its first row: neither grows.
    std::vector<double> reads, leaves;
    if (tileCol < tileRow) {
        const int64_t meet = firstOf(level, firstRow);
        for (int64_t r = 0; r < tile.rows; ++r)
            for (int64_t n = 0; n < states; ++n)
                reads.push_back(static_cast<double>(l.reads[index((firstRow + r) * states + n)]) *
                                decay(meet, firstOf(level, firstRow + r), n));
        for (int64_t c = 0; c < tile.cols; ++c)
            for (int64_t n = 0; n < states; ++n)
                leaves.push_back(static_cast<double>(l.leaves[index((firstColumn + c) * states + n)]) *
                                 decay(lastOf(level, firstColumn + c), meet, n));
    }
    for (int64_t r = 0; r < tile.rows; ++r) {
        checkCancelled(&cancel);
        for (int64_t c = 0; c < tile.cols; ++c) {
            const int64_t row = firstRow + r, column = firstColumn + c;
            double sum = none;
            if (column == row)
                sum = l.diagonal[index(row)];
            else if (tileCol < tileRow) {
                sum = 0;
                for (int64_t n = 0; n < states; ++n)
                    sum += reads[index(r * states + n)] * leaves[index(c * states + n)];
            } else if (column < row)
                sum = cross(level, row, column);
            const auto cells = static_cast<double>((lastOf(level, row) - firstOf(level, row) + 1) *
                                                   (lastOf(level, column) - firstOf(level, column) + 1));
            const double mean = sum / cells;
            tile.cells[index(r * tile.cols + c)] = static_cast<float>(absolute ? std::fabs(mean) : mean);
        }
    }
    return tile;
}

std::vector<std::string> ImpliedMap::probe(int64_t row, int64_t col) {
    if (row < 0 || col < 0 || row >= story->length || col >= story->length)
        return {};
    if (col > row)
        return {"comes later"};
    double most = 0;
    for (int64_t n = 0; n < story->states; ++n)
        most = std::max(most, kept(row, col, n));
    return {fmt::format("step {} reads token {}{}", row, col,
                        story->tokens.empty() ? "" : fmt::format(" ({})", story->name(col))),
            fmt::format("α {:.4g}", at(row, col)),
            fmt::format("Δ {:.3g} · since then {:.3g} · kept at most {:.3g}",
                        static_cast<double>(story->size[index(channel * story->length + col)]), stepsBetween(row, col),
                        most)};
}

int64_t ImpliedMap::heldBytes(int64_t length, int64_t states) { return 2 * length * (8 * states + 8) + 8 * length; }

} // namespace warplight::labs::ssm
