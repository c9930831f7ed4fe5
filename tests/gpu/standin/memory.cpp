// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of libcuda that gpu/cuda looks up: memory and copies.
#include "gpu/cuda/driver_types.h"
#include "tests/gpu/standin/state.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

using namespace standin;
using namespace warplight::cuda;

namespace standin {

Result allocate(Gpu& gpu, DevicePointer* address, size_t bytes) {
    if (bytes == 0)
        return Result::InvalidValue;
    if (static_cast<int64_t>(bytes) > state().memory - gpu.inUse)
        return Result::OutOfMemory;
    *address = gpu.virtualGpu().allocate(static_cast<int64_t>(bytes), "");
    gpu.allocations[*address] = static_cast<int64_t>(bytes);
    gpu.inUse += static_cast<int64_t>(bytes);
    ++state().counts.deviceAllocations;
    return Result::Success;
}

Result release(Gpu& gpu, DevicePointer address) {
    const auto found = gpu.allocations.find(address);
    if (found == gpu.allocations.end())
        return Result::InvalidValue;
    gpu.inUse -= found->second;
    gpu.allocations.erase(found);
    gpu.virtualGpu().release(address);
    --state().counts.deviceAllocations;
    return Result::Success;
}

} // namespace standin

namespace {

constexpr double memsetBytesPerSecond = 1e12;

} // namespace

extern "C" {

STANDIN_EXPORT Result cuMemGetInfo_v2(size_t* free, size_t* total) {
    return inContext("cuMemGetInfo_v2", [&](Gpu& gpu) {
        *total = static_cast<size_t>(state().memory);
        *free = static_cast<size_t>(state().memory - gpu.inUse);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuMemAlloc_v2(DevicePointer* address, size_t bytes) {
    return inContext("cuMemAlloc_v2", [&](Gpu& gpu) { return allocate(gpu, address, bytes); });
}
STANDIN_EXPORT Result cuMemFree_v2(DevicePointer address) {
    return waitInContext("cuMemFree_v2", [&](Gpu& gpu) {
        const Result result = gpu.run(); // waits for the whole GPU, as the driver does
        return result != Result::Success ? result : release(gpu, address);
    });
}
STANDIN_EXPORT Result cuMemAllocHost_v2(void** memory, size_t bytes) {
    return inContext("cuMemAllocHost_v2", [&](Gpu& gpu) {
        *memory = std::malloc(bytes);
        gpu.hostAllocations.insert(*memory);
        ++state().counts.hostAllocations;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuMemFreeHost(void* memory) {
    return waitInContext("cuMemFreeHost", [&](Gpu& gpu) {
        if (gpu.run() == Result::NotReady)
            return Result::NotReady;
        if (gpu.hostAllocations.erase(memory) == 0)
            return Result::InvalidValue;
        std::free(memory);
        --state().counts.hostAllocations;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, StreamHandle) {
    return inContext("cuMemcpyHtoDAsync_v2", [&](Gpu& gpu) {
        gpu.queue.push_back([&gpu, to, from, bytes] {
            gpu.virtualGpu().upload(to, from, static_cast<int64_t>(bytes));
            state().note("to device " + std::to_string(bytes));
            return Result::Success;
        });
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, StreamHandle) {
    return inContext("cuMemcpyDtoHAsync_v2", [&](Gpu& gpu) {
        gpu.queue.push_back([&gpu, to, from, bytes] {
            gpu.virtualGpu().download(to, from, static_cast<int64_t>(bytes));
            state().note("to host " + std::to_string(bytes));
            return Result::Success;
        });
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, StreamHandle) {
    return inContext("cuMemcpyDtoDAsync_v2", [&](Gpu& gpu) {
        gpu.queue.push_back([&gpu, to, from, bytes] {
            std::vector<unsigned char> copy(bytes);
            gpu.virtualGpu().download(copy.data(), from, static_cast<int64_t>(bytes));
            gpu.virtualGpu().upload(to, copy.data(), static_cast<int64_t>(bytes));
            state().note("in device " + std::to_string(bytes));
            return Result::Success;
        });
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuMemsetD8Async(DevicePointer address, unsigned char value, size_t bytes, StreamHandle) {
    return inContext("cuMemsetD8Async", [&](Gpu& gpu) {
        gpu.queue.push_back([&gpu, address, value, bytes] {
            const std::vector<unsigned char> bytesOf(bytes, value);
            gpu.virtualGpu().upload(address, bytesOf.data(), static_cast<int64_t>(bytes));
            gpu.clock += static_cast<double>(bytes) / memsetBytesPerSecond;
            ++state().counts.memsets;
            state().counts.memsetBytes += bytes;
            state().note("memset " + std::to_string(bytes));
            return Result::Success;
        });
        return Result::Success;
    });
}
}
