// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/nsys_numbers.h"

#include "core/error.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"
#include "core/text/echo.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::profiles {
namespace {

constexpr double oneAndMore = 1.5; ///< ns; a factor of 1e-9 may not be exact

} // namespace

NsysNumbers::NsysNumbers(NsysRows& r) : rows(r), titles({}) {}

void NsysNumbers::begin(const std::string& table) {
    judgeDigits();
    titles = NsysColumns(rows.header());
    where = table;
    tableUnit.clear();
    factors.assign(titles.size(), std::nullopt);
    finest.assign(titles.size(), {});
    point = {};
    if (rows.separatedBySemicolons()) { // as spreadsheets write where the comma is the decimal point
        point.add(LocalNumber::Says::CommaIsDecimal);
        rows.readAhead(100'000, [&](const std::vector<std::string>& cells) {
            for (const std::string& text : cells)
                if (const auto value = localNumber(nsysCellOf(text).number))
                    point.add(value->says);
        });
    }
}

const std::string& NsysNumbers::cell(int64_t column) const {
    static const std::string none;
    const auto& row = rows.row();
    return column < 0 || column >= static_cast<int64_t>(row.size()) ? none : row[static_cast<size_t>(column)];
}

/// What tells its own decimal point has it; "2,848" and "2.848" have that of the table.
std::optional<double> NsysNumbers::number(std::string_view text) const {
    const auto value = localNumber(text);
    if (!value)
        return {};
    return value->says == LocalNumber::Says::DotIsDecimal     ? value->dotDecimal
           : value->says == LocalNumber::Says::CommaIsDecimal ? value->commaDecimal
                                                              : point.of(*value);
}

std::optional<int64_t> NsysNumbers::integer(std::string_view text) const {
    if (const auto plain = plainInteger(text))
        return plain;
    const auto value = number(text); // with commas between thousands
    return value && std::fabs(*value) < mostLaunches ? std::optional(std::llround(*value)) : std::nullopt;
}

/// What one of the cell is in s or bytes: its own unit counts, then its column's, then the table's. Unset, and said
/// in a warning, where none is told or it is of something else.
std::optional<double> NsysNumbers::factorOf(int64_t column, std::string_view ofCell, Unit::Dimension dimension) {
    if (!ofCell.empty())
        return factorOfUnit(column, ofCell, dimension);
    auto& known = factors[static_cast<size_t>(column)]; // rows come by the million
    if (!known)
        known = factorOfUnit(column, {}, dimension);
    return *known;
}

std::optional<double> NsysNumbers::factorOfUnit(int64_t column, std::string_view ofCell, Unit::Dimension dimension) {
    std::string_view text = ofCell.empty() ? std::string_view(titles.unit(column)) : ofCell;
    if (text.empty() && dimension == Unit::Dimension::Time)
        text = tableUnit;
    if (text.empty())
        if (const auto titled = unitOf(rows.titleUnit()); titled && titled->dimension == dimension)
            text = rows.titleUnit();
    if (text.empty()) {
        withoutUnit.insert(titles.title(column));
        return {};
    }
    const auto unit = unitOf(text);
    if (unit && unit->dimension == dimension)
        return unit->factor;
    if (strangeUnits.size() < 4)
        strangeUnits.insert(fmt::format("{} in \"{}\"", titles.title(column), shortened(asUtf8(text), 40)));
    return {};
}

std::optional<int64_t> NsysNumbers::time(int64_t column) {
    const NsysCell text = nsysCellOf(cell(column));
    if (column < 0 || text.number.empty())
        return {};
    const auto factor = factorOf(column, text.unit, Unit::Dimension::Time);
    if (!factor)
        return {};
    const bool plain = !point.isComma() || text.number.find('.') == text.number.npos;
    const auto exact =
        plain ? scaledInteger(text.number, static_cast<int>(std::lround(std::log10(*factor * 1e9)))) : std::nullopt;
    const auto value = exact ? std::optional(static_cast<double>(*exact)) : number(text.number);
    if (!value || std::fabs(exact ? *value : *value * *factor * 1e9) >= longestNanoseconds)
        return {};
    return exact ? *exact : std::llround(*value * *factor * 1e9);
}

