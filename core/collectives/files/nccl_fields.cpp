// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

namespace warplight::collectives {
namespace {

using Kind = NcclField::Kind;

constexpr double microsecond = 1e-6, gigabyte = 1e9;
constexpr size_t longestName = 64;

std::optional<int64_t> integer(std::string_view text) {
    while (text.starts_with(' ')) // "    -1", as JSON holds it
        text.remove_prefix(1);
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
        return {};
    return value;
}

/// In lower case, of letters, digits and % alone.
std::string plainName(std::string_view name) {
    std::string plain;
    for (const char c : name.substr(0, longestName))
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '%')
            plain += c;
        else if (c >= 'A' && c <= 'Z')
            plain += static_cast<char>(c - 'A' + 'a');
    return plain;
}

Kind kindOf(std::string_view name) {
    struct Name {
        std::string_view name;
        Kind kind;
    };
    constexpr std::array<Name, 41> names{{
        {"size", Kind::Size},
        {"bytes", Kind::Size},
        {"sizebytes", Kind::Size},
        {"messagesize", Kind::Size},
        {"count", Kind::Count},
        {"n", Kind::Count},
        {"elements", Kind::Count},
        {"type", Kind::Type},
        {"dtype", Kind::Type},
        {"datatype", Kind::Type},
        {"redop", Kind::Redop},
        {"op", Kind::Redop},
        {"reductionop", Kind::Redop},
        {"root", Kind::Root},
        {"name", Kind::Test},
        {"collective", Kind::Test},
        {"test", Kind::Test},
        {"ranks", Kind::Ranks},
        {"nranks", Kind::Ranks},
        {"numranks", Kind::Ranks},
        {"worldsize", Kind::Ranks},
        {"nodes", Kind::Nodes},
        {"nnodes", Kind::Nodes},
        {"numnodes", Kind::Nodes},
        {"inplace", Kind::Half},
        {"time", Kind::Time},
        {"cputime", Kind::Time},
        {"algbw", Kind::Algbw},
        {"algbandwidth", Kind::Algbw},
        {"algorithmbandwidth", Kind::Algbw},
        {"busbw", Kind::Busbw},
        {"busbandwidth", Kind::Busbw},
        {"wrong", Kind::Wrong},
        {"nwrong", Kind::Wrong},
        {"error", Kind::Error},
        {"res", Kind::Error},
        {"imin", Kind::Min},
        {"imax", Kind::Max},
        {"ip99", Kind::P99},
        {"icv%", Kind::Variation},
        {"timestamp", Kind::Timestamp},
    }};
    const auto found = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.name == name; });
    return found == names.end() ? Kind::Unknown : found->kind;
}

/// Takes what says the half off the name's begin or end, where a name is left.
int takeHalf(std::string& name) {
    struct Mark {
        std::string_view text;
        int half;
    };
    for (const Mark& mark : {Mark{"outofplace", 0}, {"oop", 0}, {"inplace", 1}, {"ip", 1}}) {
        if (name.size() <= mark.text.size())
            continue;
        if (name.starts_with(mark.text)) {
            name.erase(0, mark.text.size());
            return mark.half;
        }
        const std::string_view rest = std::string_view(name).substr(0, name.size() - mark.text.size());
        if (name.ends_with(mark.text) && (mark.text.size() > 2 || NcclField{kindOf(rest)}.measured())) { // no "ship"
            name.erase(rest.size());
            return mark.half;
        }
    }
    return -1;
}

} // namespace

double ncclUnitOf(std::string_view text) {
    while (!text.empty() && (text.front() == '(' || text.front() == ' '))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ')' || text.back() == ' '))
        text.remove_suffix(1);
    struct Unit {
        std::string_view name;
        double value;
    };
    constexpr std::array<Unit, 17> units{{{"ns", 1e-9},
                                          {"us", 1e-6},
                                          {"usec", 1e-6},
                                          {"µs", 1e-6},
                                          {"ms", 1e-3},
                                          {"msec", 1e-3},
                                          {"s", 1},
                                          {"sec", 1},
                                          {"GB/s", 1e9},
                                          {"GBps", 1e9},
                                          {"gbs", 1e9},
                                          {"MB/s", 1e6},
                                          {"MBps", 1e6},
                                          {"GiB/s", 1024.0 * 1024 * 1024},
                                          {"Gb/s", 1e9 / 8},
                                          {"Gbps", 1e9 / 8},
                                          {"Gbit/s", 1e9 / 8}}};
    const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text; });
    return found == units.end() ? 0 : found->value;
}

