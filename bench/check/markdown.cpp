// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/check/report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::check {
namespace {

using nlohmann::json;

std::string secondsText(const json& value) {
    if (!value.is_number())
        return "";
    const double s = value;
    return s < 1e-3 ? fmt::format("{:.1f} µs", s * 1e6)
           : s < 1  ? fmt::format("{:.2f} ms", s * 1e3)
                    : fmt::format("{:.2f} s", s);
}

std::string number(const json& value, std::string_view format = "{:.2f}") {
    return value.is_number() ? fmt::format(fmt::runtime(format), value.get<double>()) : "";
}

std::string text(const json& value) {
    return value.is_string()           ? value.get<std::string>()
           : value.is_number_integer() ? fmt::format("{}", value.get<int64_t>())
                                       : number(value, "{:g}");
}

class Table {
  public:
    explicit Table(std::vector<std::string> head) {
        row(head);
        row(std::vector<std::string>(head.size(), "---"));
    }
    void row(const std::vector<std::string>& cells) { out += fmt::format("| {} |\n", fmt::join(cells, " | ")); }
    std::string done() const { return out + '\n'; }

  private:
    std::string out;
};

/// Median and range of the ratios under a key, by operator; "" where there are none.
std::string spread(const json& rows, const char* key) {
    std::map<std::string, std::vector<double>> by;
    for (const json& row : rows)
        if (row.contains(key) && row[key].is_number())
            by[row["operator"]].push_back(row[key]);
    std::string out;
    for (auto& [op, all] : by) {
        std::sort(all.begin(), all.end());
        out += fmt::format("- {}: median {:.2f}, from {:.2f} to {:.2f} ({} points)\n", op, all[all.size() / 2],
                           all.front(), all.back(), all.size());
    }
    return out.empty() ? out : out + '\n';
}

std::string steps(const json& report) {
    Table table({"step", "took", "outcome"});
    for (const json& step : report["steps"])
        table.row({text(step["name"]), secondsText(step["seconds"]), text(step["outcome"])});
    std::string out = "## What was run\n\n" + table.done();
    for (const json& test : report["tests"]) {
        out += fmt::format("{}: {} passed, {} failed, {} skipped.\n\n", text(test["name"]), text(test["passed"]),
                           text(test["failed"]), text(test["skipped"]));
        for (const json& failure : test["failures"])
            out += fmt::format("    {}\n", text(failure));
        if (!test["failures"].empty())
            out += '\n';
    }
    for (const json& note : report["notes"])
        out += fmt::format("- {}\n", text(note));
    return report["notes"].empty() ? out : out + '\n';
}

std::string races(const json& report) {
    if (report["races"].empty())
        return {};
    Table table({"operator", "kernel", "at", "measured", "10–90 %", "modelled", "measured ÷ modelled",
                 "limit, modelled", "SM clock", "held back by"});
    for (const json& p : report["races"])
        table.row({text(p["operator"]), text(p["implementation"]),
                   fmt::format("{} = {}", text(p["knob"]), text(p["x"])), secondsText(p["measured"]),
                   secondsText(p["p10"]) + " – " + secondsText(p["p90"]), secondsText(p["modelled"]),
                   number(p["measured_over_modelled"]), text(p["limit"]),
                   p["clock"].is_number() ? fmt::format("{:.0f} MHz", p["clock"].get<double>() / 1e6) : "",
                   text(p["throttled"])});
    return "## Times: measured beside modelled\n\n" + spread(report["races"], "measured_over_modelled") + table.done();
}

std::string libraries(const json& report) {
    if (report["libraries"].empty())
        return {};
    Table table({"operator", "at", "library", "its time", "our fastest", "its time", "ours ÷ library"});
    for (const json& r : report["libraries"])
        table.row({text(r["operator"]), text(r["x"]), text(r["library"]), secondsText(r["library_seconds"]),
                   text(r["ours"]), secondsText(r["our_seconds"]), number(r["ours_over_library"])});
    return "## cuBLAS beside our kernels (measured)\n\n" + table.done();
}

std::string traffic(const json& report) {
    std::string out = "## Bytes\n\n";
    json all = json::array();
    for (const json& t : report["traffic"]) {
        out += fmt::format("- {}: counted bytes of {} of {} tensors are the formula's\n", text(t["operator"]),
                           t["compared"].get<size_t>() - t["differences"].size(), text(t["compared"]));
        all.insert(all.end(), t["measured"].begin(), t["measured"].end());
    }
    if (report["traffic"].empty())
        return {};
    out += '\n';
    if (all.empty())
        return out + "The GPU's own counters were not read: the notes say why.\n\n";
    Table table({"operator", "kernel", "asked for (counted)", "L1 ÷ asked for", "L2 ÷ asked for", "DRAM, measured",
                 "DRAM, modelled", "measured ÷ modelled"});
    for (const json& m : all)
        table.row({text(m["operator"]), text(m["kernel"]), number(m["counted"], "{:.3g} B"),
                   number(m["l1_over_counted"]), number(m["l2_over_counted"]), number(m["dram"], "{:.3g} B"),
                   number(m["dram_modelled"], "{:.3g} B"), number(m["dram_over_modelled"])});
    return out + "By the GPU's own counters (CUPTI), DRAM measured over modelled:\n\n" +
           spread(all, "dram_over_modelled") + table.done();
}

} // namespace

std::string markdown(const json& report) {
    std::string out = fmt::format("# GPU check: {}\n\n{}\n\n", text(report["gpu"]["name"]), text(report["verdict"]));
    out += fmt::format("{}; Warplight {}; {}{}\n\n", text(report["gpu"]["detail"]), text(report["version"]),
                       text(report["machine"]),
                       report["small"] == true ? "; small sizes: figures tell nothing about speed" : "");
    return out + steps(report) + races(report) + libraries(report) + traffic(report);
}

} // namespace warplight::check
