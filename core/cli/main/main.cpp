// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/cli.h"
#include "core/labs/all_labs.h"

int main(int argc, char** argv) {
    warplight::lab::Registry registry;
    warplight::workbench::Operators operators;
    warplight::labs::registerAll(registry, operators);
    return warplight::cli::runCli(argc, argv, registry, operators);
}
