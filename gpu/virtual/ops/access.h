// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/block.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace warplight::vgpu {

enum class AccessKind { Read, Write, Atomic };

/// Where the lanes of a checked and counted access lie in the host's memory: host + offset[lane].
struct Place {
    std::byte* host = nullptr;
    const int64_t* offset = nullptr;
    Pattern::Kind kind = Pattern::Scattered;
};

/// The patterns of an operation. Which sectors it touches depends on where in a sector it begins, so in global memory
/// there is one for each word of a sector. Bank conflicts do not (another first word turns all banks alike), but a
/// swizzled tile looks different to each warp, so in shared memory there is one for each of eight warps.
constexpr size_t phases = 8;
inline Pattern& patternOf(const Warp& w, uint32_t access, uint64_t base, bool sectors) {
    const uint64_t phase = sectors ? base >> 2 : static_cast<uint64_t>(w.index);
    return w.block->worker->patterns[access * phases + (phase & (phases - 1))];
}

/// Works out sectors, wavefronts and the rest for the deltas and mask already in `p`.
void completePattern(Pattern& p, uint64_t base, int bytes);

/// The slow ways: lanes in different allocations, or out of bounds.
[[noreturn]] void faultOutOfBounds(Warp& w, const Op* op, const uint64_t* address, int bytes, AccessKind kind);
[[noreturn]] void faultMisaligned(Warp& w, const Op* op, const uint64_t* address, int bytes);
void checkWritten(Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes);
void checkShared(Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes, AccessKind kind);

/// The bytes of a cp.async that was waited for: now the warp has written them.
void finishCopy(const Warp& w, uint32_t at, int bytes);

/// Addresses that lie in several spaces or allocations: each lane is looked up by itself. `offsets` is filled, relative
/// to the null pointer.
Place locateEachLane(Warp& w, const Op* op, const uint64_t* address, int bytes, AccessKind kind, int64_t* offsets);

/// Tells the launch's observer of an access. `base`: of the device, in shared memory from its start.
void observe(const Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes, AccessKind kind,
             std::string_view buffer);

/// The name of what an address lies in, for messages: "Q", "shared memory".
std::string whereIs(const Warp& w, uint64_t address);

inline void countBuffer(BufferCount& b, const Pattern& p, uint64_t bytes, AccessKind kind) {
    if (kind == AccessKind::Read) {
        ++b.readRequests;
        b.readBytes += bytes;
        b.readSectors += p.sectors;
    } else if (kind == AccessKind::Write) {
        ++b.writeRequests;
        b.writtenBytes += bytes;
        b.writtenSectors += p.sectors;
    } else {
        ++b.atomicRequests;
        b.atomicBytes += bytes;
    }
}

/// The sectors of an access, for the cache model: (sector << 2 | kind), 32-byte sectors from the start of the memory.
/// The first of a request is marked.
inline void recordSectors(Worker& worker, const Pattern& p, uint64_t base, AccessKind kind) {
    if (!worker.sectorStream)
        return;
    const auto first = static_cast<uint32_t>((base + static_cast<uint64_t>(p.least) - globalWindow) >> 5);
    for (uint32_t i = 0; i < p.sectors; ++i)
        worker.sectorStream->push_back((first + p.sectorAt[i]) << 2 | static_cast<uint32_t>(kind) |
                                       (i == 0 ? requestBegins : 0));
}

/// The allocation that holds all of an access; -1: none does.
inline int allocationOf(const Warp& w, const Pattern& p, uint64_t base, int bytes) {
    return w.block->launch->memory->find(base + static_cast<uint64_t>(p.least), p.most - p.least + bytes);
}
inline bool insideShared(const Warp& w, const Pattern& p, uint64_t base, int bytes) {
    return base + static_cast<uint64_t>(p.most) + static_cast<uint64_t>(bytes) <= w.block->shared.size() &&
           static_cast<int64_t>(base) + p.least >= 0;
}

/// Counts an aligned access to the allocation `index` and says where it lies; `p` fits the addresses.
inline Place placeGlobal(Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes, AccessKind kind,
                         int index) {
    const GlobalMemory& memory = *w.block->launch->memory;
    Worker& worker = *w.block->worker;
    const uint64_t moved = static_cast<uint64_t>(w.active) * static_cast<uint64_t>(bytes);
    AccessCount& count = worker.counts.accesses[op->access];
    ++count.requests;
    count.bytes += moved;
    count.sectors += p.sectors;
    count.lines += p.lines[(base + static_cast<uint64_t>(p.least)) >> 5 & 3];
    count.ideal += p.ideal;
    countBuffer(worker.counts.buffers[static_cast<size_t>(index)], p, moved, kind);
    recordSectors(worker, p, base, kind);
    if (w.block->launch->observer)
        observe(w, op, p, base, bytes, kind, memory.all()[static_cast<size_t>(index)].name);
    if (w.block->launch->checks) {
        if (kind == AccessKind::Read || kind == AccessKind::Atomic)
            checkWritten(w, op, p, base, bytes);
        if (kind != AccessKind::Read)
            for (int i = 0; i < warpSize; ++i)
                if (has(w.mask, i))
                    std::fill_n(memory.written(base + static_cast<uint64_t>(p.delta[i])), bytes, uint8_t(1));
    }
    return {memory.host(base), p.delta, p.kind};
}

/// Counts and checks an access to global memory and says where it lies; `p` fits the addresses.
inline Place locateGlobal(Warp& w, const Op* op, const Pattern& p, const uint64_t* address, uint64_t base, int bytes,
                          AccessKind kind, int64_t* offsets) {
    if (p.misaligned)
        faultMisaligned(w, op, address, bytes);
    const int index = allocationOf(w, p, base, bytes);
    return index < 0 ? locateEachLane(w, op, address, bytes, kind, offsets)
                     : placeGlobal(w, op, p, base, bytes, kind, index);
}

/// Counts an aligned access to shared memory that is inside it.
inline Place placeShared(Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes, AccessKind kind) {
    Block& block = *w.block;
    AccessCount& count = block.worker->counts.accesses[op->access];
    ++count.requests;
    count.bytes += static_cast<uint64_t>(w.active) * static_cast<uint64_t>(bytes);
    count.wavefronts += p.wavefronts;
    count.ideal += p.idealWavefronts;
    if (block.launch->observer)
        observe(w, op, p, base, bytes, kind, {});
    if (block.launch->checks)
        checkShared(w, op, p, base, bytes, kind);
    return {block.shared.data() + base, p.delta, p.kind};
}

inline Place locateShared(Warp& w, const Op* op, const Pattern& p, const uint64_t* address, uint64_t base, int bytes,
                          AccessKind kind) {
    if (p.misaligned)
        faultMisaligned(w, op, address, bytes);
    if (!insideShared(w, p, base, bytes))
        faultOutOfBounds(w, op, address, bytes, kind);
    return placeShared(w, op, p, base, bytes, kind);
}

/// Local memory is interleaved on the GPU: lanes at the same offset lie in consecutive words.
Place locateLocal(Warp& w, const Op* op, const uint64_t* address, int bytes, AccessKind kind, int64_t* offsets);

} // namespace warplight::vgpu
