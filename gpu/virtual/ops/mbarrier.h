// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

namespace warplight::vgpu {

/// mbarrier objects (PTX ISA, 9.7.13.15). a: address in shared memory (`bytes` its width, imm its offset); b: count,
/// state or parity (noRow: none); dst: the state, or the predicate of a wait.
const Op* barrierObjectInit(Warp& w, const Op* op);
const Op* barrierObjectInvalidate(Warp& w, const Op* op);
const Op* barrierObjectArrive(Warp& w, const Op* op); ///< detail 1: the expected count goes down as well (drop)
const Op* barrierObjectExpect(Warp& w,
                              const Op* op); ///< detail 1: expects b bytes; 2: they have come; 3: expects and arrives
const Op* barrierObjectTestState(Warp& w, const Op* op);
const Op* barrierObjectTestParity(Warp& w, const Op* op);
const Op* barrierObjectPending(Warp& w, const Op* op); ///< dst: arrivals that a state in row b still waited for
/// cp.async.mbarrier.arrive: the copies so far are done, then arrives. detail 1: .noinc.
const Op* barrierObjectCopies(Warp& w, const Op* op);

} // namespace warplight::vgpu
