// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

#include <string>

namespace warplight::cli {

struct InspectOptions {
    std::string file, format = "text";
};

/// Registers `inspect-tensor` and fills `options` when it is given.
Command addInspectCommand(Command app, InspectOptions& options);

/// Prints what the numbers of each tensor of a file are like, and what f16, bf16, e4m3 and e5m2 would lose of them; a
/// tensor at a time, of which only a piece is held. Throws InputError.
void inspectTensors(const InspectOptions& options);

} // namespace warplight::cli
