// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/local_number.h"

#include "core/profiles/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <system_error>

namespace warplight::profiles {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

std::string withoutSpacing(std::string_view text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ' ' || text[i] == '\'')
            continue;
        bool spacing = false;
        for (const std::string_view mark : {"\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x99"}) // no-break spaces, apostrophe
            if (text.substr(i).starts_with(mark)) {
                i += mark.size() - 1;
                spacing = true;
                break;
            }
        if (!spacing)
            result += text[i];
    }
    return result;
}

LocalNumber::Says saysOf(std::string_view text) {
    using Says = LocalNumber::Says;
    const auto dots = std::count(text.begin(), text.end(), '.'), commas = std::count(text.begin(), text.end(), ',');
    if (dots == 0 && commas == 0)
        return Says::Nothing;
    if (dots > 0 && commas > 0)
        return text.rfind('.') > text.rfind(',') ? Says::DotIsDecimal : Says::CommaIsDecimal;
    const Says itself = dots ? Says::DotIsDecimal : Says::CommaIsDecimal;
    const Says other = dots ? Says::CommaIsDecimal : Says::DotIsDecimal;
    if (dots + commas > 1)
        return other; // it repeats: it parts thousands
    const size_t at = text.find_first_of(".,");
    const std::string_view rest = text.substr(at + 1);
    const bool groups = rest.size() == 3 && std::all_of(rest.begin(), rest.end(), isDigit);
    const auto wholeDigits = std::count_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), isDigit);
    // "0.123" and "1234.567" part no thousands.
    const bool leading = wholeDigits >= 1 && wholeDigits <= 3 && text.find_first_of("0123456789") != text.find('0');
    return groups && leading ? Says::Either : itself;
}

std::optional<double> withPoint(std::string text, char point) {
    std::erase(text, point == '.' ? ',' : '.');
    if (point == ',')
        std::replace(text.begin(), text.end(), ',', '.');
    return plainNumber(text);
}

} // namespace

std::optional<double> plainNumber(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('+'))
        text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return {};
    return value;
}

std::optional<int64_t> plainInteger(std::string_view text) {
    text = trimmed(text);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return {};
    return value;
}

std::optional<LocalNumber> localNumber(std::string_view text) {
    text = trimmed(text);
    if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) {
            return isDigit(c) || std::string_view("+-.,eE '\xC2\xA0\xE2\x80\xAF\x99").find(c) != std::string_view::npos;
        }))
        return {};
    const std::string digits = withoutSpacing(text);
    if (digits.empty() || digits.find_first_of("0123456789") == std::string::npos)
        return {};
    LocalNumber number;
    number.says = saysOf(digits);
    const auto dot = withPoint(digits, '.'), comma = withPoint(digits, ',');
    if (!dot && !comma)
        return {};
    // Where one reading is impossible ("27.595.520" with dots as points), the other stands for both.
    number.dotDecimal = dot ? *dot : *comma;
    number.commaDecimal = comma ? *comma : *dot;
    return number;
}

void DecimalPoint::add(LocalNumber::Says says) {
    dot += says == LocalNumber::Says::DotIsDecimal;
    comma += says == LocalNumber::Says::CommaIsDecimal;
    either += says == LocalNumber::Says::Either;
}

std::optional<int64_t> scaledInteger(std::string_view text, int digits) {
    text = trimmed(text);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    int exponent = digits;
    if (const size_t at = text.find_first_of("eE"); at != text.npos) {
        std::string_view power = text.substr(at + 1);
        if (power.starts_with('+'))
            power.remove_prefix(1);
        const auto value = plainInteger(power);
        if (!value || *value > 400 || *value < -400)
            return {};
        exponent += static_cast<int>(*value);
        text = text.substr(0, at);
    }
    size_t point = text.find('.');
    std::string all(text);
    if (point == text.npos)
        point = all.size();
    else
        all.erase(point, 1);
    if (all.empty() || !std::all_of(all.begin(), all.end(), isDigit))
        return {};
    // all · 10^(exponent - digits behind the point): cut the digits that fall behind the new point, or add zeros.
    const int64_t keep = static_cast<int64_t>(point) + exponent;
    uint64_t value = 0;
    constexpr uint64_t largest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    for (int64_t i = 0; i < keep; ++i) {
        const auto digit =
            static_cast<uint64_t>(i < static_cast<int64_t>(all.size()) ? all[static_cast<size_t>(i)] - '0' : 0);
        if (value > (largest - digit) / 10)
            return {};
        value = value * 10 + digit;
        if (value == 0 && i >= static_cast<int64_t>(all.size()))
            break;
    }
    if (keep >= 0 && keep < static_cast<int64_t>(all.size()) && all[static_cast<size_t>(keep)] >= '5' &&
        value < largest)
        ++value;
    return negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

} // namespace warplight::profiles
