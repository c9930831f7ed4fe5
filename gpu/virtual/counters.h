// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::vgpu {

/// How often an operation ran: for how many warps, for how many threads with its predicate true.
struct OpCount {
    uint64_t warps = 0, threads = 0;
};

/// What a memory operation moved. A request is one warp-wide access; a sector is 32 bytes of global memory, four make
/// a line; a wavefront is one pass of the shared memory's 32 banks.
struct AccessCount {
    uint64_t requests = 0;
    uint64_t bytes = 0;      ///< asked for by threads
    uint64_t sectors = 0;    ///< global and local
    uint64_t lines = 0;      ///< of 128 bytes, global and local: each is one look-up in the L1
    uint64_t wavefronts = 0; ///< shared
    uint64_t ideal = 0;      ///< sectors or wavefronts if lanes had been consecutive
};

struct BufferCount {
    uint64_t readRequests = 0, readBytes = 0, readSectors = 0;
    uint64_t writeRequests = 0, writtenBytes = 0, writtenSectors = 0;
    uint64_t atomicRequests = 0, atomicBytes = 0;
};

struct LaunchCounts {
    std::vector<OpCount> ops;          ///< by operation
    std::vector<AccessCount> accesses; ///< by memory operation
    std::vector<BufferCount> buffers;  ///< by allocation
    uint64_t branches = 0, divergentBranches = 0, barriers = 0;
    void add(const LaunchCounts& other);
    void subtract(const LaunchCounts& other); ///< may go below zero and back again
    void clear();                             ///< to zero; sizes stay
};

} // namespace warplight::vgpu
