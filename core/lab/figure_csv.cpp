// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/figure_csv.h"

#include "core/lab/json_members.h"
#include "core/lab/scene_names.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace warplight::lab {
namespace {

/// RFC 4180: quoted when it holds a comma, a quote or a line break.
std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos)
        return text;
    std::string result = "\"";
    for (const char c : text)
        result += c == '"' ? std::string("\"\"") : std::string(1, c);
    return result + '"';
}

std::string number(double value) { return std::isnan(value) ? "nan" : fmt::format("{:.17g}", value); }
std::string optionalNumber(const std::vector<double>& values, size_t i) {
    return i < values.size() ? number(values[i]) : "";
}

std::string heading(const std::string& title, const std::string& unit) {
    return quoted(unit.empty() ? title : fmt::format("{} ({})", title, unit));
}

struct Writer {
    const RunRecord& record;
    const Figure& figure;
    std::string device = quoted(record.start().device);

    std::string operator()(const Series& series) const {
        std::string csv = fmt::format("device,provenance,curve,{},{},low,high\n",
                                      heading(series.x.title, series.x.unit), heading(series.y.title, series.y.unit));
        for (const Curve& curve : series.curves)
            for (size_t i = 0; i < curve.x.size(); ++i)
                csv += fmt::format("{},{},{},{},{},{},{}\n", curve.device.empty() ? device : quoted(curve.device),
                                   name(curve.provenance), quoted(curve.id), number(curve.x[i]), number(curve.y[i]),
                                   optionalNumber(curve.low, i), optionalNumber(curve.high, i));
        return csv;
    }

    std::string operator()(const Heatmap& map) const {
        std::string csv = fmt::format("device,level,row,column,{}\n", heading(map.valueTitle, map.valueUnit));
        const auto add = [&](int level, int64_t row, int64_t col, float value) {
            csv += fmt::format("{},{},{},{},{}\n", device, level, row, col, number(static_cast<double>(value)));
        };
        for (size_t i = 0; !map.lazy && i < map.cells.size(); ++i)
            add(0, static_cast<int64_t>(i) / map.cols, static_cast<int64_t>(i) % map.cols, map.cells[i]);
        for (const auto& [key, tile] : record.tiles())
            for (size_t i = 0; tile.figure == figure.id && i < tile.cells.size(); ++i)
                add(tile.level, tile.tileRow * map.tileSize + static_cast<int64_t>(i) / tile.cols,
                    tile.tileCol * map.tileSize + static_cast<int64_t>(i) % tile.cols, tile.cells[i]);
        return csv;
    }

    std::string operator()(const Histogram& histogram) const {
        std::string csv =
            fmt::format("device,provenance,set,from,to,{}\n", heading(histogram.y.title, histogram.y.unit));
        for (const auto& set : histogram.sets)
            for (size_t i = 0; i < set.counts.size(); ++i)
                csv += fmt::format("{},{},{},{},{},{}\n", device, name(set.provenance), quoted(set.id),
                                   number(histogram.edges[i]), number(histogram.edges[i + 1]), number(set.counts[i]));
        return csv;
    }

    std::string operator()(const Table& table) const {
        std::string csv = "device";
        for (const auto& column : table.columns)
            csv += ',' + heading(column.id, column.unit);
        for (const auto& row : table.rows) {
            csv += '\n' + device;
            for (const auto& cell : row)
                csv += ',' + std::visit(
                                 [](const auto& held) -> std::string {
                                     using Held = std::decay_t<decltype(held)>;
                                     if constexpr (std::is_same_v<Held, std::monostate>)
                                         return "";
                                     else if constexpr (std::is_same_v<Held, std::string>)
                                         return quoted(held);
                                     else if constexpr (std::is_same_v<Held, double>)
                                         return number(held);
                                     else
                                         return std::to_string(held);
                                 },
                                 cell);
        }
        return csv + '\n';
    }

    std::string operator()(const Metric& metric) const {
        return fmt::format("device,provenance,what,unit,value,low,high\n{},{},{},{},{},{},{}\n", device,
                           name(metric.provenance), quoted(metric.caption), quoted(metric.unit),
                           metric.value ? number(*metric.value) : "", metric.low ? number(*metric.low) : "",
                           metric.high ? number(*metric.high) : "");
    }

