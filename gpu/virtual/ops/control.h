// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <cstdint>
#include <string>

namespace warplight::vgpu {

/// Runs `inner` for the lanes whose predicate holds.
const Op* predicated(Warp& w, const Op* op);

/// Branches: imm is the target's index; d the index of the operation where the sides meet again (noRow: they don't).
const Op* jump(Warp& w, const Op* op);
const Op* branch(Warp& w, const Op* op);         ///< taken by the lanes of predicate `a` (negated: of its complement)
const Op* branchIndirect(Warp& w, const Op* op); ///< to branchTargets[detail][a]
const Op* joinPaths(Warp& w, const Op* op);
const Op* exitThreads(Warp& w, const Op* op);
const Op* callFunction(Warp& w, const Op* op); ///< calls[detail]; a: the function's address where it is indirect
const Op* callBuiltin(Warp& w, const Op* op);
const Op* returnFromFunction(Warp& w, const Op* op);
const Op* trap(Warp& w, const Op* op);
const Op* nothing(Warp& w, const Op* op);

/// bar.sync, bar.arrive, bar.red: a is the barrier's number, b the number of threads (noRow: all); c the predicate and
/// imm what is done with it.
enum class BarrierKind : int64_t { Sync, Arrive, Popc, And, Or };
const Op* barrier(Warp& w, const Op* op);
const Op* warpBarrier(Warp& w, const Op* op);

/// Special registers: imm says which.
enum class SpecialRegister : int64_t {
    TidX,
    TidY,
    TidZ,
    NtidX,
    NtidY,
    NtidZ,
    CtaidX,
    CtaidY,
    CtaidZ,
    NctaidX,
    NctaidY,
    NctaidZ,
    LaneId,
    WarpId,
    NWarpId,
    SmId,
    NSmId,
    GridId,
    LaneMaskEq,
    LaneMaskLe,
    LaneMaskLt,
    LaneMaskGe,
    LaneMaskGt,
    Clock,
    ClockHi,
    Clock64,
    GlobalTimer,
    GlobalTimerLo,
    GlobalTimerHi,
    DynamicShared,
    TotalShared,
    Zero,
    One,
    None
};
SpecialRegister specialByName(const std::string& name);
bool isWide(SpecialRegister r);               ///< 64 bits
const Op* readSpecial(Warp& w, const Op* op); ///< into a 32-bit row, or with bytes = 8 a 64-bit one

/// The address of a function's own variable in local memory: imm is its offset.
const Op* localAddress(Warp& w, const Op* op);

/// A kernel's parameter at a fixed place: imm is its offset, `bytes` its width.
const Op* loadParameter(Warp& w, const Op* op);

/// Call parameters, [lane][count bytes] in the frame: imm is the byte, detail where the slot begins.
const Op* loadSlot(Warp& w, const Op* op);
const Op* storeSlot(Warp& w, const Op* op);

/// Exchange between lanes.
enum class Shuffle : int64_t { Up, Down, Bfly, Idx };
const Op* shuffle(Warp& w, const Op* op); ///< dst, predicate d; value a, lane b, clamp and segment c
enum class Vote : int64_t { All, Any, Uni, Ballot };
const Op* vote(Warp& w, const Op* op);
const Op* match(Warp& w, const Op* op); ///< imm 1: all, with predicate d; bytes: of the value
enum class Reduce : int64_t { Add, Min, Max, And, Or, Xor, MinU, MaxU };
const Op* reduce(Warp& w, const Op* op);
const Op* activeMask(Warp& w, const Op* op);
const Op* elect(Warp& w, const Op* op);

} // namespace warplight::vgpu
