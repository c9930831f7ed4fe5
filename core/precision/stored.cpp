// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/stored.h"

#include "core/error.h"
#include "core/text/echo.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <string_view>
#include <system_error>

namespace warplight::precision {

using number::FloatFormat;
using State = Stored::State;

State stateOf(double given, double value, const FloatFormat& format) {
    if (value == given && std::fabs(value) >= format.leastNormal())
        return State::Exact;
    if (std::isnan(given) || (std::isnan(value) && std::isinf(given)))
        return State::NotANumber;
    if (std::isnan(value) || (std::isinf(value) && std::isfinite(given)))
        return State::Overflowed;
    if (std::fabs(given) > std::fabs(value) && std::fabs(value) == format.largest() &&
        std::fabs(given) - format.largest() >= number::spacing(format.largest(), format) / 2)
        return State::Saturated;
    if (value == given && value == 0)
        return State::Exact;
    if (value == 0)
        return State::Flushed;
    return std::fabs(value) < format.leastNormal() ? State::Subnormal : State::Rounded;
}

uint64_t Stored::sign() const { return code >> (format->bits() - 1) & 1; }
uint64_t Stored::exponent() const { return code >> format->fractionBits & ((uint64_t(1) << format->exponentBits) - 1); }
uint64_t Stored::fraction() const { return code & ((uint64_t(1) << format->fractionBits) - 1); }

std::string Stored::bits() const {
    return fmt::format("{} {:0{}b} {:0{}b}", sign(), exponent(), format->exponentBits, fraction(),
                       format->fractionBits);
}

Stored stored(double given, const FloatFormat& format, number::Rounding rounding, number::Beyond beyond, double dice) {
    Stored s;
    s.format = &format;
    s.code = number::encode(given, format, rounding, beyond, dice);
    s.value = number::decode(s.code, format);
    const double error = std::fabs(s.value - given);
    s.relativeError = s.value == given                      ? 0
                      : given == 0 || !std::isfinite(error) ? std::numeric_limits<double>::quiet_NaN()
                                                            : error / std::fabs(given);
    s.below = number::next(s.value, format, false);
    s.above = number::next(s.value, format, true);
    s.spacing = std::isfinite(s.value) ? number::spacing(s.value, format) : std::numeric_limits<double>::quiet_NaN();
    s.state = stateOf(given, s.value, format);
    return s;
}

std::string nameOf(State state) {
    switch (state) {
    case State::Exact:
        return "exact";
    case State::Rounded:
        return "rounded";
    case State::Subnormal:
        return "subnormal";
    case State::Flushed:
        return "flushed to 0";
    case State::Saturated:
        return "saturated";
    case State::Overflowed:
        return "overflowed";
    case State::NotANumber:
        break;
    }
    return "NaN";
}

double numberFrom(const std::string& text, const std::string& what) {
    const bool negative = text.starts_with('-');
    std::string_view rest = std::string_view(text).substr(negative || text.starts_with('+') ? 1 : 0);
    const bool hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
    if (hexadecimal)
        rest.remove_prefix(2);
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value,
                                              hexadecimal ? std::chars_format::hex : std::chars_format::general);
    if (end != rest.data() + rest.size() || rest.empty() || rest.front() == '-' || error == std::errc::invalid_argument)
        throw InputError(fmt::format("{} '{}': expected a number: 0.1, 1e-8, 0x1p-24, inf or nan", what, echoed(text)));
    if (error == std::errc::result_out_of_range)
        throw InputError(fmt::format("{} '{}': expected a number that f64 can hold", what, echoed(text)));
    return negative ? -value : value;
}

const std::vector<std::string>& roundingNames() {
    static const std::vector<std::string> names{"nearest", "zero", "up", "down", "stochastic"};
    return names;
}

number::Rounding roundingByName(const std::string& name) {
    const auto& names = roundingNames();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
        throw InputError(fmt::format("rounding '{}': expected one of {}", name, fmt::join(names, ", ")));
    return static_cast<number::Rounding>(found - names.begin());
}

} // namespace warplight::precision
