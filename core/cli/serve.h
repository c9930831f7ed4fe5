// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

namespace warplight::cli {

/// Speaks docs/protocol.md on standard input and output until the input ends or `quit` comes. Returns the exit code:
/// 0, or 2 when something came that is no message.
int serve(const lab::Registry& registry);

} // namespace warplight::cli
