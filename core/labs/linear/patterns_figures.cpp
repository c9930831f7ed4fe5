// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/patterns_figures.h"

#include "core/error.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <utility>

namespace warplight::labs::linear {
namespace {

using namespace lab;

double share(int64_t part, int64_t whole) {
    return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string percent(double x) {
    const int digits = x > 0 && x < 10 ? 2 : 0;
    return fmt::format("{:.{}f} %", x, digits);
}

std::optional<double> reachAfter(const Judged& j, int64_t layers) {
    for (const sparse::Reach& reach : j.numbers.reach)
        if (reach.layers == layers)
            return share(reach.pairs, j.numbers.possible);
    return {};
}

double density(const Judged& j) { return 100 * j.numbers.density(); }

void metric(Run& run, const char* id, const char* title, const char* explain, double value, const char* unit,
            const char* format, std::string caption) {
    Metric m;
    m.value = value;
    m.unit = unit;
    m.format = format;
    m.caption = std::move(caption);
    m.provenance = Provenance::Counted;
    run.put({id, title, "", explain, Figure::Place::Headline, std::move(m)});
}

} // namespace

std::vector<float> pooled(const std::vector<uint8_t>& mask, int64_t n, int64_t side, const std::atomic<bool>* cancel) {
    std::vector<float> cells(static_cast<size_t>(side * side));
    const auto begin = [&](int64_t cell) { return cell * n / side; };
    for (int64_t r = 0; r < side; ++r) {
        checkCancelled(cancel);
        for (int64_t c = 0; c < side; ++c) {
            int64_t kept = 0;
            for (int64_t i = begin(r); i < begin(r + 1); ++i)
                kept += std::count_if(mask.begin() + i * n + begin(c), mask.begin() + i * n + begin(c + 1),
                                      [](uint8_t x) { return x != 0; });
            const int64_t all = (begin(r + 1) - begin(r)) * (begin(c + 1) - begin(c));
            cells[static_cast<size_t>(r * side + c)] =
                all > 0 ? static_cast<float>(kept) / static_cast<float>(all) : 0.0f;
        }
    }
    return cells;
}

Figure galleryOf(const std::vector<Judged>& all) {
    constexpr int64_t columns = 6;
    constexpr double width = 10, map = 8.6, height = 14.4, top = 1.6;
    Steps scene;
    scene.width = width * columns;
    scene.height = height * static_cast<double>((static_cast<int64_t>(all.size()) + columns - 1) / columns);
    Steps::Step& step = scene.steps.emplace_back();
    step.caption = fmt::format("{} patterns over {} positions: queries down, keys to the right", all.size(),
                               all.empty() ? 0 : all.front().numbers.queries);
    for (size_t i = 0; i < all.size(); ++i) {
        const Judged& j = all[i];
        const double x = width * static_cast<double>(static_cast<int64_t>(i) % columns) + (width - map) / 2,
                     y = height * static_cast<double>(static_cast<int64_t>(i) / columns) + top;
        Steps::Matrix m;
        m.x = x, m.y = y, m.width = m.height = map;
        m.rows = m.cols = j.side;
        m.values.assign(j.cells.begin(), j.cells.end());
        m.minimum = 0;
        m.maximum = 1;
        m.title = j.title;
        m.provenance = Provenance::Counted;
        m.id = j.name;
        step.matrices.push_back(std::move(m));
        Steps::Cell cell; // what a click hits
        cell.x = x, cell.y = y + map + 0.15, cell.width = map, cell.height = 3.6;
        cell.state = Steps::CellState::Card;
        cell.link = static_cast<int64_t>(step.links.size());
        step.links.push_back(j.look);
        step.cells.push_back(std::move(cell));
        const auto line = [&](double below, const std::string& text) {
            step.labels.push_back({x + map / 2, y + map + below, text, Steps::Label::Align::Centre, false, false, {}});
        };
        line(0.8, fmt::format("{} pairs", j.numbers.pairs));
        line(1.9, fmt::format("density {}", percent(density(j))));
        if (const auto two = reachAfter(j, 2))
            line(3.0, fmt::format("two layers {}", percent(*two)));
    }
    return {
        "gallery",
        "Gallery",
        "a click below a map looks at it",
        "Which keys (to the right) each query (down) sees. A cell that stands for several pairs is as bright as the "
        "share of them that is kept. Below: pairs kept, their share of all, and from how many of the pairs that "
        "causality allows something has come after two layers. **Counted**, pair by pair.",
        Figure::Place::Main,
        std::move(scene)};
}

Figure tableOf(const std::vector<Judged>& all) {
    Table table;
    const auto column = [&](const char* id, std::string title, const char* unit, const char* format) {
        table.columns.push_back({id, std::move(title), unit, true, Provenance::Counted, format});
    };
    table.columns.push_back({"pattern", "Pattern", "", false, {}, ""});
    column("pairs", "Pairs kept", "", "{}");
    column("density", "Density", "%", "{:.2f}");
    for (const int64_t size : sparse::occupancyBlocks)
        table.columns.push_back({fmt::format("blocks_{}", size), fmt::format("Blocks of {}", size), "%", true,
                                 Provenance::Counted, "{:.1f}"});
    column("use", "Pairs used of blocks of 64", "%", "{:.1f}");
    for (int64_t layers = 1; layers <= sparse::reachLayers; ++layers)
        table.columns.push_back({fmt::format("reach_{}", layers),
                                 layers == 1 ? "Reach, 1 layer" : fmt::format("{} layers", layers), "%", true,
                                 Provenance::Counted, "{:.1f}"});
    for (const Judged& j : all) {
        std::vector<Table::Cell> row{j.title, j.numbers.pairs, density(j)};
        for (const sparse::Occupancy& o : j.numbers.occupancy)
            row.emplace_back(share(o.visible, o.all));
        const sparse::Occupancy& largest = j.numbers.occupancy.back();
        const int64_t n = j.numbers.queries, whole = largest.block * largest.block;
        row.emplace_back(share(j.numbers.pairs, std::min(largest.visible * whole, n * n)));
        for (int64_t layers = 1; layers <= sparse::reachLayers; ++layers) {
            row.emplace_back();
            if (const auto reach = reachAfter(j, layers))
                row.back() = *reach;
        }
        if (!j.race.experiment.empty())
            table.rowLinks[static_cast<int64_t>(table.rows.size())] = j.race;
        table.rows.push_back(std::move(row));
    }
    return {
        "patterns",
        "What each pattern keeps",
        "a click on a row races it",
        "**Density**: pairs kept over all n². **Blocks**: those with any visible pair, of all; a block-sparse kernel "
        "computes all of these, so **pairs used** is what is not wasted. **Reach**: pairs of a query and a token of "
        "which something has come to the query, of those that causality allows: the boolean power of the mask, with "
        "each token keeping what it has. Everything is **counted**.",
        Figure::Place::Support,
        std::move(table)};
}

void putHeadlines(const Judged& j, Run& run) {
    metric(run, "pairs", "Pairs kept", "Of the chosen pattern, **counted**.", static_cast<double>(j.numbers.pairs), "",
           "{:.0f}", fmt::format("of {} by {}: {}", j.numbers.queries * j.numbers.keys, j.title, j.rule));
    metric(run, "density", "Density", "Pairs kept over all pairs.", density(j), "%", "{:.2f}",
           "of all pairs: what FLOPs follow at best");
    const sparse::Occupancy& o = j.numbers.occupancy.back();
    metric(run, "blocks", "Blocks of 64", "Blocks that hold a visible pair: what a block-sparse kernel computes.",
           share(o.visible, o.all), "%", "{:.1f}",
           fmt::format("of blocks of 64: {} of {}, {} whole", o.visible, o.all, o.whole));
    if (const auto two = reachAfter(j, 2))
        metric(run, "reach2", "Reach of two layers",
               "Pairs of a query and a token of which something has come to the query.", *two, "%", "{:.1f}",
               "reached by two layers, of the pairs that causality allows");
}

Figure reachOf(const Judged& j) {
    Series series;
    series.x = {"layers", "", Scale::Linear, {}, {}, {}, false};
    series.y = {"pairs reached", "%", Scale::Linear, 0.0, 100.0, {}, false};
    Curve curve;
    curve.id = curve.colourKey = "reach";
    curve.label = "pairs reached";
    curve.provenance = Provenance::Counted;
    for (const sparse::Reach& reach : j.numbers.reach) {
        series.x.labels.push_back(std::to_string(reach.layers));
        curve.x.push_back(static_cast<double>(reach.layers - 1)); // of the label
        curve.y.push_back(share(reach.pairs, j.numbers.possible));
    }
    series.curves.push_back(std::move(curve));
    return {
        "reach",
        "Reach by layers",
        j.title,
        "The share of pairs of a query and a token of which something has come to the query after so many layers, of "
        "those that causality allows. **Counted** by boolean matrix products.",
        Figure::Place::Support,
        std::move(series)};
}

} // namespace warplight::labs::linear
