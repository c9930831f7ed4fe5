// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace warplight::profiles {

/// A number as some locale prints it, read with either sign as its decimal point: "1,215,000,000.00", "27.595.520",
/// "117,344". Spaces, no-break spaces and apostrophes between digits are thousands separators everywhere.
struct LocalNumber {
    enum class Says { Nothing, DotIsDecimal, CommaIsDecimal, Either }; ///< Either: "2,848" may be 2848 or 2.848
    double dotDecimal = 0, commaDecimal = 0;
    Says says = Says::Nothing;
};
/// Unset for what is no number: "n/a", "", "(256, 1, 1)".
std::optional<LocalNumber> localNumber(std::string_view text);

/// What all numbers of a file together say of its decimal point.
class DecimalPoint {
  public:
    void add(LocalNumber::Says says);
    bool isComma() const { return comma > dot; }
    bool contradicts() const { return comma > 0 && dot > 0; }
    bool unknown() const { return comma == 0 && dot == 0 && either > 0; }
    double of(const LocalNumber& number) const { return isComma() ? number.commaDecimal : number.dotDecimal; }

  private:
    int64_t dot = 0, comma = 0, either = 0;
};

/// A plain decimal number, "." its point, exponent allowed: all of the text or unset.
std::optional<double> plainNumber(std::string_view text);
std::optional<int64_t> plainInteger(std::string_view text);

/// Decimal text times 10^digits as an integer, rounded half away from zero: "1712361600000123.456" microseconds are
/// 1712361600000123456 ns with 3 digits, which no double holds. Unset for what is no number or too large.
std::optional<int64_t> scaledInteger(std::string_view text, int digits);

} // namespace warplight::profiles
