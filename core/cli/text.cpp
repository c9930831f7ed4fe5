// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/text.h"

#include "core/lab/number_text.h"
#include "core/lab/scene_names.h"
#include "core/lab/timeline_tracks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <set>
#include <variant>
#include <vector>

namespace warplight::cli {
namespace {

using namespace lab;

using Grid = std::vector<std::vector<std::string>>;

/// Characters of UTF-8 text as a terminal shows them, one column each.
size_t columnsOf(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// Columns padded to their widest cell; the first to the left, the others to the right, but for a last one of words.
std::string aligned(const Grid& grid, bool wordsLast = false) {
    std::vector<size_t> widths;
    for (const auto& row : grid) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t c = 0; c < row.size(); ++c)
            widths[c] = std::max(widths[c], columnsOf(row[c]));
    }
    std::string text;
    for (const auto& row : grid) {
        std::string line;
        for (size_t c = 0; c < row.size(); ++c)
            line += c == 0                             ? fmt::format("{:<{}}", row[c], widths[c])
                    : wordsLast && c + 1 == row.size() ? "  " + row[c]
                                                       : fmt::format("  {:>{}}", row[c], widths[c]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

std::string cellText(const Table::Cell& cell, const Table::Column& column) {
    if (const auto* number = std::get_if<double>(&cell)) // with a unit the prefix says the size: 2.66 ms
        return numberText(*number, column.unit, column.unit.empty() ? column.format : std::string());
    if (const auto* count = std::get_if<int64_t>(&cell))
        return column.unit == "B" ? numberText(static_cast<double>(*count), column.unit) : std::to_string(*count);
    const auto* text = std::get_if<std::string>(&cell);
    return text ? *text : "–";
}

struct Printer {
    std::string operator()(const Series& series) const {
        std::set<double> positions;
        Grid grid{{series.x.title}};
        for (const Curve& curve : series.curves) {
            positions.insert(curve.x.begin(), curve.x.end());
            grid[0].push_back(
                fmt::format("{} [{}]", curve.label.empty() ? curve.id : curve.label, name(curve.provenance)));
        }
        for (const double x : positions) {
            grid.push_back({numberText(x, series.x.unit, series.x.unit.empty() ? "{:.6g}" : "")});
            for (const Curve& curve : series.curves) {
                const auto at = std::find(curve.x.begin(), curve.x.end(), x);
                grid.back().push_back(
                    at == curve.x.end()
                        ? "–"
                        : numberText(curve.y[static_cast<size_t>(at - curve.x.begin())], series.y.unit));
            }
        }
        return aligned(grid);
    }
    std::string operator()(const Heatmap& map) const { return fmt::format("{} × {} cells\n", map.rows, map.cols); }
    std::string operator()(const Histogram& histogram) const {
        Grid grid{{histogram.x.title}};
        for (const auto& set : histogram.sets)
            grid[0].push_back(set.label);
        for (size_t bin = 0; bin + 1 < histogram.edges.size(); ++bin) {
            std::vector<std::string> row{fmt::format("{:g} to {:g}", histogram.edges[bin], histogram.edges[bin + 1])};
            double all = 0;
            for (const auto& set : histogram.sets) {
                row.push_back(fmt::format("{:.0f}", set.counts[bin]));
                all += set.counts[bin];
            }
            if (all > 0)
                grid.push_back(row);
        }
        return aligned(grid);
    }
    std::string operator()(const Table& table) const {
        Grid grid(1);
        for (const auto& column : table.columns)
            grid[0].push_back(column.title);
        for (const auto& row : table.rows) {
            grid.emplace_back();
            for (size_t c = 0; c < row.size(); ++c)
                grid.back().push_back(cellText(row[c], table.columns[c]));
        }
        return aligned(grid);
    }
    std::string operator()(const Metric& metric) const {
        return fmt::format("{} [{}]\n", metric.value ? numberText(*metric.value, metric.unit, metric.format) : "–",
                           name(metric.provenance));
    }
    std::string operator()(const Note& note) const { return note.markdown + '\n'; }
    std::string operator()(const Steps& steps) const {
        std::string text;
        for (size_t i = 0; i < steps.steps.size(); ++i) {
            text += fmt::format("{:3}. {}\n", i + 1, steps.steps[i].caption);
            for (const auto& fact : steps.steps[i].facts)
                text += fmt::format("       {}: {} [{}]\n", fact.title, fact.text, name(fact.provenance));
            for (const auto& bars : steps.steps[i].bars)
                text += barsText(steps.steps[i], bars);
            for (const auto& trace : steps.steps[i].traces)
                if (!trace.title.empty())
                    text += fmt::format("       {}: {} points [{}]\n", trace.title, trace.ys.size(),
                                        name(trace.provenance));
            for (const auto& matrix : steps.steps[i].matrices)
                text += fmt::format("       {}: {} × {} values [{}]\n", matrix.title, matrix.rows, matrix.cols,
                                    name(matrix.provenance));
        }
        return text;
    }
    /// A line: "sum: 16 1.23, 17 2.5 [measured]"; a bar that is one of several in its row with what stands in it.
    static std::string barsText(const Steps::Step& step, const Steps::Bars& bars) {
        std::string text;
        for (const auto& bar : bars.bars) {
            const std::string row = rowNameOf(step, bars, bar.row);
            const std::string number =
                bar.to ? numberText(*bar.to - bar.from, bars.unit, bars.unit.empty() ? "{:.4g}" : "") : bar.text;
            text += fmt::format("{}{}{}{} [{}]", text.empty() ? "" : ", ", row.empty() ? "" : row + " ",
                                isPart(bars, bar) && bar.to ? bar.text + " " : "", number, name(bar.provenance));
        }
        return fmt::format("       {}: {}\n", bars.title, text);
    }
    std::string operator()(const Source& source) const {
        std::string text;
        for (const auto& pane : source.panes) {
            if (!text.empty())
                text += '\n';
            text += hottestLines(pane);
        }
        return text;
    }
    std::string operator()(const Timeline& timeline) const {
        const auto shares = busyShares(timeline);
        std::vector<int64_t> spans(timeline.tracks.size());
        for (const auto& span : timeline.spans)
            ++spans[static_cast<size_t>(span.track)];
        Grid grid{{"track", "spans", "busy"}};
        for (size_t t = 0; t < timeline.tracks.size(); ++t) {
            const auto& track = timeline.tracks[t];
            grid.push_back({track.group.empty() ? track.title : track.group + ": " + track.title,
                            std::to_string(spans[t]), fmt::format("{:.1f} %", 100 * shares[t])});
        }
        return aligned(grid);
    }

  private:
    /// The ten lines with the most of the first counter, and what was found in any.
    static std::string hottestLines(const Source::Pane& pane) {
        constexpr size_t most = 10;
        const auto heat = [](const Source::Line& line) { return line.counts.empty() ? 0 : line.counts[0].value_or(0); };
        std::vector<const Source::Line*> hot;
        for (const auto& line : pane.lines)
            if (heat(line) > 0)
                hot.push_back(&line);
        std::stable_sort(hot.begin(), hot.end(), [&](auto* a, auto* b) { return heat(*a) > heat(*b); });
        Grid grid{{"line"}};
        for (const auto& counter : pane.counters)
            grid[0].push_back(fmt::format("{} [{}]", counter.title, name(counter.provenance)));
        grid[0].emplace_back();
        for (size_t i = 0; i < std::min(hot.size(), most); ++i) {
            grid.push_back({std::to_string(hot[i]->number)});
            for (size_t c = 0; c < hot[i]->counts.size(); ++c)
                grid.back().push_back(
                    hot[i]->counts[c] ? countText(*hot[i]->counts[c], pane.counters[c].unit, pane.counters[c].format)
                                      : "–");
            grid.back().push_back(trimmed(hot[i]->text));
        }
        std::string text = fmt::format("{}: {} lines\n", pane.title, pane.lines.size());
        if (!hot.empty())
            text += aligned(grid, true);
        for (const auto& line : pane.lines)
            if (!line.remark.empty())
                text += fmt::format("line {}: {}\n", line.number, line.remark);
        return text;
    }
    static std::string trimmed(const std::string& line) {
        const size_t begin = line.find_first_not_of(" \t");
        return begin == std::string::npos ? "" : line.substr(begin);
    }
};

} // namespace

std::string recordText(const RunRecord& record) {
    std::string text =
        fmt::format("{} on {} ({}, {} cores, {})\n", record.start().experiment, record.start().device,
                    record.start().machine.cpu, record.start().machine.cores, record.start().machine.instructionSet);
    for (const Figure& figure : record.figures())
        if (figure.place == Figure::Place::Headline)
            text += figure.title + ": " + std::visit(Printer{}, figure.content);
    for (const Figure& figure : record.figures())
        if (figure.place != Figure::Place::Headline)
            text += fmt::format("\n{}{}\n", figure.title, figure.subtitle.empty() ? "" : " (" + figure.subtitle + ")") +
                    std::visit(Printer{}, figure.content);
    for (const Log& log : record.logs())
        text += (log.level == Log::Level::Warning ? "\nNote: " : "\n") + log.text;
    return text + (record.logs().empty() ? "" : "\n");
}

} // namespace warplight::cli
