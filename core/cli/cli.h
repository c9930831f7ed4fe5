#pragma once

#include "core/lab/experiment.h"

namespace warplight::cli {

/// The whole command line of `warplight-cli` over the given experiments. Returns the exit code: 0 done, 1 failed,
/// 2 bad input (one sentence on standard error), 130 cancelled with Ctrl+C.
int runCli(int argc, char** argv, const lab::Registry& registry);

} // namespace warplight::cli
