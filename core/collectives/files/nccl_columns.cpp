#include "core/collectives/files/nccl_columns.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace warplight::collectives {
namespace {

constexpr double microsecond = 1e-6, gigabyte = 1e9;

std::optional<int64_t> integer(std::string_view text) {
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
        return {};
    return value;
}

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

} // namespace

bool NcclColumns::has(Kind kind) const {
    return std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.kind == kind; });
}

std::optional<NcclColumns> NcclColumns::of(std::span<const std::string_view> words) {
    struct Name {
        std::string_view name;
        Kind kind;
    };
    constexpr std::array<Name, 21> names{{
        {"size", Kind::Size},
        {"bytes", Kind::Size},
        {"count", Kind::Count},
        {"N", Kind::Count},
        {"type", Kind::Type},
        {"redop", Kind::Redop},
        {"op", Kind::Redop},
        {"root", Kind::Root},
        {"time", Kind::Time},
        {"cputime", Kind::Time},
        {"algbw", Kind::Algbw},
        {"busbw", Kind::Busbw},
        {"#wrong", Kind::Wrong},
        {"wrong", Kind::Wrong}, // the # went with those that a log tool took
        {"error", Kind::Error},
        {"res", Kind::Error},
        {"i_min", Kind::Min},
        {"i_max", Kind::Max},
        {"i_p99", Kind::P99},
        {"i_cv%", Kind::Variation},
        {"timestamp", Kind::Timestamp},
    }};
    if (words.size() < 4 || (words[0] != "size" && words[0] != "bytes"))
        return {};
    NcclColumns made;
    int half = -1;
    for (const std::string_view word : words) {
        const auto found = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.name == word; });
        const Kind kind = found == names.end() ? Kind::Unknown : found->kind;
        if (kind == Kind::Unknown)
            made.unknownNames.emplace_back(word.substr(0, 40));
        half += kind == Kind::Time;
        made.cpuTime = made.cpuTime || word == "cputime";
        const bool ofRow = kind == Kind::Timestamp || (kind <= Kind::Root && kind != Kind::Unknown);
        made.columns.push_back({kind, ofRow ? -1 : half});
    }
    // Everything else may be missing; without these there is nothing to show.
    if (half < 0 || half > 1 || !made.has(Kind::Busbw))
        return {};
    return made;
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

size_t NcclColumns::words() const { return columns.size() + (has(Kind::Timestamp) ? 1 : 0); }

std::optional<NcclColumns::Row> NcclColumns::row(std::span<const std::string_view> cells) const {
    if (cells.size() > words())
        return {};
    const size_t missing = words() - cells.size();
    if (missing == 0)
        return fill(columns, cells);
    // What may be blank: an operation or a root that a collective does not have, the half that was not run.
    for (const bool half : {false, true})
        for (const int blanks : {1, 2, 3, 0}) { // 1: redop, 2: root
            std::vector<Column> present;
            for (const Column& c : columns)
                if (!(half && c.half == 0) && !(blanks & 1 && c.kind == Kind::Redop) &&
                    !(blanks & 2 && c.kind == Kind::Root))
                    present.push_back(c);
            if (columns.size() - present.size() == missing)
                if (auto filled = fill(present, cells))
                    return filled;
        }
    return {};
}

std::optional<NcclColumns::Row> NcclColumns::fill(std::span<const Column> present,
                                                  std::span<const std::string_view> cells) const {
    Row made;
    size_t at = 0;
    for (const Column& column : present) {
        const std::string_view cell = cells[at];
        at += column.kind == Kind::Timestamp ? 2 : 1; // date and time of day
        if (column.kind == Kind::Unknown || column.kind == Kind::Timestamp)
            continue;
        if (column.kind == Kind::Type || column.kind == Kind::Redop) {
            if (printedNumber(cell)) // a number: the cells are those of other columns
                return {};
            (column.kind == Kind::Type ? made.row.type : made.row.redop) = cell.substr(0, 40);
            continue;
        }
        if (column.half < 0) {
            const auto value = integer(cell);
            if (!value || (*value < 0 && column.kind != Kind::Root) || *value < -1)
                return {};
            if (column.kind == Kind::Size)
                made.row.bytes = *value;
            else if (column.kind == Kind::Count)
                made.row.count = *value;
            else if (*value > 1'000'000'000)
                return {};
            else if (*value >= 0)
                made.row.root = static_cast<int>(*value);
            continue;
        }
        const auto number = printedNumber(cell);
        if (!number || number->value < 0)
            return {};
        auto& slot = column.half == 0 ? made.row.outOfPlace : made.row.inPlace;
        PrintedTiming& step = column.half == 0 ? made.outOfPlace : made.inPlace;
        if (!slot)
            slot.emplace().cpuTime = cpuTime;
        const auto spread = [&]() -> NcclSpread& { return slot->spread ? *slot->spread : slot->spread.emplace(); };
        const double value = number->value;
        switch (column.kind) {
        case Kind::Time:
            slot->seconds = value * microsecond, step.seconds = number->halfStep * microsecond;
            break;
        case Kind::Algbw:
            slot->algbw = value * gigabyte, step.algbw = number->halfStep * gigabyte;
            break;
        case Kind::Busbw:
            slot->busbw = value * gigabyte, step.busbw = number->halfStep * gigabyte;
            break;
        case Kind::Wrong:
            if (value >= 0 && value < 9e18)
                slot->wrong = std::llround(value);
            break;
        case Kind::Error:
            if (!std::isnan(value))
                slot->error = value;
            break;
        case Kind::Min:
            spread().min = value * microsecond;
            break;
        case Kind::Max:
            spread().max = value * microsecond;
            break;
        case Kind::P99:
            spread().p99 = value * microsecond;
            break;
        case Kind::Variation:
            spread().variation = value * 1e-2;
            break;
        default:
            break;
        }
    }
    // A time that is N/A is a half that was not run.
    if (made.row.outOfPlace && std::isnan(made.row.outOfPlace->seconds))
        made.row.outOfPlace.reset();
    if (made.row.inPlace && std::isnan(made.row.inPlace->seconds))
        made.row.inPlace.reset();
    return made;
}

std::optional<NcclColumns::Row> NcclColumns::markdownRow(std::span<const std::string_view> cells) const {
    if (cells.size() != columns.size())
        return {};
    Row made;
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
