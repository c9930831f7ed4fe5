// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/device_memory.h"

#include "gpu/error.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

namespace warplight::cuda {
namespace {

/// Of one pinned buffer: long enough that the bus is busy, short enough that the second buffer is ready soon.
constexpr int64_t stagingBytes = int64_t(4) << 20;

} // namespace

/// A pinned buffer on the host, and when the copy that uses it is over.
class DeviceMemory::Staging {
  public:
    explicit Staging(Context& c) : context(c), copied(c) {
        context.check(context.driver().memAllocHost(&memory, stagingBytes), "pinned memory for copies");
    }
    ~Staging() { context.driver().memFreeHost(memory); }
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    void* data() { return memory; }
    void started() {
        copied.record();
        busy = true;
    }
    /// Waits for the copy that was started last.
    void finish(std::string_view doing) {
        if (std::exchange(busy, false))
            copied.wait(doing);
    }

  private:
    Context& context;
    Event copied;
    void* memory = nullptr;
    bool busy = false;
};

DeviceMemory::DeviceMemory(Context& c, double share) : context(c) {
    if (!(share > 0 && share <= 1))
        throw InputError(fmt::format("{}: the share of memory is {}, expected above 0 and at most 1", c.name(), share));
    cap = static_cast<int64_t>(static_cast<double>(info().free) * share);
}

DeviceMemory::~DeviceMemory() {
    context.driver().contextSetCurrent(context.handle());
    while (!allocations.empty())
        release(allocations.begin()->first);
    context.driver().streamSynchronize(context.stream()); // a copy may still read the pinned memory
}

MemoryInfo DeviceMemory::info() {
    context.enter();
    size_t free = 0, total = 0;
    context.check(context.driver().memGetInfo(&free, &total), "asking for free memory");
    return {static_cast<int64_t>(free), static_cast<int64_t>(total), cap, inUse};
}

uint64_t DeviceMemory::allocate(int64_t bytes, const std::string& name) {
    context.enter();
    const auto fail = [&] {
        const MemoryInfo now = info();
        throw InputError(fmt::format("'{}' needs {} bytes of GPU memory; of {} on {} {} are free, and {} of at most {} "
                                     "are in use here",
                                     name, bytes, now.total, context.name(), now.free, inUse, cap));
    };
    if (bytes < 0 || bytes > cap - inUse)
        fail();
    const bool pooled = context.limits().memoryPools;
    const auto size = static_cast<size_t>(std::max<int64_t>(bytes, 1)); // CUDA allocates no 0 bytes
    DevicePointer address = 0;
    const Driver& driver = context.driver();
    const Result result =
        pooled ? driver.memAllocAsync(&address, size, context.stream()) : driver.memAlloc(&address, size);
    if (result == Result::OutOfMemory)
        fail();
    context.check(result, fmt::format("allocating {} bytes for '{}'", bytes, name));
    allocations[address] = {bytes, name, pooled};
    inUse += bytes;
    return address;
}

void DeviceMemory::release(uint64_t address) {
    const auto found = allocations.find(address);
    if (found == allocations.end())
        throw InputError(fmt::format("address {:#x} is not the start of an allocation", address));
    const Allocation allocation = std::move(found->second);
    allocations.erase(found);
    inUse -= allocation.bytes;
    if (context.lost()) // its memory is gone with it
        return;
    const Driver& driver = context.driver();
    context.note(driver.contextSetCurrent(context.handle()), "the GPU's context");
    const std::string doing = fmt::format("releasing '{}'", allocation.name);
    if (allocation.pooled) {
        context.note(driver.memFreeAsync(address, context.stream()), doing);
        return;
    }
    context.note(driver.streamSynchronize(context.stream()), doing); // something in it may use the memory
    context.note(driver.memFree(address), doing);
}

std::vector<std::string> DeviceMemory::held() const {
    std::vector<std::string> names;
    for (const auto& [address, allocation] : allocations)
        names.push_back(allocation.name);
    return names;
}

void DeviceMemory::within(uint64_t address, int64_t bytes) const {
    auto next = allocations.upper_bound(address);
    if (bytes >= 0 && next != allocations.begin()) {
        const auto& [begin, allocation] = *std::prev(next);
        if (const auto offset = static_cast<int64_t>(address - begin);
            offset <= allocation.bytes && bytes <= allocation.bytes - offset)
            return;
    }
    throw InputError(fmt::format("a copy of {} bytes at {:#x} is not inside a buffer", bytes, address));
}

DeviceMemory::Staging& DeviceMemory::staging(size_t turn) {
    std::unique_ptr<Staging>& stage = stages[turn % stages.size()];
    if (!stage)
        stage = std::make_unique<Staging>(context);
    return *stage;
}

void DeviceMemory::upload(uint64_t to, const void* from, int64_t bytes) {
    context.enter();
    within(to, bytes);
    size_t turn = 0;
    for (int64_t at = 0; at < bytes; at += stagingBytes) {
        Staging& stage = staging(turn++);
        stage.finish("copying to the GPU");
        const auto size = static_cast<size_t>(std::min(stagingBytes, bytes - at));
        std::memcpy(stage.data(), static_cast<const std::byte*>(from) + at, size);
        context.check(
            context.driver().memcpyHostToDevice(to + static_cast<uint64_t>(at), stage.data(), size, context.stream()),
            "copying to the GPU");
        stage.started();
    }
}

void DeviceMemory::download(void* to, uint64_t from, int64_t bytes) {
    context.enter();
    within(from, bytes);
    const int64_t parts = (bytes + stagingBytes - 1) / stagingBytes;
    const auto partBytes = [&](int64_t part) {
        return static_cast<size_t>(std::min(stagingBytes, bytes - part * stagingBytes));
    };
    // One part is on its way while the one before is copied out.
    for (int64_t part = 0; part <= parts; ++part) {
        if (part < parts) {
            Staging& stage = staging(static_cast<size_t>(part));
            stage.finish("copying from the GPU"); // of an upload
            context.check(context.driver().memcpyDeviceToHost(stage.data(),
                                                              from + static_cast<uint64_t>(part * stagingBytes),
                                                              partBytes(part), context.stream()),
                          "copying from the GPU");
            stage.started();
        }
        if (part > 0) {
            Staging& stage = staging(static_cast<size_t>(part - 1));
            stage.finish("copying from the GPU");
            std::memcpy(static_cast<std::byte*>(to) + (part - 1) * stagingBytes, stage.data(), partBytes(part - 1));
        }
    }
}

} // namespace warplight::cuda
