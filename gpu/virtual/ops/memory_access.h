// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"
#include "gpu/virtual/ptx/syntax.h"

namespace warplight::vgpu {

/// Loads and stores. a: the address's row (count of bytes 4 or 8 in `addressBytes`), imm: its offset; the registers are
/// Program::rows[detail …detail + count). Space::None is generic. Null if there is no such combination.
Handler loadHandler(ptx::Space space, int addressBytes, int bytes, int registerBytes, bool isSigned);
Handler storeHandler(ptx::Space space, int addressBytes, int bytes, int registerBytes);

/// cp.async from global (b + imm) to shared (a + access offset in detail): `bytes` are copied, of which the number in
/// row c (noRow: all) are read and the rest are zero.
Handler asyncCopyHandler();
const Op* commitAsync(Warp& w, const Op* op);
const Op* waitAsync(Warp& w, const Op* op); ///< imm: groups that may stay outstanding

} // namespace warplight::vgpu
