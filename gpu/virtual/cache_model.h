// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/counters.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/memory.h"

#include <cstdint>
#include <map>
#include <vector>

namespace warplight::vgpu {

/// In a block's stream of sectors: bit 31 marks the first of a request (16 GiB are 2^29 sectors of 2 more bits).
constexpr uint32_t requestBegins = 0x80000000u;

/// From where in that stream on sectors are those of a warp, and how often the block's barriers had opened by then.
struct WarpTurn {
    size_t begin = 0;
    uint32_t warp = 0, phase = 0;
};

/// The stream as it would be if the warps took turns: between two barriers a request of each, as schedulers do it.
/// Marks are gone.
std::vector<uint32_t> warpsInTurn(const std::vector<uint32_t>& sectors, const std::vector<WarpTurn>& turns);

/// What goes through the modelled caches, in sectors of 32 bytes.
struct CacheCounts {
    uint64_t l1Reads = 0, l1Hits = 0; ///< loads
    uint64_t l2Reads = 0, l2Hits = 0; ///< what missed the L1, and atomics
    uint64_t l2Writes = 0;            ///< stores go through the L1
    uint64_t dramReads = 0, dramWrites = 0;
    std::vector<uint64_t> readOf, writtenOf; ///< DRAM sectors by allocation
};

/// A set-associative cache with lines of four sectors and the least recently used line replaced.
class SectoredCache {
  public:
    SectoredCache(int64_t bytes, int ways);
    struct Line {
        uint32_t tag = 0xffffffffu;
        uint32_t used = 0;            ///< when last
        uint8_t valid = 0, dirty = 0; ///< sectors
    };
    /// The line of a sector; `evicted` receives what had to make room (tag 0xffffffff: nothing).
    Line& find(uint32_t sector, Line& evicted);
    void clear();
    const std::vector<Line>& all() const { return lines; }

  private:
    size_t sets, ways;
    uint32_t clock = 0;
    std::vector<Line> lines;
};

/// The caches of a launch. Blocks come in any order; they are put through the L2 in waves of as many as the GPU holds
/// at one time, a few sectors of each in turn, so that the result does not depend on the host's threads.
///
/// Modelled: an L1 of its own for each block (the multiprocessor's, divided by the blocks it holds; loads allocate,
/// stores write through), one L2 that writes back. Both are cold at the start; what is dirty in the end is counted as
/// written. Not modelled: the two halves of an A100's L2, compression, prefetching, other kernels.
class CacheModel {
  public:
    CacheModel(const GpuProfile& gpu, const GlobalMemory& memory, uint64_t blocks, int blocksPerMultiprocessor,
               int64_t sharedBytesPerBlock);

    /// The sectors of a block in the order of its accesses (see recordSectors). Thread-safe with a lock around it, but
    /// for filter(), which is.
    std::vector<uint32_t> filter(const std::vector<uint32_t>& sectors, CacheCounts& counts) const;
    void add(uint64_t block, std::vector<uint32_t> missed);
    void finish(CacheCounts& counts);

  private:
    void runWave();
    void access(uint32_t entry);
    int allocationOf(uint32_t sector) const;

    const GlobalMemory& memory;
    int64_t l1Bytes;
    uint64_t blocks, perWave, nextWave = 0;
    SectoredCache l2;
    CacheCounts totals;
    std::map<uint64_t, std::vector<uint32_t>> waiting;
};

} // namespace warplight::vgpu