NcclField ncclFieldOf(std::string_view name) {
    NcclField field;
    if (const size_t open = name.find('('); open != name.npos) { // "time (us)"
        field.unit = ncclUnitOf(name.substr(open));
        name = name.substr(0, open);
    }
    std::string plain = plainName(name);
    field.kind = kindOf(plain);
    if (field.kind == Kind::Unknown) {
        field.half = takeHalf(plain);
        field.kind = kindOf(plain);
    }
    for (const std::string_view unit : {"us", "ms", "gbs"}) // "time_us", "busbw_gbs"
        if (field.kind == Kind::Unknown && plain.ends_with(unit)) {
            field.kind = kindOf(std::string_view(plain).substr(0, plain.size() - unit.size()));
            field.unit = ncclUnitOf(unit);
            if (field.kind < Kind::Time)
                field.kind = Kind::Unknown;
        }
    field.cpuTime = plain.starts_with("cputime");
    if (!field.measured())
        field.half = -1;
    return field;
}

bool NcclPrintedRow::put(const NcclField& field, std::string_view cell) {
    switch (field.kind) {
    case Kind::Type:
    case Kind::Redop:
        if (printedNumber(cell) && !cell.empty()) // a number: the cells are those of other columns
            return false;
        (field.kind == Kind::Type ? row.type : row.redop) = cell.substr(0, 40);
        return true;
    case Kind::Size:
    case Kind::Count:
    case Kind::Root: {
        const auto value = integer(cell);
        if (!value || (field.kind != Kind::Root && *value < 0))
            return false;
        if (field.kind == Kind::Size)
            row.bytes = *value;
        else if (field.kind == Kind::Count)
            row.count = *value;
        else if (*value > 1'000'000'000)
            return false;
        else if (*value >= 0)
            row.root = static_cast<int>(*value);
        return true;
    }
    default:
        break;
    }
    if (!field.measured())
        return true;
    const bool marked = (field.kind == Kind::Wrong || field.kind == Kind::Error) && cell.ends_with('*'); // as not right
    const auto number = printedNumber(marked ? cell.substr(0, cell.size() - 1) : cell);
    if (!number || number->value < 0)
        return false;
    const double value = number->value;
    if (field.kind == Kind::Wrong && !std::isnan(value) && (value != std::floor(value) || value >= 9e18))
        return false;
    auto& slot = field.half == 1 ? row.inPlace : row.outOfPlace;
    PrintedTiming& step = field.half == 1 ? inPlace : outOfPlace;
    if (!slot)
        slot.emplace();
    slot->cpuTime = slot->cpuTime || field.cpuTime;
    const auto spread = [&]() -> NcclSpread& { return slot->spread ? *slot->spread : slot->spread.emplace(); };
    const double second = field.unit > 0 ? field.unit : microsecond, rate = field.unit > 0 ? field.unit : gigabyte;
    switch (field.kind) {
    case Kind::Time:
        slot->seconds = value * second, step.seconds = number->halfStep * second;
        break;
    case Kind::Algbw:
        slot->algbw = value * rate, step.algbw = number->halfStep * rate;
        break;
    case Kind::Busbw:
        slot->busbw = value * rate, step.busbw = number->halfStep * rate;
        break;
    case Kind::Wrong:
        if (!std::isnan(value))
            slot->wrong = std::llround(value);
        break;
    case Kind::Error:
        if (!std::isnan(value))
            slot->error = value;
        break;
    case Kind::Min:
        spread().min = value * second;
        break;
    case Kind::Max:
        spread().max = value * second;
        break;
    case Kind::P99:
        spread().p99 = value * second;
        break;
    case Kind::Variation:
        spread().variation = value * 1e-2;
        break;
    default:
        break;
    }
    return true;
}

void NcclPrintedRow::finish() {
    for (auto* half : {&row.outOfPlace, &row.inPlace})
        if (*half && std::isnan((*half)->seconds))
            half->reset();
}

bool NcclPrintedRow::consistent() const {
    const auto fits = [&](const std::optional<NcclTiming>& timing, const PrintedTiming& steps) {
        if (!timing || std::isnan(timing->algbw) || std::isnan(timing->seconds))
            return true;
        if (timing->seconds == 0) // no time has no bandwidth
            return timing->algbw == 0;
        return isSizeOverTime(row.bytes, timing->seconds, timing->algbw, steps);
    };
    return fits(row.outOfPlace, outOfPlace) && fits(row.inPlace, inPlace);
}

} // namespace warplight::collectives
