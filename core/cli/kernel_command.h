// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::cli {

struct KernelOptions {
    std::string file, entry, grid = "1", block = "32", gpu, format = "text";
    int64_t shared = 0;
    bool check = false;
    int threads = 0;
    std::vector<std::string> arguments;
};

/// Registers `kernel run` and fills `options` when it is given.
Command addKernelCommand(Command app, KernelOptions& options);

/// Runs anybody's PTX (or CUDA source, where nvcc is found) on the virtual GPU, writes the arrays asked for and prints
/// what was counted. Returns the exit code: 1 when the kernel failed or a check found something.
/// Throws InputError; writes nothing then.
int runKernel(const KernelOptions& options);

} // namespace warplight::cli
