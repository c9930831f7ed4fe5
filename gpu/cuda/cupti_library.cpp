// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cupti_library.h"

#include "gpu/cuda/shared_library.h"

#include <cstdlib>
#include <fmt/format.h>
#include <vector>

namespace warplight::cuda {
namespace {

std::vector<std::string> candidates() {
    std::vector<std::string> names;
    if (const char* own = std::getenv("WARPLIGHT_CUPTI"))
        return {own};
    std::vector<std::string> folders = {""}; // wherever the loader looks
    if (const char* home = std::getenv("CUDA_HOME"))
        for (const char* place : {"/lib64/", "/extras/CUPTI/lib64/"})
            folders.push_back(std::string(home) + place);
    folders.insert(folders.end(), {"/usr/local/cuda/lib64/", "/usr/local/cuda/extras/CUPTI/lib64/"});
    for (const std::string& folder : folders)
        for (const char* name : {"libcupti.so.13", "libcupti.so.12"})
            names.push_back(folder + name);
    return names;
}

} // namespace

CuptiLibrary::CuptiLibrary(const std::string& given) {
    const std::vector<std::string> names = given.empty() ? candidates() : std::vector<std::string>{given};
    const auto library = SharedLibrary::open(names);
    if (!library)
        throw CountersUnavailable(
            names.size() == 1
                ? fmt::format("the GPU's counters need NVIDIA's CUPTI: {} could not be opened", names[0])
                : "the GPU's counters need NVIDIA's CUPTI, which was not found (libcupti.so.13 or .12 in the loader's "
                  "path, $CUDA_HOME and /usr/local/cuda): install the CUDA toolkit 12.6 or later");
    file = library->path();
    const auto load = [&]<class F>(F& function, const char* name) {
        function = library->function<F>(name);
        if (!function)
            throw CountersUnavailable(fmt::format(
                "{} has no {}: the GPU's counters need the CUPTI of CUDA 12.6 or later", library->path(), name));
    };
    load(loaded.resultString, "cuptiGetResultString");
    load(loaded.initialize, "cuptiProfilerInitialize");
    load(loaded.chipName, "cuptiDeviceGetChipName");
    load(loaded.counterAvailability, "cuptiProfilerGetCounterAvailability");
    load(loaded.hostInitialize, "cuptiProfilerHostInitialize");
    load(loaded.hostDeinitialize, "cuptiProfilerHostDeinitialize");
    load(loaded.supportedChips, "cuptiProfilerHostGetSupportedChips");
    load(loaded.addMetrics, "cuptiProfilerHostConfigAddMetrics");
    load(loaded.configImageSize, "cuptiProfilerHostGetConfigImageSize");
    load(loaded.configImage, "cuptiProfilerHostGetConfigImage");
    load(loaded.passCount, "cuptiProfilerHostGetNumOfPasses");
    load(loaded.evaluate, "cuptiProfilerHostEvaluateToGpuValues");
    load(loaded.enable, "cuptiRangeProfilerEnable");
    load(loaded.disable, "cuptiRangeProfilerDisable");
    load(loaded.counterDataSize, "cuptiRangeProfilerGetCounterDataSize");
    load(loaded.counterDataInitialize, "cuptiRangeProfilerCounterDataImageInitialize");
    load(loaded.setConfig, "cuptiRangeProfilerSetConfig");
    load(loaded.start, "cuptiRangeProfilerStart");
    load(loaded.pushRange, "cuptiRangeProfilerPushRange");
    load(loaded.popRange, "cuptiRangeProfilerPopRange");
    load(loaded.stop, "cuptiRangeProfilerStop");
    load(loaded.decode, "cuptiRangeProfilerDecodeData");
    load(loaded.counterDataInfo, "cuptiRangeProfilerGetCounterDataInfo");
}

void CuptiLibrary::check(cupti::Result result, const char* what) const {
    switch (result) {
    case cupti::success:
        return;
    case cupti::insufficientPrivileges:
        throw CountersUnavailable(
            "the driver keeps the GPU's counters to administrators (CUPTI_ERROR_INSUFFICIENT_PRIVILEGES, what ncu "
            "calls "
            "ERR_NVGPUCTRPERM): the counted figures are shown instead; an administrator of the machine can open the "
            "counters with 'options nvidia NVreg_RestrictProfilingToAdminUsers=0' in a file of /etc/modprobe.d and a "
            "restart, or start the program with CAP_SYS_ADMIN, in a container too");
    case cupti::virtualisedInsufficientPrivileges:
        throw CountersUnavailable(
            "this virtual GPU may not read its counters (CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES): the "
            "counted figures are shown instead; only who runs the host can allow profiling in the vGPU's settings");
    case cupti::multipleSubscribers:
    case cupti::hardwareBusy:
        throw CountersUnavailable(
            "another profiler (ncu, nsys or DCGM) holds the GPU's counters, and only one can: the "
            "counted figures are shown instead; run it again without the other one");
    default:
        break;
    }
    const char* name = nullptr;
    if (loaded.resultString(result, &name) != cupti::success || !name)
        name = "an error it has no name for";
    throw CountersUnavailable(
        fmt::format("the GPU's counters could not be read: {} answered {} ({}); the counted figures are shown instead",
                    what, name, result));
}

} // namespace warplight::cuda
