// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

namespace warplight::cli {

/// The whole command line of `warplight-cli` over the given experiments and operators. Returns the exit code: 0 done, 1
/// failed, 2 bad input (one sentence on standard error), 130 cancelled with Ctrl+C.
int runCli(int argc, char** argv, const lab::Registry& registry, const workbench::Operators& operators);

} // namespace warplight::cli
