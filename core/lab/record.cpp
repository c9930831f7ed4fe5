// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/record.h"

#include "core/error.h"
#include "core/lab/figure_checks.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <type_traits>
#include <utility>
#include <variant>

namespace warplight::lab {
namespace {

template <class Content>
Content& contentOf(Figure* figure, const std::string& id, const char* kind) {
    if (Content* content = figure ? std::get_if<Content>(&figure->content) : nullptr)
        return *content;
    throw InputError(fmt::format("figure '{}': got more data for a {}, expected a figure of that kind", id, kind));
}

template <class T>
void extend(std::vector<T>& to, const std::vector<T>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

void appendCurve(Series& series, const Curve& points) {
    const auto found =
        std::find_if(series.curves.begin(), series.curves.end(), [&](const Curve& c) { return c.id == points.id; });
    if (found == series.curves.end()) {
        series.curves.push_back(points);
        return;
    }
    const auto agrees = [&](size_t had, size_t more) {
        return (had > 0) == (more > 0) || found->x.empty() || points.x.empty();
    };
    if (!agrees(found->low.size(), points.low.size()) || !agrees(found->high.size(), points.high.size()) ||
        !agrees(found->pointText.size(), points.pointText.size()))
        throw InputError(
            fmt::format("curve '{}': some points have bars or texts, expected all of them or none", points.id));
    extend(found->x, points.x);
    extend(found->y, points.y);
    extend(found->low, points.low);
    extend(found->high, points.high);
    extend(found->pointText, points.pointText);
}

constexpr int64_t tileLimit = 64 << 20; // bytes of tiles that a record keeps

/// Figures are changed by a frame that names them.
const std::string* changedBy(const Frame& frame) {
    return std::visit(
        [](const auto& held) -> const std::string* {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, FigurePut>)
                return &held.figure.id;
            else if constexpr (requires { held.figure; } && !std::is_same_v<Held, TilePut>)
                return &held.figure;
            else
                return nullptr;
        },
        frame);
}

int64_t bytesOf(const TilePut& tile) { return static_cast<int64_t>(tile.cells.size() * sizeof(float)); }

} // namespace

void RunRecord::apply(const Frame& frame) {
    if (const auto* start = std::get_if<RunStarted>(&frame)) {
        *this = {};
        started = *start;
        return;
    }
    if (runOf(frame) != started.run)
        throw InputError(fmt::format("a frame of run {} came in run {}", runOf(frame), started.run));
    struct Applier {
        RunRecord& record;
        void operator()(const RunStarted&) const {}
        void operator()(const FigurePut& put) const {
            if (Figure* known = record.find(put.figure.id))
                *known = put.figure;
            else
                record.shown.push_back(put.figure);
        }
        void operator()(const SeriesAppended& more) const {
            Series& series = contentOf<Series>(record.find(more.figure), more.figure, "series");
            for (const Curve& curve : more.curves)
                appendCurve(series, curve);
        }
        void operator()(const RowsAppended& more) const {
            Table& table = contentOf<Table>(record.find(more.figure), more.figure, "table");
            for (const auto& row : more.rows)
                if (row.size() != table.columns.size())
                    throw InputError(fmt::format("table '{}': a row has {} cells, expected {}", more.figure, row.size(),
                                                 table.columns.size()));
            extend(table.rows, more.rows);
        }
        void operator()(const StepsAppended& more) const {
            extend(contentOf<Steps>(record.find(more.figure), more.figure, "steps").steps, more.steps);
        }
        void operator()(const SpansAppended& more) const {
            Timeline& timeline = contentOf<Timeline>(record.find(more.figure), more.figure, "timeline");
            checkSpans(more.figure, more.spans, timeline.tracks.size());
            extend(timeline.spans, more.spans);
        }
        void operator()(const TilePut& tile) const {
            contentOf<Heatmap>(record.find(tile.figure), tile.figure, "heatmap");
            record.keep(tile);
        }
        void operator()(const FigureRemoved& removed) const {
            std::erase_if(record.shown, [&](const Figure& f) { return f.id == removed.figure; });
            std::erase_if(record.tileStore, [&](const auto& entry) {
                const bool gone = std::get<0>(entry.first) == removed.figure;
                record.tileBytes -= gone ? bytesOf(entry.second) : 0;
                return gone;
            });
        }
        void operator()(const Progress& progress) const { record.lastProgress = progress; }
        void operator()(const Log& log) const { record.logLines.push_back(log); }
        void operator()(const RunEnded& ended) const { record.end = ended; }
    };
    std::visit(Applier{*this}, frame);
    static std::atomic<uint64_t> changes = 0;
    if (const std::string* id = changedBy(frame))
        revisions[*id] = ++changes;
}

const Figure* RunRecord::figure(std::string_view id) const {
    const auto found = std::find_if(shown.begin(), shown.end(), [&](const Figure& f) { return f.id == id; });
    return found == shown.end() ? nullptr : &*found;
}

uint64_t RunRecord::revision(std::string_view id) const {
    const auto found = revisions.find(id);
    return found == revisions.end() ? 0 : found->second;
}

Figure* RunRecord::find(std::string_view id) { return const_cast<Figure*>(std::as_const(*this).figure(id)); }

void RunRecord::keep(const TilePut& tile) {
    TilePut& place = tileStore[{tile.figure, tile.level, tile.tileRow, tile.tileCol}];
    tileBytes += bytesOf(tile) - bytesOf(place);
    place = tile;
    while (tileBytes > tileLimit && tileStore.size() > 1) {
        const auto finest = std::min_element(tileStore.begin(), tileStore.end(), [](const auto& a, const auto& b) {
            return a.second.level < b.second.level;
        });
        tileBytes -= bytesOf(finest->second);
        tileStore.erase(finest);
    }
}

std::vector<Frame> RunRecord::frames(int64_t tileBudget) const {
    std::vector<Frame> frames{started};
    for (const Figure& figure : shown)
        frames.push_back(FigurePut{started.run, figure});
    std::vector<const TilePut*> kept;
    for (const auto& [key, tile] : tileStore)
        kept.push_back(&tile);
    std::stable_sort(kept.begin(), kept.end(), [](const TilePut* a, const TilePut* b) { return a->level > b->level; });
    for (const TilePut* tile : kept)
        if ((tileBudget -= bytesOf(*tile)) >= 0)
            frames.push_back(*tile);
    for (const Log& line : logLines)
        frames.push_back(line);
    if (end)
        frames.push_back(*end);
    return frames;
}

} // namespace warplight::lab
