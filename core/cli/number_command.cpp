// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/number_command.h"

#include "core/precision/stored.h"

#include <cmath>
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace warplight::cli {
namespace {

struct NumberOptions {
    std::string value, rounding = "nearest", format = "text";
    bool saturate = false;
    double dice = 0;
};

using nlohmann::json;
using precision::Stored;

/// What JSON has no numbers for is a word.
json numberOrWord(double x) {
    return std::isfinite(x) ? json(x) : json(std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
}

json toJson(const Stored& s) {
    return {{"format", s.format->id},
            {"title", s.format->title},
            {"code", fmt::format("0x{:0{}x}", s.code, (s.format->bits() + 3) / 4)},
            {"sign", s.sign()},
            {"exponent", s.exponent()},
            {"fraction", s.fraction()},
            {"bits", s.bits()},
            {"stored", numberOrWord(s.value)},
            {"relative_error", std::isnan(s.relativeError) ? json() : json(s.relativeError)},
            {"below", numberOrWord(s.below)},
            {"above", numberOrWord(s.above)},
            {"spacing", std::isnan(s.spacing) ? json() : json(s.spacing)},
            {"state", precision::nameOf(s.state)}};
}

void printNumber(const NumberOptions& options) {
    const double value = precision::numberFrom(options.value, "VALUE");
    json list = json::array();
    if (options.format == "text")
        std::cout << fmt::format("{:<8}{:<67}{:>24} {:>10} {:>24} {:>24} {:>10}  {}\n", "format",
                                 "sign exponent fraction", "stored", "rel. error", "below", "above", "spacing",
                                 "state");
    for (const number::FloatFormat& format : number::floatFormats()) {
        const Stored s =
            precision::stored(value, format, precision::roundingByName(options.rounding),
                              options.saturate ? number::Beyond::Saturate : number::Beyond::Infinity, options.dice);
        list.push_back(toJson(s));
        if (options.format == "text")
            std::cout << fmt::format("{:<8}{:<67}{:>24} {:>10.3g} {:>24} {:>24} {:>10.3g}  {}\n", format.id, s.bits(),
                                     s.value, s.relativeError, s.below, s.above, s.spacing, precision::nameOf(s.state));
    }
    if (options.format == "json")
        std::cout << json{{"value", numberOrWord(value)}, {"formats", list}}.dump(2) << '\n';
}

} // namespace

void addNumberCommand(Command app) {
    const auto given = std::make_shared<NumberOptions>();
    NumberOptions& options = *given;
    const Command command = app.command("number", "A value as every number format stores it");
    command.option("value", &options.value, "0.1, 1e-8, 0x1p-24, inf, nan").required();
    command.option("--rounding", &options.rounding, "nearest (ties to even), zero, up, down or stochastic")
        .oneOf(precision::roundingNames());
    command.option("--dice", &options.dice, "Of [0, 1), for stochastic rounding").between(0.0, 0x1.fffffffffffffp-1);
    command.flag("--saturate", options.saturate, "Beyond the range to the largest number instead of infinity");
    command.option("--format", &options.format, "text or json").oneOf({"text", "json"});
    command.does([given] {
        printNumber(*given);
        return 0;
    });
}

} // namespace warplight::cli
