// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace warplight::vgpu {

/// The operations of one function while its registers are still virtual: a row is the number of a virtual register, or
/// `constantRow | offset`.
constexpr Row constantRow = 0x80000000u;

struct VirtualRegister {
    int bytes = 4; ///< a lane: 2, 4, 8; 0: a predicate
};

struct Code {
    std::vector<VirtualRegister> registers;
    std::vector<Op> ops;
    std::vector<OpOrigin> origins;
    std::vector<uint32_t> defined;     ///< bit 0: dst, bit 1: d; the others are read
    std::vector<uint16_t> listDefined; ///< how many rows of the list are written, from its start
    std::vector<Row> rows;             ///< operand lists
    std::vector<bool> rowIsNumber;     ///< of `rows`: no register but a plain number
    std::vector<size_t> blockBegin;    ///< first operation of each basic block
    std::vector<std::vector<int>> blockNext;
    uint32_t slotBytes = 0; ///< call parameters, at the start of the frame
};

/// Gives each virtual register a place in the frame; those that are never alive together share one. Replaces virtual
/// rows by offsets. Returns the frame's size in bytes; `live` becomes the most 32-bit registers alive at one time.
/// Throws Cancelled.
uint32_t allocateRegisters(Code& code, int& live, const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::vgpu
