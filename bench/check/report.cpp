// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/check/report.h"

#include <QRegularExpression>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::check {
namespace {

using nlohmann::json;

json cellJson(const lab::Table::Cell& cell) {
    return std::visit(
        [](const auto& value) -> json {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>)
                return nullptr;
            else
                return value;
        },
        cell);
}

/// The rows of a table as objects by column; none if the run has no such table.
std::vector<json> rowsOf(const lab::RunRecord& record, std::string_view figure) {
    std::vector<json> rows;
    const lab::Figure* found = record.figure(figure);
    const auto* table = found ? std::get_if<lab::Table>(&found->content) : nullptr;
    if (!table)
        return rows;
    for (const auto& cells : table->rows) {
        json& row = rows.emplace_back();
        for (size_t c = 0; c < table->columns.size(); ++c)
            row[table->columns[c].id] = cellJson(cells[c]);
    }
    return rows;
}

/// "attention" of "attention.race".
std::string operatorOf(const lab::RunRecord& record) {
    const std::string& id = record.start().experiment;
    return id.substr(0, id.find('.'));
}

json ratio(const json& of, const json& over) {
    return of.is_number() && over.is_number() && over.get<double>() > 0 ? json(of.get<double>() / over.get<double>())
                                                                        : json();
}

} // namespace

json testResult(const QString& output) {
    json result{{"passed", 0}, {"failed", 0}, {"skipped", 0}, {"failures", json::array()}};
    static const QRegularExpression sum("Totals: (\\d+) passed, (\\d+) failed, (\\d+) skipped");
    if (const auto match = sum.match(output); match.hasMatch())
        for (const auto& [name, group] : {std::pair("passed", 1), std::pair("failed", 2), std::pair("skipped", 3)})
            result[name] = match.captured(group).toInt();
    for (const QString& line : output.split('\n'))
        if (line.startsWith("FAIL!") || line.startsWith("QFATAL"))
            result["failures"].push_back(line.simplified().toStdString());
    return result;
}

json racePoints(const lab::RunRecord& record) {
    json points = json::array();
    for (const json& row : rowsOf(record, "points")) {
        json point{{"operator", operatorOf(record)}};
        for (const auto& [key, value] : row.items()) { // the knob's column is named after it
            const std::string known = key == "time" ? "modelled" : key;
            static const std::vector<std::string> columns{"implementation", "measured",  "p10",       "p90",
                                                          "clock",          "throttled", "time",      "limit",
                                                          "rate",           "dram",      "occupancy", "host"};
            if (std::find(columns.begin(), columns.end(), key) == columns.end()) {
                point["knob"] = key;
                point["x"] = value;
            } else {
                point[known] = value;
            }
        }
        point["measured_over_modelled"] = ratio(point["measured"], point["modelled"]);
        points.push_back(std::move(point));
    }
    return points;
}

json libraryRatios(const json& points) {
    std::map<std::pair<std::string, double>, std::pair<const json*, const json*>> at; // library, fastest of ours
    for (const json& p : points) {
        if (!p["measured"].is_number())
            continue;
        auto& [library, ours] = at[{p["operator"], p["x"]}];
        const json*& best = p["implementation"] == "cublas" || p["implementation"] == "cufft" ? library : ours;
        if (!best || (*best)["measured"] > p["measured"])
            best = &p;
    }
    json ratios = json::array();
    for (const auto& [key, pair] : at)
        if (pair.first && pair.second)
            ratios.push_back({{"operator", key.first},
                              {"x", key.second},
                              {"library", (*pair.first)["implementation"]},
                              {"ours", (*pair.second)["implementation"]},
                              {"library_seconds", (*pair.first)["measured"]},
                              {"our_seconds", (*pair.second)["measured"]},
                              {"ours_over_library", ratio((*pair.second)["measured"], (*pair.first)["measured"])}});
    return ratios;
}

json trafficOf(const lab::RunRecord& record) {
    int64_t compared = 0;
    json differences = json::array(), measured = json::array();
    for (const json& row : rowsOf(record, "tensors")) {
        if (!row["algorithmic"].is_number())
            continue;
        ++compared;
        if (row["read"].get<int64_t>() + row["written"].get<int64_t>() != row["algorithmic"].get<int64_t>())
            differences.push_back(row);
    }
    for (json row : rowsOf(record, "measured")) {
        row["operator"] = operatorOf(record);
        row["dram_over_modelled"] = ratio(row["dram"], row["dram_modelled"]);
        row["l2_over_counted"] = ratio(row["l2"], row["counted"]);
        row["l1_over_counted"] = ratio(row["l1"], row["counted"]);
        measured.push_back(std::move(row));
    }
    return {
        {"operator", operatorOf(record)}, {"compared", compared}, {"differences", differences}, {"measured", measured}};
}

} // namespace warplight::check
