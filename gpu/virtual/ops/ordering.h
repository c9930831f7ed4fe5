// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <cstdint>

namespace warplight::vgpu {

/// For the race detector: what a warp has done is before what those do who see a word of shared memory that it wrote
/// after it (PTX ISA, 8.8). `at` is the word's place in shared memory.
void publishAt(Warp& w, uint64_t at);
void observeAt(Warp& w, uint64_t at);

/// Around accesses that order others (a, imm, bytes: their address as of a load or store; detail 1: only together with
/// a fence; access 1: in the shared space). Addresses outside shared memory are left alone.
const Op* releaseBefore(Warp& w, const Op* op);
const Op* acquireAfter(Warp& w, const Op* op);
const Op* fence(Warp& w, const Op* op);

} // namespace warplight::vgpu
