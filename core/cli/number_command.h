// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

#include <string>

namespace warplight::cli {

struct NumberOptions {
    std::string value, rounding = "nearest", format = "text";
    bool saturate = false;
    double dice = 0;
};

/// Registers `number` and fills `options` when it is given.
Command addNumberCommand(Command app, NumberOptions& options);

/// Prints a value as every number format stores it. Throws InputError.
void printNumber(const NumberOptions& options);

} // namespace warplight::cli
