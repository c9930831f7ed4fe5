// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/figure_checks.h"

#include "core/error.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <cmath>

namespace warplight::lab {
namespace {

/// A tile edge beyond this is a mistake, not a picture.
constexpr int maximumTileSize = 8192;
/// Levels halve the edge: 2^62 is beyond any matrix.
constexpr int maximumLevels = 62;

void require(bool right, std::string_view what) {
    if (!right) {
        throw InputError(std::string(what));
    }
}

/// rows × cols == cells without overflow.
bool fills(int64_t rows, int64_t cols, size_t cells) {
    int64_t product = 0;
    return rows >= 0 && cols >= 0 && !__builtin_mul_overflow(rows, cols, &product) &&
           static_cast<uint64_t>(product) == cells;
}

/// `others`: lines of the other pane, 0 if there is none.
void checkPane(const Source::Pane& pane, size_t others) {
    const auto check = [&](bool right, int64_t line, std::string_view what) {
        if (!right) {
            throw InputError(fmt::format("pane \"{}\", line {}: {}", pane.id, line, what));
        }
    };
    for (const Source::Line& line : pane.lines) {
        check(line.counts.empty() || line.counts.size() == pane.counters.size(), line.number,
              "counts must have one value per counter, or none");
        for (const auto& count : line.counts) {
            check(!count || std::isfinite(*count), line.number,
                  "counts must be finite, or null where nothing is known");
        }
        for (const int64_t partner : line.partners) {
            check(partner >= 0 && static_cast<uint64_t>(partner) < others, line.number,
                  "partners must be indices of lines of the other pane");
        }
    }
}

void checkTimes(std::span<const Timeline::Span> spans, size_t tracks) {
    for (size_t i = 0; i < spans.size(); ++i) {
        const Timeline::Span& span = spans[i];
        if (span.track < 0 || static_cast<uint64_t>(span.track) >= tracks) {
            throw InputError(fmt::format("span {}: track {} is none of its {} tracks", i, span.track, tracks));
        }
        if (!std::isfinite(span.begin) || !std::isfinite(span.end) || span.end < span.begin) {
            throw InputError(fmt::format("span {}: from {} to {}, expected finite times, the end not before the begin",
                                         i, span.begin, span.end));
        }
    }
}

/// More cells of a scene's matrix, or rows of bars, than anybody can see are a mistake, not a picture.
constexpr size_t mostCells = 1 << 20;
constexpr int64_t mostRows = 4096;

bool isFinite(const std::optional<double>& number) { return !number || std::isfinite(*number); }

template <class Item>
void checkPlace(const Item& item, std::string_view kind) {
    if (!std::isfinite(item.x) || !std::isfinite(item.y) || !std::isfinite(item.width) || !std::isfinite(item.height) ||
        item.width < 0 || item.height < 0)
        throw InputError(
            fmt::format("{} \"{}\": x, y, width and height must be finite, the sizes not negative", kind, item.title));
}

void checkMatrix(const Steps::Matrix& matrix) {
    checkPlace(matrix, "matrix");
    const auto check = [&](bool right, std::string_view what) {
        if (!right)
            throw InputError(fmt::format("matrix \"{}\": {}", matrix.title, what));
    };
    const auto named = [](const std::vector<std::string>& names, int64_t count) {
        return names.empty() || static_cast<int64_t>(names.size()) == count;
    };
    check(fills(matrix.rows, matrix.cols, matrix.values.size()), "values must hold rows times cols values");
    check(matrix.values.size() <= mostCells, "it must have at most 1048576 cells");
    check(std::all_of(matrix.absent.begin(), matrix.absent.end(), [&](uint32_t i) { return i < matrix.values.size(); }),
          "absent must hold indices of its values");
    check(named(matrix.rowNames, matrix.rows) && named(matrix.colNames, matrix.cols),
          "rowNames and colNames must be one a row and one a column, or empty");
    check(isFinite(matrix.minimum) && isFinite(matrix.maximum), "minimum and maximum must be finite");
}

void checkBars(const Steps::Bars& bars) {
    checkPlace(bars, "bars");
    const auto check = [&](bool right, std::string_view what) {
        if (!right)
            throw InputError(fmt::format("bars \"{}\": {}", bars.title, what));
    };
    check(bars.rows >= 1 && bars.rows <= mostRows, "rows must be from 1 to 4096");
    check(bars.rowNames.empty() || static_cast<int64_t>(bars.rowNames.size()) == bars.rows,
          "rowNames must be one a row, or empty");
    check(std::isfinite(bars.minimum) && std::isfinite(bars.maximum) && bars.minimum < bars.maximum,
          "minimum and maximum must be finite, the maximum larger");
    for (const Steps::Bars::Bar& bar : bars.bars) {
        check(bar.row >= 0 && bar.row < bars.rows, "row must be one of its rows");
        check(std::isfinite(bar.from) && isFinite(bar.to) && isFinite(bar.mark),
              "from, to and mark must be finite; to is left out where a number is not");
    }
}

void checkTrace(const Steps::Trace& trace, size_t links) {
    checkPlace(trace, "trace");
    const auto check = [&](bool right, std::string_view what) {
        if (!right)
            throw InputError(fmt::format("trace \"{}\": {}", trace.title, what));
    };
    check(trace.ys.size() <= mostCells, "it must have at most 1048576 points");
    check(trace.xs.empty() || trace.xs.size() == trace.ys.size(), "xs must be one a point, or empty");
    for (const auto& [from, to] : {std::pair(trace.left, trace.right), std::pair(trace.bottom, trace.top)})
        check(std::isfinite(from) && std::isfinite(to) && from != to,
              "left, right, bottom and top must be finite, and not the same");
    check(trace.link < static_cast<int64_t>(links), "link must be an index into links");
}

void checkScene(const Steps::Step& step) {
    for (const Steps::Cell& cell : step.cells)
        require(cell.link < static_cast<int64_t>(step.links.size()), "cells: link must be an index into links");
    for (const Steps::Region& region : step.regions)
        checkPlace(region, "region");
    for (const Steps::Matrix& matrix : step.matrices)
        checkMatrix(matrix);
    for (const Steps::Bars& bars : step.bars)
        checkBars(bars);
    for (const Steps::Trace& trace : step.traces)
        checkTrace(trace, step.links.size());
}

void checkScenes(std::span<const Steps::Step> steps, size_t first) {
    for (size_t i = 0; i < steps.size(); ++i)
        try {
            checkScene(steps[i]);
        } catch (const InputError& error) {
            throw InputError(fmt::format("step {}: {}", first + i, error.what()));
        }
}

struct ContentCheck {
    void operator()(const Series& series) const {
        for (const Curve& curve : series.curves) {
            checkCurve(curve);
        }
    }
    void operator()(const Heatmap& map) const {
        require(map.rows >= 0 && map.cols >= 0, "rows and cols must not be negative");
        if (map.lazy) {
            require(map.tileSize >= 1 && map.tileSize <= maximumTileSize, "tileSize must be from 1 to 8192");
            require(map.levels >= 1 && map.levels <= maximumLevels, "levels must be from 1 to 62");
            require(map.cells.empty(), "a lazy heat map holds no cells");
        } else {
            require(fills(map.rows, map.cols, map.cells.size()), "cells must hold rows times cols values");
        }
    }
    void operator()(const Histogram& histogram) const {
        const size_t bins = histogram.edges.empty() ? 0 : histogram.edges.size() - 1;
        for (const Histogram::Set& set : histogram.sets) {
            require(set.counts.size() == bins, "counts must have one value per bin, edges one more");
        }
    }
    void operator()(const Table& table) const {
        for (const auto& row : table.rows) {
            require(row.size() == table.columns.size(), "every row must have one cell per column");
        }
    }
    void operator()(const Metric&) const {}
    void operator()(const Note&) const {}
    void operator()(const Steps& steps) const {
        checkScene(steps.always);
        checkScenes(steps.steps, 1);
    }
    void operator()(const Source& source) const {
        require(source.panes.size() <= 2, "panes must be one or two");
        for (size_t i = 0; i < source.panes.size(); ++i) {
            checkPane(source.panes[i], source.panes.size() == 2 ? source.panes[1 - i].lines.size() : 0);
        }
    }
    void operator()(const Timeline& timeline) const { checkTimes(timeline.spans, timeline.tracks.size()); }
};

} // namespace

void checkCurve(const Curve& curve) {
    const size_t points = curve.x.size();
    const auto emptyOrFull = [points](size_t size) { return size == 0 || size == points; };
    require(
        curve.y.size() == points && emptyOrFull(curve.low.size()) && emptyOrFull(curve.high.size()) &&
            emptyOrFull(curve.pointText.size()),
        fmt::format("curve \"{}\": x and y must be equally long, low, high and pointText as well or empty", curve.id));
}

void checkFigure(const Figure& figure) {
    try {
        require(!figure.id.empty(), "it needs an id");
        std::visit(ContentCheck{}, figure.content);
    } catch (const InputError& error) {
        throw InputError(fmt::format("figure \"{}\" ({}): {}", figure.id, kindName(figure), error.what()));
    }
}

void checkTile(const TilePut& tile) {
    require(fills(tile.rows, tile.cols, tile.cells.size()) && tile.level >= 0 && tile.tileRow >= 0 && tile.tileCol >= 0,
            fmt::format("a tile of figure \"{}\": cells must hold rows times cols values, its place must not be "
                        "negative",
                        tile.figure));
}

void checkSpans(std::string_view figure, std::span<const Timeline::Span> spans, size_t tracks) {
    try {
        checkTimes(spans, tracks);
    } catch (const InputError& error) {
        throw InputError(fmt::format("figure \"{}\" (timeline): {}", figure, error.what()));
    }
}

void checkSteps(std::string_view figure, std::span<const Steps::Step> steps, size_t first) {
    try {
        checkScenes(steps, first);
    } catch (const InputError& error) {
        throw InputError(fmt::format("figure \"{}\" (steps): {}", figure, error.what()));
    }
}

} // namespace warplight::lab
