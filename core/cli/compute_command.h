// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"
#include "core/workbench/operator.h"

namespace warplight::cli {

/// `compute OPERATOR`: a command for each operator, its flags and help made from the description. It reads the tensors,
/// runs one implementation and writes the outputs; nothing is written when something is wrong. Returns `compute`, for
/// commands that are no operators.
Command addComputeCommand(Command app, const workbench::Operators& operators);

} // namespace warplight::cli
