// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/lab/record.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <variant>

namespace warplight::test {

/// Runs an experiment as the engine does; what its frames make of a record.
inline lab::RunRecord runPage(lab::Experiment& experiment, const std::map<std::string, lab::Value>& given,
                              const std::string& device = "cpu", bool cancelled = false) {
    const lab::Settings settings(experiment.describe().parameters, given);
    lab::RunRecord record;
    record.apply(lab::RunStarted{1, experiment.describe().id, "", settings.values(), device, "", {}, {}});
    lab::Run run(
        1, device, [&](const lab::Frame& frame) { record.apply(frame); },
        std::make_shared<std::atomic<bool>>(cancelled));
    experiment.run(settings, run);
    return record;
}

/// What a figure of a run shows.
template <class Content>
const Content& content(const lab::RunRecord& run, const char* id) {
    return std::get<Content>(run.figure(id)->content);
}

} // namespace warplight::test
