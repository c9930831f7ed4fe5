// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `pattern`: prints what a pattern of sparse attention keeps, and its mask. Throws InputError.
void addPatternCommand(Command app);

} // namespace warplight::cli
