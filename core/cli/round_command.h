// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

#include <cstdint>
#include <string>

namespace warplight::cli {

struct RoundOptions {
    std::string in, out, to, rounding = "nearest", format = "text";
    bool saturate = false;
    double scale = 1;
    uint64_t seed = 42;
};

/// Registers `compute round` and fills `options` when it is given.
Command addRoundCommand(Command compute, RoundOptions& options);

/// Rounds a tensor to a format and back to f32, prints what became of its numbers, and writes it. Throws InputError;
/// writes nothing then.
void roundTensor(const RoundOptions& options);

} // namespace warplight::cli
