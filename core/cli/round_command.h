// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `compute round`: rounds a tensor to a format and back to f32, prints what became of its numbers, and writes it.
/// Throws InputError; writes nothing then.
void addRoundCommand(Command compute);

} // namespace warplight::cli