std::optional<double> NsysNumbers::nanoseconds(int64_t column) {
    const NsysCell text = nsysCellOf(cell(column));
    const auto value = column < 0 ? std::nullopt : number(text.number);
    const auto factor = value ? factorOf(column, text.unit, Unit::Dimension::Time) : std::nullopt;
    return factor ? std::optional(*value * *factor * 1e9) : std::nullopt;
}

std::optional<double> NsysNumbers::bytes(int64_t column) {
    const NsysCell text = nsysCellOf(cell(column));
    const auto value = column < 0 ? std::nullopt : number(text.number);
    const auto factor = value ? factorOf(column, text.unit, Unit::Dimension::Bytes) : std::nullopt;
    if (!factor || *value < 0)
        return {};
    if (*factor > 1 && *value > 0 && text.unit.empty())
        roundedUnit = titles.unit(column);
    return *value * *factor;
}

double NsysNumbers::copied(int64_t column) {
    const double value = bytes(column).value_or(-1);
    if (value != 0)
        return value;
    if (const auto& factor = factors[static_cast<size_t>(column)]; !factor || !*factor || **factor <= 1)
        return 0; // whole bytes, or the cell has a unit of its own
    roundedUnit = titles.unit(column).empty() ? rows.titleUnit() : titles.unit(column);
    return -1;
}

double NsysNumbers::lastDigit(int64_t column) {
    const NsysCell text = nsysCellOf(cell(column));
    if (column < 0 || text.number.empty() || !text.unit.empty())
        return 0;
    const double unit = factorOf(column, {}, Unit::Dimension::Time).value_or(0) * 1e9;
    if (unit < oneAndMore)
        return 0;
    const size_t mark = text.number.rfind(point.isComma() ? ',' : '.');
    const size_t decimals = mark == text.number.npos ? 0 : text.number.size() - mark - 1;
    const double digit = unit * std::pow(10, -static_cast<double>(decimals));
    Digit& least = finest[static_cast<size_t>(column)];
    if (digit < least.nanoseconds)
        least = {digit, static_cast<int64_t>(decimals)};
    return digit < oneAndMore ? 0 : digit;
}

/// Trailing zeros may have been dropped in some cells: the longest of a column says what it was written with.
void NsysNumbers::judgeDigits() {
    for (size_t column = 0; column < finest.size(); ++column) {
        const auto& [nanoseconds, decimals] = finest[column];
        if (nanoseconds < oneAndMore || nanoseconds == Digit().nanoseconds)
            continue;
        const std::string& own = titles.unit(static_cast<int64_t>(column));
        roundedTo = fmt::format("{} of {}", counted(decimals, "decimal"),
                                !own.empty()        ? own
                                : tableUnit.empty() ? rows.titleUnit()
                                                    : tableUnit);
    }
    finest.clear();
}

const std::string& NsysNumbers::roundedTimes() {
    judgeDigits();
    return roundedTo;
}

void NsysNumbers::demandTime(int64_t column) const {
    if (column < 0 || titles.unit(column).empty())
        return;
    const auto unit = unitOf(titles.unit(column));
    if (!unit || unit->dimension != Unit::Dimension::Time)
        throw InputError(fmt::format("{} has {} in \"{}\", expected a unit of time", where, titles.title(column),
                                     shortened(asUtf8(titles.unit(column)), 40)));
}

void NsysNumbers::shareUnit(std::initializer_list<int64_t> columns) {
    for (const int64_t column : columns)
        if (column >= 0 && tableUnit.empty())
            tableUnit = titles.unit(column);
}

void NsysNumbers::warn(std::vector<std::string>& warnings) const {
    if (!withoutUnit.empty())
        warnings.push_back(fmt::format("{} {} no unit and {} not shown.", fmt::join(withoutUnit, ", "),
                                       withoutUnit.size() == 1 ? "has" : "have",
                                       withoutUnit.size() == 1 ? "is" : "are"));
    if (!strangeUnits.empty())
        warnings.push_back(fmt::format("Not shown, since the unit is not known: {}.", fmt::join(strangeUnits, ", ")));
}

} // namespace warplight::profiles
