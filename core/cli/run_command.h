// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"
#include "core/lab/experiment.h"

namespace warplight::cli {

/// `run`: runs one experiment or all of a lab, printing as they end, and writes the files asked for.
void addRunCommand(Command app, const lab::Registry& registry);

} // namespace warplight::cli
