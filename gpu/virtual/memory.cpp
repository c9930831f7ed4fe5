// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/memory.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <sys/mman.h>
#include <utility>

namespace warplight::vgpu {
namespace {

constexpr int64_t gap = 4096; ///< between allocations: what runs over an end hits nothing

/// Owners of granules that are nobody's: below the numbers of allocations.
constexpr int32_t freeGranule = -1;
constexpr int32_t gapBehind(int32_t allocation) { return -2 - allocation; }

constexpr int64_t leastCapacity = int64_t(64) << 20; ///< what small kernels live in

/// Null when there is not so much address space.
void* reserve(int64_t bytes) {
    void* at = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? nullptr : at;
}

/// Under a limit of the address space a fourth of what is left: the shadow takes as much, and so does all else.
int64_t affordable(int64_t capacity) {
    constexpr int64_t whole = int64_t(1) << 20;
    return std::min(capacity, std::max(freeAddressSpace().bytes / 4 / whole * whole, leastCapacity));
}

} // namespace

GlobalMemory::GlobalMemory(int64_t capacity) : size(affordable(capacity)) {
    arena = static_cast<std::byte*>(reserve(size));
    shadow = arena ? static_cast<uint8_t*>(reserve(size)) : nullptr;
    if (!shadow) {
        if (arena)
            munmap(arena, static_cast<size_t>(size));
        const FreeMemory left = freeAddressSpace();
        throw InputError(fmt::format("The virtual GPU needs at least {} of address space, and {} are left{}",
                                     memoryText(2 * size), memoryText(left.bytes),
                                     left.where.empty() ? "" : fmt::format(" {}: allow more", left.where)));
    }
    owner.reserve(1024);
}

GlobalMemory::~GlobalMemory() {
    munmap(arena, static_cast<size_t>(size));
    munmap(shadow, static_cast<size_t>(size));
}

uint64_t GlobalMemory::allocate(int64_t bytes, std::string name) {
    const int64_t granules = (std::max<int64_t>(bytes, 1) + gap + (1 << granuleBits) - 1) >> granuleBits;
    // The lowest gap that is wide enough.
    size_t at = 0, run = 0;
    for (size_t i = 0; i < owner.size() && static_cast<int64_t>(run) < granules; ++i) {
        run = owner[i] == freeGranule ? run + 1 : 0;
        if (run == 0)
            at = i + 1;
    }
    if (bytes < 0 || bytes > size || static_cast<int64_t>(at + static_cast<size_t>(granules)) > size >> granuleBits)
        throw InputError(
            fmt::format("'{}' needs {} bytes of GPU memory; {} of {} are in use", name, bytes, inUse, size));
    if (owner.size() < at + static_cast<size_t>(granules))
        owner.resize(at + static_cast<size_t>(granules), freeGranule);
    const auto index = static_cast<int32_t>(allocations.size());
    const size_t held = static_cast<size_t>(granules) - (gap >> granuleBits);
    std::fill_n(owner.begin() + static_cast<int64_t>(at), held, index);
    std::fill_n(owner.begin() + static_cast<int64_t>(at + held), static_cast<size_t>(granules) - held,
                gapBehind(index));
    const uint64_t address = globalWindow + (static_cast<uint64_t>(at) << granuleBits);
    allocations.push_back({address, bytes, std::move(name), true});
    inUse += bytes;
    return address;
}

void GlobalMemory::release(uint64_t address) {
    const int index = find(address, 0);
    if (index < 0 || allocations[static_cast<size_t>(index)].address != address)
        throw InputError(fmt::format("address {:#x} is not the start of an allocation", address));
    Allocation& a = allocations[static_cast<size_t>(index)];
    a.live = false;
    inUse -= a.bytes;
    for (int32_t& granule : owner)
        if (granule == index || granule == gapBehind(index))
            granule = freeGranule;
    // Fresh zero pages for whoever comes next.
    const auto pages = static_cast<size_t>((std::max<int64_t>(a.bytes, 1) + 4095) / 4096 * 4096);
    madvise(host(address), pages, MADV_DONTNEED);
    madvise(written(address), pages, MADV_DONTNEED);
}

void GlobalMemory::markWritten(uint64_t address, int64_t bytes) {
    std::memset(written(address), 1, static_cast<size_t>(bytes));
}

} // namespace warplight::vgpu
