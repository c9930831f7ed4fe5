// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/tiles_scene.h"

#include "core/lab/number_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using namespace lab;
using Row = gpu::TileVisit::Row;
using CellState = Steps::CellState;

// The canvas, in units. The upper part: memory left, the chip right; what moves goes along the tracks between them.
constexpr double canvasWidth = 32, canvasHeight = 13;
constexpr double stripTop = 1.95, stripHeight = 7.45, stripWidth = 1.9, stripPitch = 2.35, stripLeft = 0.2;
constexpr double chipLeft = 11.3, chipTop = 1.15, chipHeight = 8.55, chipTileLeft = 11.8, chipTileWidth = 1.9,
                 chipTileHeight = 1.5, chipTilePitch = 1.95;
constexpr double dataTop = 2.75, dataHeight = 6.65, scoresLeft = 15.3, scoresWidth = 5.5;
constexpr double barsLeft = 21.5, barsWidth = 3.1, barsPitch = 3.4;
// The lower part: where in S the tile is, and the bytes.
constexpr double mapLeft = 0.2, mapTop = 10.6, mapSize = 2.4;
constexpr double bytesLeft = 9.2, bytesTop = 10.6, bytesWidth = 17.2, bytesHeight = 2.4;

const std::array<std::string, 4> tensors{"Q", "K", "V", "O"};

std::string subscript(int64_t number) {
    std::string text;
    for (const char digit : std::to_string(number))
        text += fmt::format("\xe2\x82{}", static_cast<char>(0x80 + digit - '0'));
    return text;
}

/// What the whole run's values lie between: every step is drawn on the same scales.
struct Ranges {
    double leastScore = std::numeric_limits<double>::infinity(), mostScore = -leastScore;
    double leastMaximum = 0, mostMaximum = 0, mostSum = 0, mostBytes = 0;

    explicit Ranges(const TileWalk& walk) {
        for (const TileStep& step : walk.steps) {
            for (const float score : step.scores)
                if (std::isfinite(score)) {
                    leastScore = std::min(leastScore, static_cast<double>(score));
                    mostScore = std::max(mostScore, static_cast<double>(score));
                }
            for (const Row& row : step.rows) {
                if (std::isfinite(row.runningMax)) {
                    leastMaximum = std::min(leastMaximum, row.runningMax);
                    mostMaximum = std::max(mostMaximum, row.runningMax);
                }
                if (std::isfinite(row.runningSum))
                    mostSum = std::max(mostSum, row.runningSum);
            }
        }
        if (leastScore > mostScore)
            leastScore = 0, mostScore = 1;
        mostBytes =
            std::max(totalStandardBytes(walk.shape), walk.steps.empty() ? 0 : walk.bytesUpTo(walk.steps.size() - 1));
    }
    double position(double score) const {
        return mostScore > leastScore ? (score - leastScore) / (mostScore - leastScore) : 0.5;
    }
};

class Scenes {
  public:
    explicit Scenes(const TileWalk& walk)
        : walk(walk),
          ranges(walk),
          largest(static_cast<size_t>(walk.queryTiles() * walk.keyTiles())),
          visited(largest.size()),
          before(static_cast<size_t>(walk.shape.queryLen)) {}

    Steps make() {
        Steps steps;
        steps.width = canvasWidth;
        steps.height = canvasHeight;
        steps.stretches = true;
        steps.always = background();
        size_t mostGrown = 0;
        for (size_t i = 0; i < walk.steps.size(); ++i) {
            steps.steps.push_back(scene(i));
            if (grown > mostGrown) { // the step that tells most
                mostGrown = grown;
                steps.opensAt = static_cast<int64_t>(i);
            }
        }
        return steps;
    }

  private:
    int64_t queryTile(const TileStep& step) const { return step.queryBegin / walk.queryTile; }
    int64_t keyTile(const TileStep& step) const { return step.keyBegin / walk.keyTile; }
    int64_t tilesOf(size_t tensor) const { return tensor == 1 || tensor == 2 ? walk.keyTiles() : walk.queryTiles(); }
    size_t mapIndex(const TileStep& step) const {
        return static_cast<size_t>(queryTile(step) * walk.keyTiles() + keyTile(step));
    }

    Steps::Cell memoryTile(size_t tensor, int64_t tile, double strength) const {
        const double pitch = stripHeight / static_cast<double>(tilesOf(tensor));
        Steps::Cell cell;
        cell.x = stripLeft + static_cast<double>(tensor) * stripPitch;
        cell.y = stripTop + static_cast<double>(tile) * pitch;
        cell.width = stripWidth;
        cell.height = pitch * 0.9;
        cell.colourKey = "tensor." + tensors[tensor];
        cell.id = fmt::format("{} {}", tensors[tensor], tile);
        cell.strength = strength;
        return cell;
    }

