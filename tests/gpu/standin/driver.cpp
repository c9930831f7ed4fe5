// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of libcuda that gpu/cuda looks up: device, context, stream, event.
#include "gpu/cuda/driver_types.h"
#include "tests/gpu/standin/state.h"

#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace standin;
using namespace warplight::cuda;

namespace {

constexpr struct {
    Result result;
    const char *name, *text;
} texts[] = {
    {Result::InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {Result::OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {Result::NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {Result::EccUncorrectable, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {Result::InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {Result::UnsupportedPtxVersion, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {Result::IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {Result::LaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {Result::MisalignedAddress, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {Result::Assert, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {Result::LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {Result::SystemNotReady, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {Result::Unknown, "CUDA_ERROR_UNKNOWN", "unknown error"}};

Gpu* gpuOf(DeviceNumber device) { return device >= 0 && device < state().devices ? &state().gpus[device] : nullptr; }

int attributeOf(DeviceAttribute a) {
    switch (a) {
    case DeviceAttribute::MaxThreadsPerBlock:
    case DeviceAttribute::MaxBlockDimX:
    case DeviceAttribute::MaxBlockDimY:
        return 1024;
    case DeviceAttribute::MaxBlockDimZ:
        return 64;
    case DeviceAttribute::MaxGridDimX:
        return INT32_MAX;
    case DeviceAttribute::MaxGridDimY:
    case DeviceAttribute::MaxGridDimZ:
        return 65535;
    case DeviceAttribute::MaxSharedMemoryPerBlock:
        return sharedBytes;
    case DeviceAttribute::ClockRate:
        return 1'410'000;
    case DeviceAttribute::MultiprocessorCount:
        return multiprocessors;
    case DeviceAttribute::MemoryClockRate:
        return 1'215'000;
    case DeviceAttribute::GlobalMemoryBusWidth:
        return 5120;
    case DeviceAttribute::L2CacheSize:
        return l2Bytes;
    case DeviceAttribute::ComputeCapabilityMajor:
        return computeMajor;
    case DeviceAttribute::ComputeCapabilityMinor:
        return computeMinor;
    case DeviceAttribute::MaxSharedMemoryPerBlockOptin:
        return sharedBytesOptIn;
    case DeviceAttribute::MemoryPoolsSupported:
        return state().pools;
    }
    return 0;
}

void copyText(char* to, int length, const char* text) {
    std::strncpy(to, text, static_cast<size_t>(length) - 1);
    to[length - 1] = 0;
}

} // namespace

extern "C" {

STANDIN_EXPORT Result cuInit(unsigned) {
    return call("cuInit", [] { return state().devices == 0 ? Result::NoDevice : Result::Success; });
}
STANDIN_EXPORT Result cuDriverGetVersion(int* version) {
    *version = state().driver;
    return Result::Success;
}
STANDIN_EXPORT Result cuGetErrorName(Result result, const char** name) {
    for (const auto& known : texts)
        if (known.result == result) {
            *name = known.name;
            return Result::Success;
        }
    *name = nullptr;
    return Result::InvalidValue;
}
STANDIN_EXPORT Result cuGetErrorString(Result result, const char** text) {
    for (const auto& known : texts)
        if (known.result == result) {
            *text = known.text;
            return Result::Success;
        }
    *text = nullptr;
    return Result::InvalidValue;
}
STANDIN_EXPORT Result cuDeviceGetCount(int* count) {
    return call("cuDeviceGetCount", [&] {
        *count = state().devices;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuDeviceGet(DeviceNumber* device, int ordinal) {
    return call("cuDeviceGet", [&] {
        *device = ordinal;
        return gpuOf(ordinal) ? Result::Success : Result::InvalidDevice;
    });
}
STANDIN_EXPORT Result cuDeviceGetName(char* text, int length, DeviceNumber) {
    return call("cuDeviceGetName", [&] {
        copyText(text, length, standin::name);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuDeviceTotalMem_v2(size_t* bytes, DeviceNumber) {
    return call("cuDeviceTotalMem_v2", [&] {
        *bytes = static_cast<size_t>(state().memory);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuDeviceGetAttribute(int* value, DeviceAttribute a, DeviceNumber) {
    return call("cuDeviceGetAttribute", [&] {
        *value = attributeOf(a);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuDeviceGetPCIBusId(char* id, int length, DeviceNumber) {
    return call("cuDeviceGetPCIBusId", [&] {
        copyText(id, length, busId);
        return Result::Success;
    });
}

STANDIN_EXPORT Result cuDevicePrimaryCtxRetain(ContextHandle* context, DeviceNumber device) {
    return call("cuDevicePrimaryCtxRetain", [&] {
        Gpu* gpu = gpuOf(device);
        if (!gpu)
            return Result::InvalidDevice;
        if (gpu->stuck != Result::Success)
            return gpu->stuck;
        state().counts.contexts += gpu->retained++ == 0;
        *context = reinterpret_cast<ContextHandle>(gpu);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuDevicePrimaryCtxRelease_v2(DeviceNumber device) {
    const std::lock_guard hold(state().lock);
    Gpu& gpu = state().gpus[device];
    if (gpu.retained == 0)
        return Result::InvalidContext;
    if (--gpu.retained == 0) { // whatever it answers: a lost context goes, too
        gpu.freeEverything();
        --state().counts.contexts;
    }
    return call("cuDevicePrimaryCtxRelease_v2", [] { return Result::Success; });
}
STANDIN_EXPORT Result cuCtxSetCurrent(ContextHandle context) {
    return call("cuCtxSetCurrent", [&] {
        current() = reinterpret_cast<Gpu*>(context);
        return Result::Success;
    });
}

STANDIN_EXPORT Result cuStreamCreate(StreamHandle* stream, unsigned) {
    return inContext("cuStreamCreate", [&](Gpu& gpu) {
        *stream = static_cast<StreamHandle>(std::malloc(1));
        gpu.streams.insert(*stream);
        ++state().counts.streams;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuStreamDestroy_v2(StreamHandle stream) {
    return inContext("cuStreamDestroy_v2", [&](Gpu& gpu) {
        if (gpu.streams.erase(stream) == 0)
            return Result::InvalidHandle;
        std::free(stream);
        --state().counts.streams;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuStreamSynchronize(StreamHandle) {
    return waitInContext("cuStreamSynchronize", [](Gpu& gpu) { return gpu.run(); });
}
STANDIN_EXPORT Result cuStreamQuery(StreamHandle) { // whoever asks waits a little
    return inContext("cuStreamQuery", [](Gpu& gpu) { return gpu.run(); });
}

STANDIN_EXPORT Result cuEventCreate(EventHandle* event, unsigned) {
    return inContext("cuEventCreate", [&](Gpu& gpu) {
        auto* made = new standin::Event;
        gpu.events.insert(made);
        ++state().counts.events;
        *event = reinterpret_cast<EventHandle>(made);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuEventDestroy_v2(EventHandle handle) {
    return waitInContext("cuEventDestroy_v2", [&](Gpu& gpu) {
        auto* event = reinterpret_cast<standin::Event*>(handle);
        if (gpu.run() == Result::NotReady) // records of it may wait
            return Result::NotReady;
        if (gpu.events.erase(event) == 0)
            return Result::InvalidHandle;
        delete event;
        --state().counts.events;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuEventRecord(EventHandle handle, StreamHandle stream) {
    return inContext("cuEventRecord", [&](Gpu& gpu) {
        auto* event = reinterpret_cast<standin::Event*>(handle);
        if (!gpu.events.count(event) || !gpu.streams.count(stream))
            return Result::InvalidHandle;
        ++event->records;
        gpu.queue.push_back([&gpu, event] {
            ++event->done;
            event->time = gpu.clock;
            state().note("event");
            return Result::Success;
        });
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuEventSynchronize(EventHandle handle) {
    return waitInContext("cuEventSynchronize", [&](Gpu& gpu) {
        auto* event = reinterpret_cast<standin::Event*>(handle);
        return gpu.run([event] { return event->done == event->records; });
    });
}
STANDIN_EXPORT Result cuEventElapsedTime(float* milliseconds, EventHandle begin, EventHandle end) {
    return inContext("cuEventElapsedTime", [&](Gpu&) {
        auto *from = reinterpret_cast<standin::Event*>(begin), *to = reinterpret_cast<standin::Event*>(end);
        if (from->done < from->records || to->done < to->records)
            return Result::NotReady;
        *milliseconds = static_cast<float>((to->time - from->time) * 1e3);
        return Result::Success;
    });
}
}
