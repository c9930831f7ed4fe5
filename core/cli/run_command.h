// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"
#include "core/lab/experiment.h"

#include <string>
#include <vector>

namespace warplight::cli {

struct RunOptions {
    std::string what;                  ///< an experiment's id or a lab's name
    std::vector<std::string> settings; ///< "name=value"
    std::string device, format = "text", outFolder, sessionFile;
};

/// Registers `run` and fills `options` when it is given.
Command addRunCommand(Command app, RunOptions& options);

/// Runs one experiment or all of a lab, printing as they end, and writes the files asked for. Returns the exit code.
int runExperiments(const RunOptions& options, const lab::Registry& registry);

} // namespace warplight::cli
