// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::vgpu {

/// Where the state spaces lie in the generic address space (by the upper half of an address).
constexpr uint64_t sharedWindow = 0x1'0000'0000, localWindow = 0x2'0000'0000, parameterWindow = 0x3'0000'0000,
                   functionWindow = 0x4'0000'0000, globalWindow = 0x10'0000'0000;

/// The address of a function, by its number in the module.
constexpr uint64_t functionAddress(int number) { return functionWindow + 16 * (static_cast<uint64_t>(number) + 1); }

struct Allocation {
    uint64_t address = 0;
    int64_t bytes = 0;
    std::string name; ///< "Q", "lse"; what counters and findings call it
    bool live = false;
};

/// The memory of the virtual GPU. Addresses depend only on the order of allocations, so counters do too.
/// One large reservation: an address becomes a host pointer by one addition, and its allocation by one look-up.
class GlobalMemory {
  public:
    /// Smaller where the address space is limited (ulimit -v). Throws InputError when not even a little can be had.
    explicit GlobalMemory(int64_t capacity = int64_t(16) << 30);
    ~GlobalMemory();
    GlobalMemory(const GlobalMemory&) = delete;
    GlobalMemory& operator=(const GlobalMemory&) = delete;

    /// Bytes are zero at first, but count as never written. Throws InputError with the sizes when it does not fit.
    uint64_t allocate(int64_t bytes, std::string name);
    void release(uint64_t address);

    /// Index of the live allocation that holds [address, address + bytes); -1: none does.
    int find(uint64_t address, int64_t bytes) const {
        const uint64_t at = (address - globalWindow) >> granuleBits;
        if (at >= owner.size())
            return -1;
        const int index = owner[at];
        if (index < 0)
            return -1;
        const Allocation& a = allocations[static_cast<size_t>(index)];
        return address >= a.address &&
                       address + static_cast<uint64_t>(bytes) <= a.address + static_cast<uint64_t>(a.bytes)
                   ? index
                   : -1;
    }
    std::byte* host(uint64_t address) const { return arena + (address - globalWindow); }

    /// One byte for each byte of memory: 1 once it was written. Used when reads of unwritten memory are looked for.
    uint8_t* written(uint64_t address) const { return shadow + (address - globalWindow); }
    void markWritten(uint64_t address, int64_t bytes);

    const std::vector<Allocation>& all() const { return allocations; }
    int64_t used() const { return inUse; }
    int64_t capacity() const { return size; }

  private:
    static constexpr int granuleBits = 12;
    std::byte* arena = nullptr;
    uint8_t* shadow = nullptr;
    int64_t size = 0, inUse = 0;
    std::vector<int32_t> owner; ///< of each granule
    std::vector<Allocation> allocations;
};

} // namespace warplight::vgpu
