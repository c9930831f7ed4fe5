// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/sparse/pattern.h"

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace warplight::cli {

struct PatternOptions {
    std::string pattern, q, k, mask, output, format;
    int64_t n = 0;
    sparse::Parameters parameters;
};

/// Registers `pattern` and fills `options` when it is given.
CLI::App* addPatternCommand(CLI::App& app, PatternOptions& options);

/// Prints what a pattern of sparse attention keeps, and its mask. Throws InputError.
void printPattern(const PatternOptions& options);

} // namespace warplight::cli
