// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/context.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::cuda {

/// Bytes.
struct MemoryInfo {
    int64_t free = 0, total = 0; ///< of the GPU, as the driver tells
    int64_t cap = 0;             ///< what allocations may come to together
    int64_t inUse = 0;           ///< by them
};

/// The memory of one GPU that this process holds, and copies to and from it. Allocations and releases take their turn
/// in the stream (cuMemAllocAsync), where the GPU has memory pools; copies go through two pinned buffers on the host,
/// so that one is filled while the other is on its way.
class DeviceMemory {
  public:
    /// `share`: the part of what is free now that allocations may come to, above 0 and at most 1.
    DeviceMemory(Context& context, double share);
    ~DeviceMemory();
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    /// Throws InputError with the bytes asked for, free and total.
    uint64_t allocate(int64_t bytes, const std::string& name);
    /// Never throws on a GPU that is lost: buffers are released while an exception is on its way.
    void release(uint64_t address);
    std::vector<std::string> held() const;
    MemoryInfo info();

    /// Returns when `from` is no longer needed.
    void upload(uint64_t to, const void* from, int64_t bytes);
    void download(void* to, uint64_t from, int64_t bytes);

  private:
    struct Allocation {
        int64_t bytes;
        std::string name;
        bool pooled; ///< came from cuMemAllocAsync
    };
    class Staging;
    void within(uint64_t address, int64_t bytes) const;
    Staging& staging(size_t turn);

    Context& context;
    int64_t cap = 0, inUse = 0;
    std::map<uint64_t, Allocation> allocations;
    std::array<std::unique_ptr<Staging>, 2> stages; ///< made with the first copy
};

} // namespace warplight::cuda
