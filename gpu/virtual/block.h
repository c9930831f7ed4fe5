#pragma once

#include "gpu/device.h"
#include "gpu/virtual/cache_model.h"
#include "gpu/virtual/counters.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/memory.h"
#include "gpu/virtual/warp.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>

namespace warplight::vgpu {

struct Dim3 {
    uint32_t x = 1, y = 1, z = 1;
    uint64_t count() const { return uint64_t(x) * y * z; }
};

/// What a check found, or why a kernel was stopped.
struct Finding {
    std::string kind;    ///< "out of bounds", "misaligned", "unwritten memory", "race", "barrier", "trap", "assert"
    std::string message; ///< one sentence with kernel, block, thread and PTX line
    int line = 0;        ///< of the PTX text
    ptx::SourceLine source;
    uint64_t block = 0;
    uint64_t count = 1; ///< how often, at this instruction
};

/// Stops the kernel.
struct KernelFault : std::runtime_error {
    explicit KernelFault(Finding f) : std::runtime_error(f.message), finding(std::move(f)) {}
    Finding finding;
};

/// How the lanes of one memory operation lay the last time. Most operations repeat the same pattern at another base,
/// so what follows from it (sectors, bank conflicts) is worked out once.
struct Pattern {
    enum Kind : uint8_t { Unknown, Uniform, Consecutive, Scattered };
    Kind kind = Unknown;
    bool misaligned = false;
    uint32_t mask = 0;
    uint32_t low = 0; ///< of the base address: what sectors and banks depend on
    uint32_t sectors = 0, wavefronts = 0, ideal = 0, idealWavefronts = 0;
    int64_t least = 0, most = 0;            ///< delta
    alignas(64) int64_t delta[warpSize];    ///< to the first active lane's address; 0 for inactive lanes
    alignas(64) uint32_t delta32[warpSize]; ///< the same, for addresses of 32 bits
    uint32_t sectorAt[2 * warpSize];        ///< relative to the lowest sector, in ascending order
};

/// What one thread of the machine carries from block to block.
struct Worker {
    LaunchCounts counts;
    std::vector<Pattern> patterns; ///< by memory operation and by where in a sector the first address lies
    std::vector<Finding> findings;
    std::vector<uint32_t>* sectorStream = nullptr; ///< of the running block, for the cache model
    CacheCounts caches;                            ///< of the L1s
    std::string output;                            ///< printf of the running block
};

struct Launch {
    const Program* program = nullptr;
    GlobalMemory* memory = nullptr;
    Dim3 grid, block;
    std::vector<std::byte> parameters;
    int64_t sharedBytes = 0; ///< static and dynamic
    int64_t dynamicShared = 0;
    bool checks = false;
    const GpuProfile* gpu = nullptr; ///< whose caches and times are modelled; null: none
    int registers = 0;               ///< a thread, for the occupancy
    const std::function<void(const gpu::MemoryAccess&)>* observer = nullptr;
    const std::function<void(const gpu::BlockPhase&)>* phases = nullptr; ///< null: nobody listens
    uint64_t phaseBlocks = 0;
    const std::atomic<bool>* cancel = nullptr;
};

/// One of a block's 16 named barriers.
struct Barrier {
    uint32_t arrived = 0;  ///< threads
    uint32_t expected = 0; ///< 0: all of the block
    uint32_t reduction = 0;
    std::vector<uint32_t> clock; ///< see Block::clocks
};

/// A race detector's memory of one byte of shared memory.
struct SharedMark {
    uint32_t writeClock = 0, readClock = 0;
    uint32_t readers = 0; ///< warps that read it at `readClock` of their own since it was written, by bit
    int16_t writer = -1;  ///< a warp
    uint16_t written = 0;
};

struct Block {
    const Launch* launch = nullptr;
    const Program* program = nullptr;
    Worker* worker = nullptr;
    Dim3 at;
    uint64_t number = 0;
    std::vector<Warp> warps;
    std::vector<std::byte> shared;
    std::vector<std::byte> local;
    int64_t localPerThread = 0;
    std::array<Barrier, 16> barriers;
    uint32_t liveThreads = 0;
    LaunchCounts before;      ///< of this worker when the block began, for kernels that read the clock
    LaunchCounts phaseBefore; ///< when its phase began, where somebody listens

    // Race detection: a vector clock a warp. `clocks[w][v]` is the time of warp v that warp w knows to be past.
    std::vector<std::vector<uint32_t>> clocks;
    std::map<uint64_t, std::vector<uint32_t>> barrierClocks; ///< of mbarriers, by their place in shared memory
    std::vector<SharedMark> marks;

    /// Clocks that the time model gives what the block has done so far.
    uint64_t elapsedClocks() const;
    /// Tells of what the block did since its last barrier, where somebody listens.
    void endPhase();
    /// Runs all warps to their end. Throws KernelFault, Cancelled.
    void run(const Launch& launch, Worker& worker, uint64_t number);

    /// Adds a finding for the lane of a warp at an operation.
    void report(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what);
    [[noreturn]] void fault(const Warp& w, const Op* op, int lane, const std::string& kind,
                            const std::string& what) const;

  private:
    Finding describe(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what) const;
    void start(Warp& w, int index);
    [[noreturn]] void stuck() const;
};

/// Ends the current path and takes up the innermost waiting one; null when the warp has ended.
const Op* nextPath(Warp& w);

/// Threads of the block that have to arrive at a barrier may have left: looks whether that completes it.
void settleBarriers(Block& block);

} // namespace warplight::vgpu
