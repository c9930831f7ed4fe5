// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/ptx/syntax.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::vgpu {

/// A run of instructions entered only at its first and left only at its last.
struct BasicBlock {
    size_t begin = 0, end = 0; ///< instructions
    std::vector<int> next;     ///< blocks that may follow; empty: the function ends
    int meet = -1;             ///< the immediate post-dominator: where all ways from here come together; -1: the end
};

struct ControlFlow {
    std::vector<BasicBlock> blocks;
    std::vector<int> blockOf; ///< of each instruction, and one for the end of the body
};

/// Barriers, calls, returns under a predicate become a branch around a plain one, so that only branches diverge.
ptx::Function withPlainControl(ptx::Function function);

bool endsFunction(const ptx::Instruction& instruction); ///< ret, exit, trap
bool isBranch(const ptx::Instruction& instruction);     ///< bra, brx

/// The blocks of a body with `withPlainControl` applied. Throws InputError for a branch to an unknown label.
ControlFlow controlFlow(const ptx::Function& function, const std::string& file);

} // namespace warplight::vgpu
