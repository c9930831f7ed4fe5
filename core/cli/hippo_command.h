// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `compute hippo`: a signal as coefficients of a memory, and what they still know of it. Throws InputError.
void addHippoCommand(Command compute);

} // namespace warplight::cli
