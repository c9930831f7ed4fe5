// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/device_list.h"

#include "gpu/cuda/driver.h"

#include <exception>
#include <fmt/format.h>

namespace warplight::cuda {
namespace {

constexpr int nameLength = 256, busIdLength = 32;

GpuInfo describe(const Driver& driver, int ordinal) {
    DeviceNumber device = 0;
    const auto check = [&](Result result) {
        if (result != Result::Success)
            throw CudaError(result, driver.text(result));
    };
    check(driver.deviceGet(&device, ordinal));
    char name[nameLength] = {}, bus[busIdLength] = {};
    check(driver.deviceGetName(name, nameLength, device));
    size_t bytes = 0;
    check(driver.deviceTotalMem(&bytes, device));
    const auto attribute = [&](DeviceAttribute a) {
        int value = 0;
        driver.deviceGetAttribute(&value, a, device);
        return value;
    };
    GpuInfo info;
    info.id = fmt::format("cuda:{}", ordinal);
    info.name = name;
    info.major = attribute(DeviceAttribute::ComputeCapabilityMajor);
    info.minor = attribute(DeviceAttribute::ComputeCapabilityMinor);
    info.multiprocessors = attribute(DeviceAttribute::MultiprocessorCount);
    info.memoryBytes = static_cast<int64_t>(bytes);
    info.l2Bytes = attribute(DeviceAttribute::L2CacheSize);
    info.sharedBytes = attribute(DeviceAttribute::MaxSharedMemoryPerBlockOptin);
    info.clockHz = 1e3 * attribute(DeviceAttribute::ClockRate);
    info.memoryClockHz = 1e3 * attribute(DeviceAttribute::MemoryClockRate);
    info.memoryBusBits = attribute(DeviceAttribute::GlobalMemoryBusWidth);
    info.driverVersion = driver.version();
    if (driver.deviceGetPciBusId(bus, busIdLength, device) == Result::Success)
        info.pciBusId = bus;
    return info;
}

} // namespace

std::string GpuInfo::detail() const {
    return fmt::format("compute capability {}.{}, {} multiprocessors, {:.0f} GB, CUDA {}", major, minor,
                       multiprocessors, static_cast<double>(memoryBytes) * 1e-9, versionText(driverVersion));
}

DeviceList deviceList(const std::string& library) noexcept {
    DeviceList list;
    try {
        const Driver::Opened opened = Driver::open(library);
        if (!opened.driver)
            return {{}, opened.whyNot};
        int count = 0;
        if (const Result result = opened.driver->deviceGetCount(&count); result != Result::Success)
            return {{}, fmt::format("The NVIDIA driver lists no GPU: {}.", opened.driver->text(result))};
        for (int i = 0; i < count; ++i)
            list.gpus.push_back(describe(*opened.driver, i));
        if (list.gpus.empty())
            list.whyNone = "The NVIDIA driver finds no GPU.";
    } catch (const std::exception& error) {
        if (list.gpus.empty())
            list.whyNone = fmt::format("The NVIDIA driver does not describe its GPU: {}.", error.what());
    }
    return list;
}

} // namespace warplight::cuda
