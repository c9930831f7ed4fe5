// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"
#include "gpu/virtual/cache_model.h"
#include "gpu/virtual/counters.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/memory.h"
#include "gpu/virtual/warp.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace warplight::vgpu {

inline constexpr int64_t firstStride = 16; ///< backward branches until a loop is looked at for the first time

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
    bool note = false;  ///< nothing is wrong
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
    uint8_t lines[4] = {};                  ///< by where in its line of four sectors the lowest one lies
    int64_t least = 0, most = 0;            ///< delta
    alignas(64) int64_t delta[warpSize];    ///< to the first active lane's address; 0 for inactive lanes
    alignas(64) uint32_t delta32[warpSize]; ///< the same, for addresses of 32 bits
    uint32_t sectorAt[2 * warpSize];        ///< relative to the lowest sector, in ascending order
};

/// What one thread of the machine carries from block to block.
struct Worker {
    LaunchCounts counts;
    LaunchCounts aside;            ///< while a warp is watched: what counts unless it only waits
    bool watching = false;         ///< `counts` and `aside` are exchanged then
    int64_t futile = 0;            ///< passes over polling loops since anything else has happened
    std::vector<bool> waitingOps;  ///< operations that loops have waited with
    std::vector<uint64_t> seenOps; ///< how often each had happened when somebody looked for progress
    uint64_t progress = 0;         ///< how often there was any: something else has happened
    void lookForProgress(const Wait& wait);
    std::vector<Pattern> patterns; ///< by memory operation and by where in a sector the first address lies
    std::vector<Finding> findings;
    std::vector<uint32_t>* sectorStream = nullptr; ///< of the running block, for the cache model
    CacheCounts caches;                            ///< of the L1s
    std::string output;                            ///< printf of the running block
    LaunchCounts total() const;                    ///< of all that has happened
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
    bool written = false;
    bool strongWrite = false, strongReads = false; ///< the write, and all reads since it, are volatile or ordered
    uint32_t copy = 0; ///< of a cp.async that nobody has waited for: its operation's index, plus 1
};

/// A byte that two warps have written with no barrier between. A race, unless both wrote the same.
struct DoubleWrite {
    int warp = 0, lane = 0;
    const Op* op = nullptr;
    uint64_t at = 0;
    int16_t other = -1;
    std::byte before{};
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
    std::vector<DoubleWrite> doubleWrites; ///< of the last operation: its values are not there yet
    void settleDoubleWrites();

    LaunchCounts leftAt; ///< of this worker when the block began to wait for others
    WaitTogether together;
    std::optional<Finding> told; ///< the deadlock before some lanes went ahead
    uint64_t idleClocks = 0;     ///< that pass while nobody can do anything but look at the clock
    uint64_t idleStep = 0;       ///< of them the last ones
    int idleLoops = 0;           ///< that have come to their end by the clock
    int64_t futile = 0;          ///< as Worker::futile, where blocks run in any order
    int64_t& inVain() { return program->ordered ? worker->futile : futile; }
    int64_t inVain() const { return program->ordered ? worker->futile : futile; }
    bool polled = false;           ///< a loop that polls was not seen to wait
    bool yielded = false;          ///< it has let other blocks go first and could go on
    std::string output;            ///< printf, while the block waits
    std::vector<uint32_t> sectors; ///< for the cache model
    std::vector<WarpTurn> turns;   ///< whose they are
    /// From here on sectors are those of the warp; `opened`: a barrier has opened.
    void noteTurn(uint32_t warp, bool opened);

    /// Clocks that the time model gives what the block has done so far.
    uint64_t elapsedClocks() const;
    /// Tells of what the block did since its last barrier, where somebody listens.
    void endPhase();
    void begin(const Launch& launch, Worker& worker, uint64_t number);
    /// A loop has done what it did not do when it was seen to wait: what waits for the clock next begins anew.
    void leavesIdleLoop();
    /// Runs the warps until all have ended (true), or until all that have not wait for other blocks, or until other
    /// blocks should have their turn too (`yielded`). `insist`: other
    /// blocks cannot go on either, so loops that may end by themselves get a chance. Throws KernelFault, Cancelled.
    bool goOn(Worker& worker, bool insist);
    /// Whether what a warp waits for has come.
    bool mayGoOn() const;
    /// Whether a warp waits in a loop that may end by itself.
    bool mayInsist() const;
    /// Nothing else can end a wait: lanes that have come further than those of their warp that wait go on without them.
    /// False: there are none. `last`: nothing else is left to try.
    bool letLanesAhead(bool last = true);
    /// Nothing at all can end a wait. `because`: of other blocks; empty: all other threads of this one wait as well.
    [[noreturn]] void stuck(const std::string& because = {});

    /// Adds a finding for the lane of a warp at an operation.
    void report(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what,
                bool note = false);
    [[noreturn]] void fault(const Warp& w, const Op* op, int lane, const std::string& kind,
                            const std::string& what) const;

  private:
    Finding describe(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what) const;
    void start(Warp& w, int index);
    void takeTurn(Warp& w);
    void release(Warp& w, bool changed);
    bool runWarps();
    bool waitsForBlocks() const;
    void letBlockTry();
    void countInVain(const Wait& wait, int64_t passes); ///< of a loop in which nothing is to be seen
    bool pollsInVain(Warp& w, int64_t passes);          ///< true: other lanes of the warp have gone ahead
    void passIdly();
    int64_t stretchOf(int64_t waiting) const;
    void countPasses(const Wait& wait);
    bool letWaitingTry(Wait::Kind kind);
    bool isTimeForLanes() const;
    bool letLanesAhead(Warp& w, bool early);
    std::optional<Finding> deadlock(const std::string& because) const;
};

/// Ends the current path and takes up the innermost waiting one; null when the warp has ended.
const Op* nextPath(Warp& w);

/// Threads of the block that have to arrive at a barrier may have left: looks whether that completes it.
void settleBarriers(Block& block);

} // namespace warplight::vgpu
