// SPDX-License-Identifier: GPL-3.0-or-later
// Units as profilers spell them.
#include "core/profiles/profiler_metrics.h"

#include "core/profiles/text.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::profiles {
namespace {

using Dimension = Unit::Dimension;

bool oneOf(std::string_view text, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

std::optional<double> secondsOf(std::string_view word) {
    const std::string name = lowerCase(word);
    if (oneOf(name, {"s", "sec", "second", "seconds"}))
        return 1;
    if (oneOf(name, {"ms", "msec", "msecond", "milliseconds"}))
        return 1e-3;
    if (oneOf(name, {"us", "usec", "usecond", "microseconds", "\xC2\xB5s", "\xCE\xBCs"}))
        return 1e-6;
    if (oneOf(name, {"ns", "nsec", "nsecond", "nanoseconds"}))
        return 1e-9;
    return {};
}

/// "K", "M", "G", "T" decimal, "Ki" ... binary, in front of one of the words.
std::optional<double> scaled(std::string_view text, std::initializer_list<std::string_view> words) {
    const std::string name = lowerCase(text);
    for (const std::string_view word : words) {
        if (!name.ends_with(word))
            continue;
        const std::string_view prefix = std::string_view(name).substr(0, name.size() - word.size());
        constexpr std::pair<std::string_view, double> prefixes[] = {{"", 1},
                                                                    {"k", 1e3},
                                                                    {"m", 1e6},
                                                                    {"g", 1e9},
                                                                    {"t", 1e12},
                                                                    {"ki", 1024.0},
                                                                    {"mi", 1024. * 1024},
                                                                    {"gi", 1073741824.0},
                                                                    {"ti", 1099511627776.0}};
        for (const auto& [letters, factor] : prefixes)
            if (prefix == letters)
                return factor;
    }
    return {};
}

/// Things that are counted.
std::optional<double> countOf(std::string_view text) {
    return scaled(text, {"",      "inst",   "instruction", "instructions", "sector", "sectors",  "warp",
                         "warps", "thread", "threads",     "block",        "blocks", "register", "registers",
                         "cycle", "cycles", "request",     "requests",     "op",     "ops"});
}

} // namespace

std::optional<Unit> unitOf(std::string_view text) {
    text = trimmed(text);
    if (text == "%")
        return Unit{Dimension::Share, 0.01};
    if (const auto seconds = secondsOf(text))
        return Unit{Dimension::Time, *seconds};
    const size_t slash = text.find('/');
    const std::string_view first = text.substr(0, slash), second = slash == text.npos ? "" : text.substr(slash + 1);
    const auto bytes = scaled(first, {"bytes", "byte", "b"});
    if (slash != text.npos)
        if (const auto seconds = secondsOf(second)) {
            if (bytes)
                return Unit{Dimension::BytesPerTime, *bytes / *seconds};
            if (const auto cycles = scaled(first, {"cycle", "cycles"}))
                return Unit{Dimension::Frequency, *cycles / *seconds};
            if (const auto count = scaled(first, {"inst", "op", "ops"}))
                return Unit{Dimension::CountPerTime, *count / *seconds};
            return {};
        }
    if (second == "cycle")
        if (const auto count = first == "1" ? std::optional(1.0) : countOf(first))
            return Unit{Dimension::CountPerCycle, *count};
    if (!second.empty() && second != "block" && second != "thread")
        return {};
    if (bytes)
        return Unit{Dimension::Bytes, *bytes};
    if (lowerCase(text).ends_with("bps")) // nsys: "MBps"
        if (const auto rate = scaled(text.substr(0, text.size() - 2), {"b"}))
            return Unit{Dimension::BytesPerTime, *rate};
    if (const auto hertz = scaled(first, {"hz"}))
        return Unit{Dimension::Frequency, *hertz};
    if (const auto count = countOf(first))
        return Unit{Dimension::Count, *count};
    return {};
}

} // namespace warplight::profiles