    Steps::Cell mapCell(int64_t query, int64_t key) const {
        Steps::Cell cell;
        cell.width = mapSize / static_cast<double>(walk.keyTiles());
        cell.height = mapSize / static_cast<double>(walk.queryTiles());
        cell.x = mapLeft + static_cast<double>(key) * cell.width;
        cell.y = mapTop + static_cast<double>(query) * cell.height;
        return cell;
    }

    /// What stands there in every step.
    Steps::Step background() const {
        constexpr double asleep = 0.28;
        Steps::Step under;
        under.regions.push_back({0, chipTop, chipLeft - 1.5, chipHeight, "memory", Steps::Region::Border::None});
        under.regions.push_back({chipLeft, chipTop, canvasWidth - chipLeft - 0.1, chipHeight, "on the chip",
                                 Steps::Region::Border::Dashed});
        for (size_t t = 0; t < tensors.size(); ++t) {
            under.labels.push_back({stripLeft + static_cast<double>(t) * stripPitch + stripWidth / 2, stripTop - 0.42,
                                    tensors[t], Steps::Label::Align::Centre});
            for (int64_t tile = 0; tile < tilesOf(t); ++tile)
                under.cells.push_back(memoryTile(t, tile, asleep));
        }
        std::vector<bool> reached(largest.size());
        for (const TileStep& step : walk.steps)
            reached[mapIndex(step)] = reached[mapIndex(step)] || !step.skipped;
        for (int64_t q = 0; q < walk.queryTiles(); ++q)
            for (int64_t k = 0; k < walk.keyTiles(); ++k) {
                under.cells.push_back(mapCell(q, k));
                under.cells.back().state =
                    reached[static_cast<size_t>(q * walk.keyTiles() + k)] ? CellState::Idle : CellState::Skipped;
            }
        Steps::Cell behindScores; // shows where the mask leaves no score
        behindScores.x = scoresLeft, behindScores.y = dataTop;
        behindScores.width = scoresWidth, behindScores.height = dataHeight;
        behindScores.state = CellState::Skipped;
        under.cells.push_back(behindScores);
        under.labels.push_back({mapLeft + mapSize + 0.4, mapTop + 0.6, "in memory"});
        const auto all = walk.movedUpTo(walk.steps.size());
        const auto scores = all.find("S");
        const int64_t inMemory = scores == all.end() ? 0 : scores->second.first + scores->second.second;
        under.labels.push_back({mapLeft + mapSize + 0.4, mapTop + 1.4, fmt::format("{} B, ever", inMemory),
                                Steps::Label::Align::Left, true});
        return under;
    }

    Steps::Step scene(size_t index) {
        const TileStep& step = walk.steps[index];
        Steps::Step scene;
        for (size_t t = 0; t < tensors.size(); ++t)
            loads[t] += bytes(step, t).first > 0 ? 1 : 0;
        addMemory(scene, step);
        addChip(scene, step);
        if (!step.skipped) {
            addScores(scene, step);
            addRows(scene, step);
            visited[mapIndex(step)] = true;
            largest[mapIndex(step)] = largestOf(step);
        }
        addMap(scene, step);
        addBytes(scene, index);
        const TileSentence sentence = sentenceOf(step, before);
        scene.caption = sentence.text;
        grown = sentence.grown;
        for (const Row& row : step.rows)
            before[static_cast<size_t>(row.row)] = row;
        return scene;
    }

    /// The tiles that the step is about, bright; those of O that are written come from the chip.
    void addMemory(Steps::Step& scene, const TileStep& step) const {
        for (size_t t = 0; t < tensors.size(); ++t) {
            const int64_t tile = t == 1 || t == 2 ? keyTile(step) : queryTile(step);
            Steps::Cell cell = memoryTile(t, tile, step.skipped ? 0.5 : 1);
            cell.state = CellState::Marked;
            if (t == 3 && bytes(step, t).second > 0)
                cell.origin = chipId(t, tile);
            scene.cells.push_back(std::move(cell));
        }
    }

    /// A tile that is loaded once more is another one: it comes from memory again.
    std::string chipId(size_t tensor, int64_t tile) const {
        return fmt::format("chip {} {}, load {}", tensors[tensor], tile, loads[tensor]);
    }

    /// Bytes of a tensor that the step has read and written; a kernel that tells the inputs together moves K and V with
    /// each tile, and Q with the first.
    std::pair<int64_t, int64_t> bytes(const TileStep& step, size_t tensor) const {
        if (const auto own = step.moved.find(tensors[tensor]); own != step.moved.end())
            return own->second;
        const auto all = step.moved.find("Q, K, V");
        if (tensor == 3 || all == step.moved.end() || (tensor == 0 && step.keyBegin > 0))
            return {0, 0};
        return all->second;
    }

