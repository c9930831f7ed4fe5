// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/not_read.h"

#include "core/text/echo.h"

#include <algorithm>
#include <fmt/format.h>

namespace warplight::formats {

std::string listed(std::span<const NotRead> others, size_t most) {
    std::string text;
    for (const NotRead& other : others.first(std::min(most, others.size())))
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", echoed(other.name), other.what);
    if (others.size() > most)
        text += fmt::format(" and {} more", others.size() - most);
    return text;
}

std::string meaningOfDescr(std::string_view descr) {
    if (descr.find('O') != std::string_view::npos)
        return "pickled objects";
    if (!descr.empty() && std::string_view("<>|=").find(descr.front()) != std::string_view::npos)
        descr.remove_prefix(1);
    switch (descr.empty() ? '\0' : descr.front()) {
    case 'U':
    case 'S':
    case 'a': // of old files
        return "text";
    case 'c':
        return "complex numbers";
    case 'M':
        return "dates";
    case 'm':
        return "time spans";
    case 'V':
        return fmt::format("raw bytes, {}", echoed(descr));
    case 'f':
        return fmt::format("floats of {} bytes", echoed(descr.substr(1))); // long double, f16 or f12
    default:
        return fmt::format("type '{}'", echoed(descr));
    }
}

} // namespace warplight::formats
