// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `kernel run`: runs anybody's PTX (or CUDA source, where nvcc is found) on the virtual GPU, writes the arrays asked
/// for and prints what was counted. Returns the exit code: 1 when the kernel failed or a check found something. Throws
/// InputError; writes nothing then.
void addKernelCommand(Command app);

} // namespace warplight::cli
