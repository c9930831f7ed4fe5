// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

namespace warplight::vgpu {

/// wmma (PTX ISA, 9.7.15.3). Where a fragment's elements lie is not specified; here element e of a matrix, row by row,
/// is in slot e / 32 of lane e % 32, and slots that a fragment has to spare repeat the first ones. Each slot of a load
/// or store counts as one access of the warp.
///
/// The operand list ends with the index into Program::warpMatrices. a: address (imm its offset, `bytes` its width);
/// b: the stride in elements.
const Op* loadWarpMatrix(Warp& w, const Op* op);
const Op* storeWarpMatrix(Warp& w, const Op* op);
/// Registers of D, A, B, C. Sums as mma's: exact products, k ascending, f32 (f64, integers).
const Op* multiplyWarpMatrices(Warp& w, const Op* op);

/// Registers a thread that a fragment has, as the manual's tables say; 0 if there is none such.
int fragmentRegisters(const WarpMatrix& matrix, char which);

} // namespace warplight::vgpu
