// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cupti_metrics.h"

#include "gpu/cuda/cupti_library.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

extern "C" const char cupti_metrics_begin[], cupti_metrics_end[];

namespace warplight::cuda {
namespace {

const nlohmann::json& table() {
    static const nlohmann::json parsed = nlohmann::json::parse(cupti_metrics_begin, cupti_metrics_end);
    return parsed;
}

} // namespace

std::vector<std::string> TrafficMetrics::names() const {
    std::vector<std::string> all;
    for (const std::string* name : {&dramRead, &dramWritten, &l2Read, &l2Written, &l1, &duration})
        if (!name->empty())
            all.push_back(*name);
    return all;
}

TrafficMetrics trafficMetrics(std::string_view chip) {
    for (const auto& family : table().at("families"))
        for (const auto& own : family.at("chips"))
            if (own.get<std::string>() == chip) {
                const auto& all = table().at("all");
                TrafficMetrics m;
                m.chip = chip;
                m.family = family.at("name");
                m.dramRead = family.value("dramRead", "");
                m.dramWritten = family.value("dramWritten", "");
                m.l2Read = all.at("l2Read");
                m.l2Written = all.at("l2Written");
                m.l1 = all.at("l1");
                m.duration = all.at("duration");
                m.sectorBytes = all.at("sectorBytes");
                m.passes = family.value("passes", 1);
                return m;
            }
    throw CountersUnavailable(fmt::format("the counters of the GPU chip '{}' are not known; known are those of {}",
                                          chip, fmt::join(chipsWithTrafficMetrics(), ", ")));
}

std::vector<std::string> chipsWithTrafficMetrics() {
    std::vector<std::string> all;
    for (const auto& family : table().at("families"))
        for (const auto& chip : family.at("chips"))
            all.push_back(chip);
    return all;
}

} // namespace warplight::cuda