    std::string operator()(const Steps& steps) const {
        std::string csv = "device,step,provenance,what,value\n";
        for (size_t i = 0; i < steps.steps.size(); ++i) {
            const Steps::Step& step = steps.steps[i];
            const auto line = [&](Provenance provenance, const std::string& what, const std::string& value) {
                csv += fmt::format("{},{},{},{},{}\n", device, i + 1, name(provenance), quoted(what), quoted(value));
            };
            for (const auto& fact : step.facts)
                line(fact.provenance, fact.title, fact.text);
            for (const auto& bars : step.bars)
                for (const auto& bar : bars.bars)
                    line(bar.provenance, barName(step, bars, bar), bar.to ? number(*bar.to - bar.from) : bar.text);
            for (const auto& trace : step.traces)
                if (!trace.title.empty()) // one without is a scale
                    for (size_t p = 0; p < trace.ys.size(); ++p)
                        line(trace.provenance,
                             fmt::format("{}{} at {}", trace.title, trace.unit.empty() ? "" : " (" + trace.unit + ")",
                                         number(positionOf(trace, p))),
                             number(static_cast<double>(trace.ys[p])));
            for (const auto& matrix : step.matrices) {
                std::vector<bool> absent(matrix.values.size());
                for (const uint32_t c : matrix.absent)
                    absent[c] = true;
                for (size_t c = 0; c < matrix.values.size(); ++c)
                    if (!absent[c])
                        line(matrix.provenance, cellName(matrix, static_cast<int64_t>(c)),
                             number(static_cast<double>(matrix.values[c])));
            }
        }
        return csv;
    }

    /// "sum, row 3 (B)"; a bar that is one of several in its row is called what stands in it.
    static std::string barName(const Steps::Step& step, const Steps::Bars& bars, const Steps::Bars::Bar& bar) {
        const std::string row = rowNameOf(step, bars, bar.row);
        return fmt::format("{}{}{}{}", bars.title, row.empty() ? "" : ", " + row,
                           isPart(bars, bar) && !bar.text.empty() ? ", " + bar.text : "",
                           bars.unit.empty() ? "" : " (" + bars.unit + ")");
    }

    static std::string cellName(const Steps::Matrix& matrix, int64_t cell) {
        const auto called = [](const std::vector<std::string>& names, int64_t at) {
            return names.empty() ? std::to_string(at) : names[static_cast<size_t>(at)];
        };
        return fmt::format("{} [{}, {}]", matrix.title, called(matrix.rowNames, cell / matrix.cols),
                           called(matrix.colNames, cell % matrix.cols));
    }

    std::string operator()(const Source& source) const {
        std::vector<const Source::Counter*> columns; // of both panes, each id once
        for (const auto& pane : source.panes)
            for (const auto& counter : pane.counters)
                if (std::none_of(columns.begin(), columns.end(), [&](auto* c) { return c->id == counter.id; }))
                    columns.push_back(&counter);
        std::string csv = "device,pane,line,text,severity,remark,partners";
        for (const auto* counter : columns)
            csv += ',' + heading(counter->id, counter->unit.empty()
                                                  ? std::string(name(counter->provenance))
                                                  : fmt::format("{}, {}", counter->unit, name(counter->provenance)));
        csv += '\n';
        for (size_t p = 0; p < source.panes.size(); ++p)
            for (const auto& line : source.panes[p].lines) {
                std::string partners;
                for (const int64_t partner : line.partners)
                    partners += fmt::format("{}{}", partners.empty() ? "" : " ",
                                            source.panes.at(1 - p).lines.at(static_cast<size_t>(partner)).number);
                const auto severity =
                    vocabulary::EnumNames<Source::Severity>::names.at(static_cast<size_t>(line.severity));
                csv += fmt::format("{},{},{},{},{},{},{}", device, quoted(source.panes[p].id), line.number,
                                   quoted(line.text), severity, quoted(line.remark), partners);
                for (const auto* counter : columns)
                    csv += ',' + countOf(source.panes[p], line, counter->id);
                csv += '\n';
            }
        return csv;
    }

    static std::string countOf(const Source::Pane& pane, const Source::Line& line, const std::string& id) {
        for (size_t c = 0; c < line.counts.size(); ++c)
            if (pane.counters[c].id == id && line.counts[c])
                return number(*line.counts[c]);
        return "";
    }

    std::string operator()(const Timeline& timeline) const {
        std::string csv = fmt::format("device,provenance,group,track,{},{},text,kind,detail\n",
                                      heading("begin", timeline.x.unit), heading("end", timeline.x.unit));
        for (const auto& span : timeline.spans) {
            const auto& track = timeline.tracks[static_cast<size_t>(span.track)];
            csv += fmt::format("{},{},{},{},{},{},{},{},{}\n", device, name(span.provenance), quoted(track.group),
                               quoted(track.id), number(span.begin), number(span.end), quoted(span.text),
                               quoted(span.colourKey), quoted(span.detail));
        }
        return csv;
    }

    std::string operator()(const Note&) const { return ""; }
};

} // namespace

std::string warningComments(const RunRecord& record) {
    std::string text;
    for (const Log& log : record.logs()) {
        if (log.level != Log::Level::Warning)
            continue;
        std::string line = log.text;
        std::replace_if(
            line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
        text += fmt::format("# Note: {}\n", line);
    }
    return text;
}

std::string figureCsv(const RunRecord& record, const Figure& figure) {
    const std::string csv = std::visit(Writer{record, figure}, figure.content);
    return csv.empty() ? csv : warningComments(record) + csv;
}

} // namespace warplight::lab
