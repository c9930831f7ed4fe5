// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace warplight::profiles {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t charactersOf(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

/// Where the character begins that has this many before it.
size_t placeOf(std::string_view text, size_t characters) {
    size_t at = 0;
    for (; at < text.size(); ++at)
        if (!continues(text[at]) && characters-- == 0)
            break;
    return at;
}

} // namespace

std::string shortened(std::string_view text, size_t longest) {
    if (charactersOf(text) <= longest)
        return std::string(text);
    return std::string(text.substr(0, placeOf(text, longest - 1))) + "…";
}

std::string withoutMiddle(std::string_view text, size_t longest) {
    const size_t all = charactersOf(text);
    if (all <= longest)
        return std::string(text);
    const size_t half = (longest - 1) / 2;
    return std::string(text.substr(0, placeOf(text, longest - 1 - half))) + "…" +
           std::string(text.substr(placeOf(text, all - half)));
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const size_t from = text.find_first_not_of(blanks);
    if (from == text.npos)
        return {};
    return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

} // namespace warplight::profiles
