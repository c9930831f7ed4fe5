// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/number_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

namespace warplight::lab {

std::string numberText(double value, const std::string& unit, const std::string& format) {
    const std::string suffix = unit.empty() || unit == "×" ? unit : " " + unit;
    if (!format.empty()) {
        try {
            return fmt::format(fmt::runtime(format), value) + suffix;
        } catch (const fmt::format_error&) { // a format from a foreign file
        }
    }
    if (value == 0 || !std::isfinite(value) || unit.empty())
        return fmt::format("{:.4g}", value) + suffix;
    if (unit == "B") {
        constexpr std::array prefixes{"", "Ki", "Mi", "Gi", "Ti"};
        const int step = std::clamp(static_cast<int>(std::log2(std::fabs(value)) / 10), 0, 4);
        return fmt::format("{:.{}f} {}B", std::ldexp(value, -10 * step), step == 0 ? 0 : 1,
                           prefixes[static_cast<size_t>(step)]);
    }
    constexpr std::array prefixes{"n", "µ", "m", "", "k", "M", "G", "T", "P", "E"};
    const int step = std::clamp(static_cast<int>(std::floor(std::log10(std::fabs(value)) / 3)), -3, 6);
    return fmt::format("{:.3g} {}{}", value / std::pow(1000.0, step), prefixes[static_cast<size_t>(step + 3)], unit);
}

std::string countText(double value, const std::string& unit, const std::string& format) {
    const bool plain = unit.empty() && format.empty() && value == std::floor(value);
    return numberText(value, unit, plain ? "{:.0f}" : format);
}

} // namespace warplight::lab
