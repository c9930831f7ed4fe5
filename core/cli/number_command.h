// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace warplight::cli {

struct NumberOptions {
    std::string value, rounding = "nearest", format = "text";
    bool saturate = false;
    double dice = 0;
};

/// Registers `number` and fills `options` when it is given.
CLI::App* addNumberCommand(CLI::App& app, NumberOptions& options);

/// Prints a value as every number format stores it. Throws InputError.
void printNumber(const NumberOptions& options);

} // namespace warplight::cli
