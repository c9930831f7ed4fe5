// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"
#include "core/workbench/operator.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::cli {

/// What was asked of one operator.
struct ComputeOptions {
    const workbench::Operator* op = nullptr;
    std::map<std::string, std::string> files;   ///< by tensor, as written; empty: not given
    std::map<std::string, std::string> options; ///< of the operator, as written; empty: not given
    std::map<std::string, bool> flags;
    std::string implementation, dtype, layout, device = "cpu";
    int threads = 0;
};

/// `compute OPERATOR`: a command for each operator, its flags and help made from the description.
class ComputeCommand {
  public:
    ComputeCommand(Command app, const workbench::Operators& operators);
    bool given() const;
    Command all() const { return compute; } ///< for commands that are no operators
    /// Reads the tensors, runs one implementation, writes the outputs. Throws InputError; writes nothing then.
    void run() const;

  private:
    Command compute;
    std::vector<std::pair<Command, std::unique_ptr<ComputeOptions>>> commands;
};

} // namespace warplight::cli
