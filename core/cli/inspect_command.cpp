// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/inspect_command.h"

#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/statistics.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::cli {
namespace {

struct InspectOptions {
    std::string file, format = "text";
};

using nlohmann::json;
using precision::Statistics;

constexpr std::array<std::pair<const char*, double>, 5> percentiles{
    {{"p1", 0.01}, {"p10", 0.1}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}}};

json orNull(std::optional<int> value) { return value ? json(*value) : json(); }
json orNull(double value) { return std::isfinite(value) ? json(value) : json(); }

double share(int64_t part, const Statistics& s) {
    return s.values() == 0 ? 0 : static_cast<double>(part) / static_cast<double>(s.values());
}

json toJson(const formats::TensorEntry& entry, const Statistics& s) {
    json j{{"name", entry.name},         {"dtype", number::name(entry.dtype)},
           {"shape", entry.shape},       {"values", s.values()},
           {"zeros", s.zeros()},         {"nan", s.nan()},
           {"inf", s.infinite()},        {"min", orNull(s.minimum())},
           {"max", orNull(s.maximum())}, {"absmax", orNull(s.absoluteMaximum())}};
    for (const auto& [name, p] : percentiles)
        j["exponent"][name] = orNull(s.exponentPercentile(p));
    for (size_t f = 0; f < s.losses().size(); ++f) {
        const number::FloatFormat& format = *precision::judgedFormats()[f];
        j["formats"][std::string(format.id)] = {{"flushed", s.losses()[f].flushed},
                                                {"overflowed", s.losses()[f].overflowed},
                                                {"flushed_share", share(s.losses()[f].flushed, s)},
                                                {"overflowed_share", share(s.losses()[f].overflowed, s)},
                                                {"best_scale_log2", orNull(s.bestScale(format))}};
    }
    return j;
}

std::string written(const json& value) {
    return value.is_null() ? "" : value.is_number_float() ? fmt::format("{:.17g}", value.get<double>()) : value.dump();
}

/// A field of RFC 4180.
std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos)
        return text;
    std::string quoted = "\"";
    for (const char c : text)
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + '"';
}

std::string csvRow(const json& j) {
    std::string row =
        fmt::format("{},{},{}", field(j["name"]), j["dtype"].get<std::string>(), field(j["shape"].dump()));
    for (const char* key : {"values", "zeros", "nan", "inf", "min", "max", "absmax"})
        row += "," + written(j[key]);
    for (const auto& [name, p] : percentiles)
        row += "," + written(j["exponent"][name]);
    for (const number::FloatFormat* format : precision::judgedFormats())
        for (const char* key : {"flushed_share", "overflowed_share", "best_scale_log2"})
            row += "," + written(j["formats"][std::string(format->id)][key]);
    return row;
}

std::string csvHead() {
    std::string head = "name,dtype,shape,values,zeros,nan,inf,min,max,absmax";
    for (const auto& [name, p] : percentiles)
        head += fmt::format(",exponent_{}", name);
    for (const number::FloatFormat* format : precision::judgedFormats())
        for (const char* key : {"flushed_share", "overflowed_share", "best_scale_log2"})
            head += fmt::format(",{}_{}", format->id, key);
    return head;
}

void printText(const formats::TensorEntry& entry, const Statistics& s) {
    std::cout << fmt::format("{}  {} {}\n", entry.name.empty() ? "(unnamed)" : entry.name, number::name(entry.dtype),
                             tensor::shapeText(entry.shape));
    std::cout << fmt::format("  {} values, {} zero, {} NaN, {} infinite\n", s.values(), s.zeros(), s.nan(),
                             s.infinite());
    if (s.finite() == 0)
        return;
    std::cout << fmt::format("  from {:.6g} to {:.6g}", s.minimum(), s.maximum());
    if (const auto low = s.exponentPercentile(0.01))
        std::cout << fmt::format("; exponents 1 % {}, 50 % {}, 99 % {}", *low, *s.exponentPercentile(0.5),
                                 *s.exponentPercentile(0.99));
    std::cout << '\n';
    for (size_t f = 0; f < s.losses().size(); ++f) {
        const number::FloatFormat& format = *precision::judgedFormats()[f];
        const auto scale = s.bestScale(format);
        std::cout << fmt::format("  {:<5} flushes {:.3g} %, overflows {:.3g} %{}\n", format.id,
                                 100 * share(s.losses()[f].flushed, s), 100 * share(s.losses()[f].overflowed, s),
                                 scale ? fmt::format("; best scale 2^{}", *scale) : "");
    }
}

void inspectTensors(const InspectOptions& options) {
    std::vector<formats::NotRead> notRead;
    const auto tensors = formats::tensorsOf(options.file, &notRead);
    json all = json::array();
    if (options.format == "csv")
        std::cout << csvHead() << '\n';
    for (const auto& [spec, entry] : tensors) {
        Statistics statistics;
        formats::streamExactly(spec, [&](const formats::Numbers& numbers) {
            std::visit([&](auto values) { statistics.add(values); }, numbers);
        });
        if (options.format == "text")
            printText(entry, statistics);
        else if (options.format == "csv")
            std::cout << csvRow(toJson(entry, statistics)) << '\n';
        else
            all.push_back(toJson(entry, statistics));
    }
    for (const formats::NotRead& other : notRead)
        all.push_back({{"name", other.name}, {"not_read", other.what}});
    if (!notRead.empty() && options.format != "json") // the lines of a table are tensors
        (options.format == "csv" ? std::cerr << "warplight-cli: " : std::cout)
            << fmt::format("not read: {}\n", formats::listed(notRead));
    if (options.format == "json")
        std::cout << all.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

} // namespace

void addInspectCommand(Command app) {
    const auto given = std::make_shared<InspectOptions>();
    InspectOptions& options = *given;
    const Command command = app.command(
        "inspect-tensor", "What numbers a file's tensors hold, and what f16, bf16 and FP8 would lose of them");
    command
        .option(
            "file", &options.file,
            "FILE.npy, FILE.npz, FILE.safetensors or FILE.safetensors.index.json, with :NAME for one of its tensors")
        .required();
    command.option("--format", &options.format, "text, json or csv").oneOf({"text", "json", "csv"});
    command.does([given] {
        inspectTensors(*given);
        return 0;
    });
}

} // namespace warplight::cli
