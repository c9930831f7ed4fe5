// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/driver.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace warplight::cuda {
namespace {

/// PTX 7.1. The kernels of resources/ptx need 7.0 (ptxas takes them as that).
constexpr int oldestVersion = 11010;

std::vector<std::string> namesToTry(const std::string& path) {
    if (!path.empty())
        return {path};
    if (const char* wanted = std::getenv("WARPLIGHT_LIBCUDA"); wanted && *wanted)
        return {wanted};
    return {"libcuda.so.1"};
}

} // namespace

std::string versionText(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

bool isSticky(Result result) {
    constexpr Result sticky[] = {Result::Deinitialized,
                                 Result::EccUncorrectable,
                                 Result::NvlinkUncorrectable,
                                 Result::Contained,
                                 Result::IllegalAddress,
                                 Result::LaunchTimeout,
                                 Result::ContextIsDestroyed,
                                 Result::Assert,
                                 Result::HardwareStackError,
                                 Result::IllegalInstruction,
                                 Result::MisalignedAddress,
                                 Result::InvalidAddressSpace,
                                 Result::InvalidPc,
                                 Result::LaunchFailed,
                                 Result::TensorMemoryLeak,
                                 Result::ExternalDevice,
                                 Result::Unknown};
    return std::find(std::begin(sticky), std::end(sticky), result) != std::end(sticky);
}

std::string Driver::text(Result result) const {
    const char *name = nullptr, *sentence = nullptr;
    if (getErrorName(result, &name) != Result::Success || !name)
        return fmt::format("CUDA error {}", static_cast<int>(result));
    getErrorString(result, &sentence);
    return sentence ? fmt::format("{} ({})", name, sentence) : name;
}

Driver::Opened Driver::open(const std::string& path) {
    const std::vector<std::string> names = namesToTry(path);
    std::optional<SharedLibrary> library = SharedLibrary::open(names);
    if (!library)
        return {nullptr, fmt::format("There is no NVIDIA driver: {} was not found.", names.front())};
    const std::shared_ptr<Driver> driver(new Driver(*library));
    if (const std::string missing = driver->resolve(); !missing.empty())
        return {nullptr, fmt::format("{} has no {}: the NVIDIA driver is too old, or it is none.",
                                     driver->library.path(), missing)};
    if (driver->driverGetVersion(&driver->number) != Result::Success || driver->number < oldestVersion)
        return {nullptr, fmt::format("The NVIDIA driver is for CUDA {}; {} or later is needed.",
                                     versionText(driver->number), versionText(oldestVersion))};
    if (const Result result = driver->init(0); result == Result::NoDevice)
        return {nullptr, "The NVIDIA driver finds no GPU."};
    else if (result != Result::Success)
        return {nullptr, fmt::format("The NVIDIA driver does not start: {}.", driver->text(result))};
    return {driver, ""};
}

std::string Driver::resolve() {
    std::string missing;
    const auto find = [&]<class F>(F& function, const char* name) {
        function = library.function<F>(name);
        if (!function && missing.empty())
            missing = name;
    };
    find(init, "cuInit");
    find(driverGetVersion, "cuDriverGetVersion");
    find(getErrorName, "cuGetErrorName");
    find(getErrorString, "cuGetErrorString");
    find(deviceGetCount, "cuDeviceGetCount");
    find(deviceGet, "cuDeviceGet");
    find(deviceGetName, "cuDeviceGetName");
    find(deviceTotalMem, "cuDeviceTotalMem_v2");
    find(deviceGetAttribute, "cuDeviceGetAttribute");
    find(deviceGetPciBusId, "cuDeviceGetPCIBusId");
    find(primaryContextRetain, "cuDevicePrimaryCtxRetain");
    find(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2");
    find(contextSetCurrent, "cuCtxSetCurrent");
    find(streamCreate, "cuStreamCreate");
    find(streamDestroy, "cuStreamDestroy_v2");
    find(streamSynchronize, "cuStreamSynchronize");
    find(streamQuery, "cuStreamQuery");
    find(eventCreate, "cuEventCreate");
    find(eventDestroy, "cuEventDestroy_v2");
    find(eventRecord, "cuEventRecord");
    find(eventSynchronize, "cuEventSynchronize");
    find(eventElapsedTime, "cuEventElapsedTime");
    find(memGetInfo, "cuMemGetInfo_v2");
    find(memAlloc, "cuMemAlloc_v2");
    find(memFree, "cuMemFree_v2");
    find(memAllocHost, "cuMemAllocHost_v2");
    find(memFreeHost, "cuMemFreeHost");
    find(memcpyHostToDevice, "cuMemcpyHtoDAsync_v2");
    find(memcpyDeviceToHost, "cuMemcpyDtoHAsync_v2");
    find(memcpyDeviceToDevice, "cuMemcpyDtoDAsync_v2");
    find(memsetBytes, "cuMemsetD8Async");
    find(moduleLoadData, "cuModuleLoadDataEx");
    find(moduleUnload, "cuModuleUnload");
    find(moduleGetFunction, "cuModuleGetFunction");
    find(functionGetAttribute, "cuFuncGetAttribute");
    find(functionSetAttribute, "cuFuncSetAttribute");
    find(launchKernel, "cuLaunchKernel");
    memAllocAsync = library.function<decltype(memAllocAsync)>("cuMemAllocAsync");
    memFreeAsync = library.function<decltype(memFreeAsync)>("cuMemFreeAsync");
    functionGetParameter = library.function<decltype(functionGetParameter)>("cuFuncGetParamInfo");
    return missing;
}

} // namespace warplight::cuda
