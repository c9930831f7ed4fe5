// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/nvml.h"

#include <cstdlib>
#include <optional>
#include <utility>

namespace warplight::cuda {
namespace {

// NVML API reference 13.0: nvmlReturn_t, nvmlClockType_t.
constexpr int success = 0, smClock = 1;

std::string libraryName() {
    const char* wanted = std::getenv("WARPLIGHT_LIBNVML");
    return wanted && *wanted ? wanted : "libnvidia-ml.so.1";
}

} // namespace

struct Nvml::Functions {
    int (*init)() = nullptr;
    int (*shutdown)() = nullptr;
    int (*handleByPciBusId)(const char*, NvmlDevice**) = nullptr;
    int (*clock)(NvmlDevice*, int type, unsigned* megahertz) = nullptr;
    int (*reasons)(NvmlDevice*, unsigned long long*) = nullptr; ///< may be missing
};

std::unique_ptr<Nvml> Nvml::open(const std::string& pciBusId) {
    const std::string name = libraryName();
    const std::optional<SharedLibrary> library = SharedLibrary::open({&name, 1});
    if (!library)
        return nullptr;
    auto f = std::make_unique<Functions>();
    f->init = library->function<decltype(f->init)>("nvmlInit_v2");
    f->shutdown = library->function<decltype(f->shutdown)>("nvmlShutdown");
    f->handleByPciBusId = library->function<decltype(f->handleByPciBusId)>("nvmlDeviceGetHandleByPciBusId_v2");
    f->clock = library->function<decltype(f->clock)>("nvmlDeviceGetClockInfo");
    // Renamed with driver 535; the old name stays.
    f->reasons = library->function<decltype(f->reasons)>("nvmlDeviceGetCurrentClocksEventReasons");
    if (!f->reasons)
        f->reasons = library->function<decltype(f->reasons)>("nvmlDeviceGetCurrentClocksThrottleReasons");
    if (!f->init || !f->shutdown || !f->handleByPciBusId || !f->clock || f->init() != success)
        return nullptr;
    std::unique_ptr<Nvml> nvml(new Nvml);
    nvml->functions = std::move(f);
    if (nvml->functions->handleByPciBusId(pciBusId.c_str(), &nvml->device) != success)
        return nullptr;
    return nvml;
}

Nvml::~Nvml() {
    if (functions)
        functions->shutdown();
}

Nvml::Reading Nvml::read() const {
    Reading reading;
    if (functions->clock(device, smClock, &reading.smClockMHz) != success)
        reading.smClockMHz = 0;
    unsigned long long reasons = 0;
    if (functions->reasons && functions->reasons(device, &reasons) == success)
        reading.throttled = reasons;
    return reading;
}

std::string throttleText(uint64_t reasons) {
    struct Reason {
        uint64_t bit;
        const char* text;
    };
    // nvmlClocksEventReason…; 0x1 (idle) and 0x10 (boosts in step with another GPU) are no throttling.
    constexpr Reason known[] = {
        {0x2, "clocks set by a user"}, {0x4, "power cap"},    {0x8, "hardware slowdown"}, {0x20, "heat"},
        {0x40, "heat, by hardware"},   {0x80, "power brake"}, {0x100, "display clock"}};
    std::string text;
    for (const Reason& reason : known)
        if (reasons & reason.bit)
            text += (text.empty() ? "" : ", ") + std::string(reason.text);
    return text;
}

} // namespace warplight::cuda
