// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/experiment.h"
#include "core/text/echo.h"
#include "core/text/lower_case.h"

#include <fmt/format.h>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <algorithm>

namespace warplight::lab {

void Registry::add(std::unique_ptr<Experiment> experiment) { experiments.push_back(std::move(experiment)); }

Experiment& Registry::find(std::string_view id) const {
    std::vector<std::string> known;
    for (const auto& experiment : experiments) {
        known.push_back(experiment->describe().id);
        if (known.back() == id) {
            return *experiment;
        }
    }
    throw InputError(
        fmt::format("there is no experiment \"{}\": the known ones are {}", echoed(id), fmt::join(known, ", ")));
}

std::vector<Experiment*> Registry::all() const {
    std::vector<Experiment*> list;
    for (const auto& experiment : experiments) {
        list.push_back(experiment.get());
    }
    return list;
}

std::vector<Experiment*> Registry::ofLab(std::string_view lab) const {
    std::vector<Experiment*> list = all();
    std::erase_if(list, [&](Experiment* experiment) {
        const Description description = experiment->describe();
        return lowerCase(description.lab) != lab && description.id.substr(0, description.id.find('.')) != lab;
    });
    return list;
}

Description describedBeside(const Experiment& experiment,
                            const std::function<std::map<std::string, Value>(const Description&)>& valuesFor) {
    constexpr int mostSteps = 4; // from file to kernel to argument, and one to see that nothing changes
    Description description = experiment.describe();
    for (int step = 0; step < mostSteps; ++step) {
        std::vector<Parameter> parameters = experiment.parameters(valuesFor(description));
        const bool same = std::equal(parameters.begin(), parameters.end(), description.parameters.begin(),
                                     description.parameters.end(),
                                     [](const Parameter& a, const Parameter& b) { return a.id == b.id; });
        description.parameters = std::move(parameters);
        if (same)
            break;
    }
    return description;
}

bool runsOn(const Description& description, std::string_view device) {
    const auto& known = description.devices;
    return std::find(known.begin(), known.end(), device) != known.end() ||
           (device.starts_with("cuda:") && std::find(known.begin(), known.end(), "cuda") != known.end());
}

} // namespace warplight::lab
