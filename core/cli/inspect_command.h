// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `inspect-tensor`: prints what the numbers of each tensor of a file are like, and what f16, bf16, e4m3 and e5m2 would
/// lose of them; a tensor at a time, of which only a piece is held. Throws InputError.
void addInspectCommand(Command app);

} // namespace warplight::cli