    void addChip(Steps::Step& scene, const TileStep& step) const {
        if (step.skipped)
            return;
        for (size_t t = 0; t < tensors.size(); ++t) {
            const int64_t tile = t == 1 || t == 2 ? keyTile(step) : queryTile(step);
            const Steps::Cell home = memoryTile(t, tile, 1);
            Steps::Cell cell = home;
            cell.x = chipTileLeft;
            cell.y = dataTop - 0.6 + static_cast<double>(t) * chipTilePitch;
            cell.width = chipTileWidth;
            cell.height = chipTileHeight;
            cell.text = tensors[t] + subscript(tile);
            cell.id = chipId(t, tile);
            const auto [read, written] = bytes(step, t);
            if (read > 0)
                cell.origin = home.id;
            if (read > 0 || written > 0)
                scene.arrows.push_back({home.x + home.width, home.y + home.height / 2, cell.x, cell.y + cell.height / 2,
                                        "", 0, Steps::Arrow::Shape::Track, cell.colourKey});
            scene.cells.push_back(std::move(cell));
        }
    }

    bool hidden(int64_t row, int64_t key) const {
        return walk.shape.causal && key > row + walk.shape.keyLen - walk.shape.queryLen;
    }

    void addScores(Steps::Step& scene, const TileStep& step) const {
        Steps::Matrix matrix;
        matrix.x = scoresLeft, matrix.y = dataTop, matrix.width = scoresWidth, matrix.height = dataHeight;
        matrix.rows = static_cast<int64_t>(step.rows.size());
        matrix.cols = step.keyEnd - step.keyBegin;
        matrix.values = step.scores;
        matrix.minimum = ranges.leastScore;
        matrix.maximum = ranges.mostScore;
        matrix.title = fmt::format("S = Q{} K{}ᵀ / √d", subscript(queryTile(step)), subscript(keyTile(step)));
        matrix.id = fmt::format("S {} {}", queryTile(step), keyTile(step));
        for (const Row& row : step.rows) {
            matrix.rowNames.push_back(std::to_string(row.row));
            for (int64_t key = step.keyBegin; key < step.keyEnd; ++key)
                if (hidden(row.row, key))
                    matrix.absent.push_back(
                        static_cast<uint32_t>((&row - step.rows.data()) * matrix.cols + key - step.keyBegin));
        }
        for (int64_t key = step.keyBegin; key < step.keyEnd; ++key)
            matrix.colNames.push_back(std::to_string(key));
        scene.matrices.push_back(std::move(matrix));
    }

    void addRows(Steps::Step& scene, const TileStep& step) const {
        struct Column {
            const char *title, *colourKey;
            double minimum, maximum;
            double Row::*value;
        };
        const auto wide = [](double minimum, double maximum) { return maximum > minimum ? maximum : minimum + 1; };
        // With room for a number behind the longest bar, whose tick may stand where it would be inside.
        const double mostMaximum = ranges.mostMaximum + 0.35 * (ranges.mostMaximum - ranges.leastMaximum);
        const std::array<Column, 3> columns{
            {{"maximum m", "tensor.S", ranges.leastMaximum, wide(ranges.leastMaximum, mostMaximum), &Row::runningMax},
             {"sum l", "tensor.Q", 0, wide(0, ranges.mostSum), &Row::runningSum},
             {"old sum ×", "tensor.statistics", 0, 1, &Row::rescale}}};
        for (size_t c = 0; c < columns.size(); ++c) {
            Steps::Bars bars;
            bars.x = barsLeft + static_cast<double>(c) * barsPitch, bars.y = dataTop;
            bars.width = barsWidth, bars.height = dataHeight;
            bars.minimum = columns[c].minimum, bars.maximum = columns[c].maximum;
            bars.rows = static_cast<int64_t>(step.rows.size());
            bars.title = columns[c].title;
            bars.id = fmt::format("{} {}", columns[c].title, queryTile(step));
            for (const Row& row : step.rows) {
                const double value = row.*columns[c].value;
                Steps::Bars::Bar bar;
                bar.row = &row - step.rows.data();
                if (std::isfinite(value))
                    bar.to = value;
                bar.text = shownNumber(value);
                bar.colourKey = columns[c].colourKey;
                const auto& old = before[static_cast<size_t>(row.row)];
                if (c == 0 && old && std::isfinite(old->runningMax) && old->runningMax != value)
                    bar.mark = old->runningMax;
                bars.bars.push_back(std::move(bar));
            }
            scene.bars.push_back(std::move(bars));
        }
    }

    static float largestOf(const TileStep& step) {
        float most = -std::numeric_limits<float>::infinity();
        for (const float score : step.scores)
            if (std::isnan(score))
                return score;
            else
                most = std::max(most, score);
        return most;
    }

