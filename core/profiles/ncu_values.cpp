// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/ncu_values.h"

#include "core/profiles/text.h"
#include "core/text/counted.h"
#include "core/text/echo.h"

#include <fmt/format.h>

namespace warplight::profiles {

void NcuValues::take(size_t launch, const MetricName& metric, std::string_view unitText, const std::string& text, Of of,
                     int64_t line) {
    const auto number = localNumber(text);
    if (!number) {
        if (!text.empty() && text != "n/a" && text != "N/A" && text != "nan" && text != "no data" && badValues++ == 0)
            firstBad = fmt::format("\"{}\" in line {}", shortened(asUtf8(text), 40), line);
        return;
    }
    point.add(number->says);
    const auto unit = unitOf(unitText);
    const Unit::Dimension wanted = metric.dimension();
    double factor = 1;
    if (unit && unit->dimension == wanted) {
        factor = unit->factor;
    } else if (unitText.empty()) { // base units
        factor = wanted == Unit::Dimension::Time ? 1e-9 : wanted == Unit::Dimension::Share ? 0.01 : 1;
    } else if (unit && wanted == Unit::Dimension::CountPerCycle && unit->dimension == Unit::Dimension::Count) {
        factor = unit->factor; // some derived metrics leave the cycle out
    } else {
        if (unknownUnits.size() < 4)
            unknownUnits.insert(shortened(asUtf8(unitText), 40));
        return;
    }
    waiting.push_back({launch, metric, *number, factor, of});
}

std::vector<LaunchMetrics> NcuValues::resolve(size_t count, Of of) const {
    std::vector<LaunchMetrics> metrics(count);
    for (const Waiting& value : waiting)
        if (value.of == of)
            metrics[value.launch].set(value.metric, point.of(value.number) * value.factor);
    return metrics;
}

void NcuValues::warn(std::vector<std::string>& warnings) const {
    if (point.contradicts())
        warnings.push_back(fmt::format("Numbers disagree on the decimal point; \"{}\" is taken as most of them say: "
                                       "export again with --print-units base.",
                                       point.isComma() ? ',' : '.'));
    else if (point.unknown())
        warnings.push_back("No number tells whether \",\" or \".\" is its decimal point: \"2,848\" is read as 2848 and "
                           "\"2.848\" as 2.848; export with --print-units base to be sure.");
    if (!unknownUnits.empty())
        warnings.push_back(fmt::format("Values in \"{}\" are left out, a unit that is not known: export with "
                                       "--print-units base.",
                                       *unknownUnits.begin()));
    if (badValues)
        warnings.push_back(fmt::format("{} left out, the first is {}.",
                                       counted(badValues, "value is no number and is", "values are no numbers and are"),
                                       firstBad));
}

} // namespace warplight::profiles
