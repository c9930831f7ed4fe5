// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_columns.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>
#include <utility>

namespace warplight::collectives {
namespace {

using Kind = NcclField::Kind;

constexpr double gigabyte = 1e9;

/// "32KiB", "1GB" (the bench's older versions mean the same 2^30 by it), "512".
std::optional<int64_t> payload(std::string_view text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || !(value > 0))
        return {};
    std::string_view unit = text.substr(static_cast<size_t>(read.ptr - text.data()));
    while (unit.starts_with(' '))
        unit.remove_prefix(1);
    constexpr std::string_view prefixes = "KMGTP";
    int shift = 0;
    if (const size_t at = unit.empty() ? prefixes.npos : prefixes.find(unit.front()); at != prefixes.npos) {
        shift = 10 * (static_cast<int>(at) + 1);
        unit.remove_prefix(1);
    }
    if (unit.starts_with('i') && shift > 0)
        unit.remove_prefix(1);
    if (!unit.empty() && unit != "B" && unit != "Bytes")
        return {};
    const double bytes = std::ldexp(value, shift);
    if (!(bytes >= 1 && bytes < 9e18))
        return {};
    return static_cast<int64_t>(std::llround(bytes));
}

/// "12.34GBps" in bytes a second.
std::optional<PrintedNumber> bandwidth(std::string_view text) {
    if (!text.ends_with("GBps"))
        return {};
    text.remove_suffix(4);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    auto number = printedNumber(text);
    if (number)
        number = PrintedNumber{number->value * gigabyte, number->halfStep * gigabyte};
    return number;
}

/// The number that a cell begins with when a line of somebody else is stuck to it: "0node-7:41:41" is 0.
std::string_view numberBefore(std::string_view cell) {
    if (cell.find_first_not_of("0123456789.eE+-") == cell.npos)
        return {}; // another number, not two texts
    if (cell.starts_with("N/A"))
        return cell.substr(0, 3);
    const size_t digits = std::min(cell.find_first_not_of("0123456789.+-"), cell.size());
    for (size_t length = digits; length > 0; --length)
        if (const auto number = cell.substr(0, length);
            printedNumber(number) && !(length > 1 && number[0] == '0' && number[1] != '.'))
            return number;
    return {};
}

/// A column's name with something stuck to it.
NcclField fieldBefore(std::string_view word) {
    for (const std::string_view name : {"#wrong", "wrong", "error", "busbw", "algbw"})
        if (word.starts_with(name))
            return ncclFieldOf(name);
    return {};
}

/// Punctuation and key=value are what log tools add, no names of columns.
bool looksLikeAName(std::string_view word) {
    return word.find_first_of("=:|<>[]{}\"'") == word.npos &&
           std::any_of(word.begin(), word.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
}

} // namespace

bool NcclColumns::has(Kind kind) const {
    return std::any_of(columns.begin(), columns.end(), [&](const NcclField& c) { return c.kind == kind; });
}

std::optional<NcclColumns> NcclColumns::of(std::span<const std::string_view> words) {
    const auto bare = [](std::string_view word) {
        return word.substr(std::min(word.find_first_not_of('#'), word.size()));
    };
    const auto first = std::find_if(words.begin(), words.end(),
                                    [&](std::string_view w) { return bare(w) == "size" || bare(w) == "bytes"; });
    if (words.end() - first < 4)
        return {};
    NcclColumns made;
    for (auto label = words.begin(); label != first; ++label)
        made.labels += label->find_first_not_of('#') != label->npos;
    const bool nccl1 = bare(*first) == "bytes"; // NCCL 1 prints milliseconds and names no unit
    std::vector<std::string_view> unknown;      // so far behind the last known name
    int half = -1;
    for (auto word = first; word != words.end(); ++word) {
        NcclField field = word == first ? NcclField{Kind::Size} : ncclFieldOf(*word);
        const bool stuck = field.kind == Kind::Unknown && (field = fieldBefore(*word)).kind != Kind::Unknown;
        if (word != first && (field.kind == Kind::Size || (field.kind == Kind::Time && half == 1))) {
            made.beside = true;
            break;
        }
        if (field.kind == Kind::Unknown) {
            unknown.push_back(*word);
            continue;
        }
        for (const std::string_view between : unknown) {
            made.unknownNames.emplace_back(between.substr(0, 40));
            made.columns.push_back({Kind::Unknown, -1});
        }
        unknown.clear();
        half += field.kind == Kind::Time;
        field.half = field.measured() ? half : -1;
        if (nccl1 && field.kind == Kind::Time)
            field.unit = 1e-3;
        if (nccl1 && field.kind == Kind::Root) // it says 0 also where there is no root
            field = {};
        made.columns.push_back(field);
        if (stuck)
            break;
    }
    const bool names = std::all_of(unknown.begin(), unknown.end(), looksLikeAName);
    if (!made.beside && names) // behind the last one nothing is in the way, but somebody may miss it
        for (const std::string_view name : unknown)
            if (made.unknownNames.size() < 8)
                made.unknownNames.emplace_back(name.substr(0, 40));
    // Everything else may be missing; without these there is nothing to show.
    if (half < 0 || !made.has(Kind::Busbw))
        return {};
    const bool cpuTime = std::any_of(made.columns.begin(), made.columns.end(), [](const auto& c) { return c.cpuTime; });
    for (NcclField& column : made.columns)
        column.cpuTime = cpuTime && column.kind == Kind::Time;
    return made;
}

NcclColumns NcclColumns::usual() {
    constexpr std::array<std::string_view, 13> names{"size",  "count",  "type", "redop", "root",  "time",  "algbw",
                                                     "busbw", "#wrong", "time", "algbw", "busbw", "#wrong"};
    return *of(names);
}

std::optional<NcclColumns> NcclColumns::ofMarkdown(std::span<const std::string_view> cells) {
    NcclColumns made;
    for (const std::string_view cell : cells) {
        const Kind kind = cell == "payload" ? Kind::Size
                          : cell == "busbw" ? Kind::Busbw
                          : cell == "algbw" ? Kind::Algbw
                                            : Kind::Unknown; // latencies: figures beside these, in newer versions
        made.columns.push_back({kind, 0});
    }
    if (!made.has(Kind::Size) || !made.has(Kind::Busbw) || !made.has(Kind::Algbw))
        return {};
    return made;
}

bool NcclColumns::units(std::span<const std::string_view> words) {
    double time = 0, rate = 0;
    for (const std::string_view word : words) {
        const double unit = word.starts_with('(') && word.ends_with(')') ? ncclUnitOf(word) : 0;
        double& known = unit > 1e3 ? rate : time;
        if (unit > 0 && known == 0)
            known = unit;
    }
    if (time == 0 && rate == 0)
        return false;
    for (NcclField& column : columns) {
        const bool ofTime = column.kind == Kind::Time || (column.kind >= Kind::Min && column.kind <= Kind::P99);
        if (ofTime && time > 0)
            column.unit = time;
        if ((column.kind == Kind::Algbw || column.kind == Kind::Busbw) && rate > 0)
            column.unit = rate;
    }
    unitsNamed = unitsNamed || time > 0;
    return true;
}

NcclColumns::Fit NcclColumns::fit(std::span<const std::string_view> words) const {
    // What may be blank: an operation or a root that a collective does not have, the half that was not run.
    Fit best;
    size_t reach = 0;
    const bool twoHalves = std::any_of(columns.begin(), columns.end(), [](const NcclField& c) { return c.half == 1; });
    std::vector<NcclField> present;
    for (const bool half : {false, true}) {
        if (half && (!twoHalves || best.whole)) // with all of its cells a row has both halves
            break;
        for (const int blanks : {0, 1, 2, 3}) { // 1: redop, 2: root
            if ((blanks & 1 && !has(Kind::Redop)) || (blanks & 2 && !has(Kind::Root)))
                continue;
            present.clear();
            for (const NcclField& c : columns)
                if (!(half && c.half == 0) && !(blanks & 1 && c.kind == Kind::Redop) &&
                    !(blanks & 2 && c.kind == Kind::Root))
                    present.push_back(c);
            Fit fit = fill(present, words);
            fit.oneHalf = half && fit.whole;
            reach = half ? reach : std::max({reach, fit.words, fit.reach});
            fit.reach = reach;
            if (fit.whole && fit.printed.consistent())
                return fit;
            if (fit.whole ? !best.whole : !best.whole && fit.words > best.words)
                best = std::move(fit);
        }
    }
    best.reach = reach;
    return best;
}

NcclColumns::Fit NcclColumns::fill(std::span<const NcclField> present, std::span<const std::string_view> cells) const {
    const auto ignored = [](const NcclField& c) { return c.kind == Kind::Unknown || c.kind == Kind::Timestamp; };
    size_t needed = present.size();
    while (needed > 0 && ignored(present[needed - 1]))
        --needed;
    Fit made;
    for (size_t i = 0; i < needed; ++i) {
        if (made.words >= cells.size())
            return made;
        const std::string_view cell = cells[made.words];
        if (!ignored(present[i]) && !made.printed.put(present[i], cell)) {
            const std::string_view number = i + 1 == needed ? numberBefore(cell) : std::string_view();
            if (number.empty() || !made.printed.put(present[i], number)) {
                made.reach = made.words + !numberBefore(cell).empty(); // the cell may go on elsewhere
                return made;
            }
        }
        made.words += present[i].kind == Kind::Timestamp ? 2 : 1; // date and time of day
    }
    made.whole = true;
    made.printed.finish();
    return made;
}

std::optional<NcclPrintedRow> NcclColumns::markdownRow(std::span<const std::string_view> cells) const {
    if (cells.size() != columns.size())
        return {};
    NcclPrintedRow made;
    NcclTiming timing;
    bool blank = false;
    for (size_t i = 0; i < cells.size(); ++i) {
        if (columns[i].kind == Kind::Size) {
            const auto bytes = payload(cells[i]);
            if (!bytes)
                return {};
            made.row.bytes = *bytes;
        } else if (columns[i].kind != Kind::Unknown) {
            const auto value = bandwidth(cells[i]);
            blank = blank || cells[i].empty();
            if (!value && !cells[i].empty())
                return {};
            if (value && columns[i].kind == Kind::Algbw)
                timing.algbw = value->value, made.inPlace.algbw = value->halfStep;
            else if (value)
                timing.busbw = value->value, made.inPlace.busbw = value->halfStep;
        }
    }
    // The bench leaves bandwidths out that its payload is too small for.
    if (!blank && timing.algbw > 0) {
        timing.seconds = static_cast<double>(made.row.bytes) / timing.algbw;
        made.row.inPlace = timing;
    }
    return made;
}

} // namespace warplight::collectives
