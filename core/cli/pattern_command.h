// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"
#include "core/sparse/pattern.h"

#include <cstdint>
#include <string>

namespace warplight::cli {

struct PatternOptions {
    std::string pattern, q, k, mask, output, format;
    int64_t n = 0;
    sparse::Parameters parameters;
};

/// Registers `pattern` and fills `options` when it is given.
Command addPatternCommand(Command app, PatternOptions& options);

/// Prints what a pattern of sparse attention keeps, and its mask. Throws InputError.
void printPattern(const PatternOptions& options);

} // namespace warplight::cli
