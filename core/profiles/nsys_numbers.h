// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/local_number.h"
#include "core/profiles/nsys_rows.h"
#include "core/profiles/profiler_metrics.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// The cells of a table of nsys as numbers: its decimal point, and the units of cells, columns, titles and the table. A
/// column is -1 where the table has none; what it would say is unset then.
class NsysNumbers {
  public:
    explicit NsysNumbers(NsysRows& rows);

    /// Of the table whose header has been read; looks ahead for its decimal point. `where`: for messages.
    void begin(const std::string& where);
    const NsysColumns& columns() const { return titles; }
    const std::string& cell(int64_t column) const; ///< of the row

    std::optional<double> number(std::string_view text) const;
    std::optional<int64_t> integer(std::string_view text) const;
    /// A time or duration in ns. Exact: times since the start of a session reach 2^53.
    std::optional<int64_t> time(int64_t column);
    std::optional<double> nanoseconds(int64_t column);
    std::optional<double> bytes(int64_t column);
    /// The bytes of copies: 0.000 MB are some, and -1 as what is not told.
    double copied(int64_t column);
    /// What the last digit of a time stands for, in ns, where --timeunit took others away: "0.080" of seconds is whole
    /// milliseconds. 0 where none is lost, and of cells that have a unit of their own, which they chose to keep theirs.
    double lastDigit(int64_t column);
    /// A time that reads 0 and may be anything below half of its last digit is none.
    template <class Time>
    std::optional<Time> unlessVanished(int64_t column, std::optional<Time> value) {
        return lastDigit(column) > 0 && value == Time{0} ? std::nullopt : value;
    }
    /// Of a column that a table is worth nothing without; throws InputError.
    void demandTime(int64_t column) const;
    /// nsys prints all times of a table of sums in one unit: that of the first of these columns that tells its own.
    void shareUnit(std::initializer_list<int64_t> columns);
    /// What could not be shown for its unit.
    void warn(std::vector<std::string>& warnings) const;
    /// What was rounded.
    const std::string& roundedSizes() const { return roundedUnit; }
    const std::string& roundedTimes();

  private:
    std::optional<double> factorOf(int64_t column, std::string_view ofCell, Unit::Dimension dimension);
    std::optional<double> factorOfUnit(int64_t column, std::string_view ofCell, Unit::Dimension dimension);

    void judgeDigits(); ///< of the table that ends

    /// The last one of a cell, as much as it stands for.
    struct Digit {
        double nanoseconds = std::numeric_limits<double>::infinity();
        int64_t decimals = 0;
    };

    NsysRows& rows;
    NsysColumns titles;
    std::vector<Digit> finest;                                 ///< of the columns' cells
    DecimalPoint point;                                        ///< of the table
    std::vector<std::optional<std::optional<double>>> factors; ///< of the columns' units, once they were asked for
    std::string where, tableUnit, roundedUnit, roundedTo;
    std::set<std::string> withoutUnit, strangeUnits;
};

constexpr double longestNanoseconds = 2305843009213693952.0; ///< 2^61: sums of three fit
constexpr double mostLaunches = 1e15;

} // namespace warplight::profiles