    /// S as far as it has been, one value a tile: what the chip held of it, and has forgotten.
    void addMap(Steps::Step& scene, const TileStep& step) const {
        Steps::Matrix map;
        map.x = mapLeft, map.y = mapTop, map.width = map.height = mapSize;
        map.rows = walk.queryTiles();
        map.cols = walk.keyTiles();
        map.values = largest;
        map.minimum = ranges.leastScore;
        map.maximum = ranges.mostScore;
        map.title = "S, tile by tile";
        map.id = "map";
        for (size_t i = 0; i < largest.size(); ++i)
            if (!visited[i])
                map.absent.push_back(static_cast<uint32_t>(i));
        scene.matrices.push_back(std::move(map));
        Steps::Cell now = mapCell(queryTile(step), keyTile(step));
        now.state = CellState::Marked;
        now.id = "now";
        if (const auto value = static_cast<double>(largest[mapIndex(step)]); !step.skipped && std::isfinite(value))
            now.value = ranges.position(value);
        scene.cells.push_back(std::move(now));
    }

    void addBytes(Steps::Step& scene, size_t index) const {
        Steps::Bars bars;
        bars.x = bytesLeft, bars.y = bytesTop, bars.width = bytesWidth, bars.height = bytesHeight;
        bars.maximum = ranges.mostBytes;
        bars.rows = 2;
        bars.title = "bytes moved so far, by tensor";
        bars.unit = "B";
        bars.rowNames = {walk.kernel, "standard"};
        bars.id = "bytes";
        const auto stack = [&](int64_t row, const std::string& name, double end, double size, Provenance provenance) {
            const bool kept =
                std::find(tensors.begin(), tensors.end(), name) != tensors.end() || name == "S" || name == "P";
            bars.bars.push_back({row, end - size, end, name,
                                 kept                ? "tensor." + name
                                 : name == "Q, K, V" ? "tensor.Q"
                                                     : "tensor.statistics",
                                 provenance});
            return end;
        };
        double end = 0;
        std::map<std::string, std::pair<int64_t, int64_t>> parts = walk.movedUpTo(walk.steps.size() - 1);
        const auto soFar = walk.movedUpTo(index);
        for (const char* name : {"Q, K, V", "Q", "K", "V", "O", "m", "l", "lse"}) // the same bars in every step
            if (parts.contains(name)) {
                const auto now = soFar.find(name);
                const double size =
                    now == soFar.end() ? 0 : static_cast<double>(now->second.first + now->second.second);
                end = stack(0, name, end + size, size, Provenance::Counted);
                addFacts(scene, name, now == soFar.end() ? std::pair<int64_t, int64_t>{} : now->second);
            }
        const auto total = [&](int64_t row, double bytes, Provenance provenance) {
            scene.labels.push_back({bytesLeft + bytesWidth + 0.3,
                                    bytesTop + (static_cast<double>(row) + 0.5) * bytesHeight / 2,
                                    fmt::format("{} {}", numberText(bytes, "B"), name(provenance)),
                                    Steps::Label::Align::Left, false, true});
        };
        total(0, end, Provenance::Counted);
        end = 0;
        for (const auto& [name, size] : standardBytes(walk.shape))
            end = stack(1, name, end + size, size, Provenance::Modelled);
        total(1, end, Provenance::Modelled);
        scene.bars.push_back(std::move(bars));
    }

    static void addFacts(Steps::Step& scene, const std::string& tensor, const std::pair<int64_t, int64_t>& moved) {
        if (tensor == "m" || tensor == "l" || tensor == "lse")
            return;
        if (moved.first > 0)
            scene.facts.push_back(
                {tensor + " read", numberText(static_cast<double>(moved.first), "B"), Provenance::Counted});
        if (moved.second > 0)
            scene.facts.push_back(
                {tensor + " written", numberText(static_cast<double>(moved.second), "B"), Provenance::Counted});
    }

    const TileWalk& walk;
    const Ranges ranges;
    std::vector<float> largest; ///< of each tile's scores, once it has been visited
    std::vector<bool> visited;
    std::vector<std::optional<Row>> before; ///< each row after the tiles so far
    std::array<int64_t, 4> loads{};         ///< of each tensor's tiles so far
    size_t grown = 0;                       ///< rows of the last caption
};

} // namespace

Steps tilesScenes(const TileWalk& walk) { return Scenes(walk).make(); }

int64_t sceneBytes(int64_t queryTile, int64_t keyTile, int64_t tiles) {
    constexpr int64_t cells = 16, otherBytes = 8 << 10; // titles, captions, facts, bars of bytes
    const int64_t one = cells * static_cast<int64_t>(sizeof(Steps::Cell)) + tiles * 8 + queryTile * keyTile * 8 +
                        3 * queryTile * static_cast<int64_t>(sizeof(Steps::Bars::Bar)) + otherBytes;
    return 2 * one; // in the figure, and in the frame that carries it
}

} // namespace warplight::labs::attention
