#include "core/cli/text.h"

#include "core/lab/number_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

namespace warplight::cli {
namespace {

using namespace lab;

using Grid = std::vector<std::vector<std::string>>;

/// Characters of UTF-8 text as a terminal shows them, one column each.
size_t columnsOf(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// Columns padded to their widest cell; the first to the left, the others to the right.
std::string aligned(const Grid& grid) {
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
            line += c == 0 ? fmt::format("{:<{}}", row[c], widths[c]) : fmt::format("  {:>{}}", row[c], widths[c]);
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
        }
        return text;
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
