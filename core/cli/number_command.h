// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `number`: prints a value as every number format stores it. Throws InputError.
void addNumberCommand(Command app);

} // namespace warplight::cli
