// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

/// What is used of CUPTI, declared here so that a machine without the CUDA toolkit can build. Names and order of the
/// fields are those of cupti_target.h, cupti_profiler_target.h, cupti_profiler_host.h and cupti_range_profiler.h of
/// CUDA 13.0 (the range profiler came with CUDA 12.6). Where the headers are found, cupti_layout_test compares every
/// offset. CUPTI recognises a struct's version by its size up to its last field, which may be less than sizeof.
namespace warplight::cuda::cupti {

using Result = int;
enum : Result { // what there is a sentence for; all others are named by cuptiGetResultString
    success = 0,
    invalidParameter = 1,
    invalidMetricName = 17,
    hardwareBusy = 26,
    notSupported = 27,
    insufficientPrivileges = 35,
    multipleSubscribers = 39,
    virtualisedInsufficientPrivileges = 40
};
enum : int { rangeProfiler = 0 };            ///< CUpti_ProfilerType
enum : int { autoRange = 1, userRange };     ///< CUpti_ProfilerRange
enum : int { kernelReplay = 2, userReplay }; ///< CUpti_ProfilerReplayMode

struct HostObject;
struct RangeProfilerObject;

struct Initialize {
    size_t structSize = offsetof(Initialize, priv) + sizeof(priv);
    void* priv = nullptr;
};
struct ChipName {
    size_t structSize = offsetof(ChipName, chipName) + sizeof(chipName);
    void* priv = nullptr;
    size_t deviceIndex = 0;
    const char* chipName = nullptr; ///< out
};

/// Which counters the GPU of a context lets this process read.
struct CounterAvailability {
    size_t structSize = offsetof(CounterAvailability, image) + sizeof(image);
    void* priv = nullptr;
    void* context = nullptr;  ///< CUcontext
    size_t bytes = 0;         ///< in and out
    uint8_t* image = nullptr; ///< null: only the size is asked for
};

// ---- host: no GPU needed

struct HostInitialize {
    size_t structSize = offsetof(HostInitialize, host) + sizeof(host);
    void* priv = nullptr;
    int profilerType = rangeProfiler;
    const char* chipName = nullptr;
    const uint8_t* counterAvailability = nullptr;
    HostObject* host = nullptr; ///< out
};
struct HostDeinitialize {
    size_t structSize = offsetof(HostDeinitialize, host) + sizeof(host);
    void* priv = nullptr;
    HostObject* host = nullptr;
};
struct SupportedChips {
    size_t structSize = offsetof(SupportedChips, chipNames) + sizeof(chipNames);
    void* priv = nullptr;
    size_t chips = 0;                       ///< out
    const char* const* chipNames = nullptr; ///< out
};
struct AddMetrics {
    size_t structSize = offsetof(AddMetrics, metrics) + sizeof(metrics);
    void* priv = nullptr;
    HostObject* host = nullptr;
    const char** metricNames = nullptr;
    size_t metrics = 0;
};
struct ConfigImageSize {
    size_t structSize = offsetof(ConfigImageSize, bytes) + sizeof(bytes);
    void* priv = nullptr;
    HostObject* host = nullptr;
    size_t bytes = 0; ///< out
};
struct ConfigImage {
    size_t structSize = offsetof(ConfigImage, image) + sizeof(image);
    void* priv = nullptr;
    HostObject* host = nullptr;
    size_t bytes = 0;
    uint8_t* image = nullptr; ///< is filled in
};
struct PassCount {
    size_t structSize = offsetof(PassCount, passes) + sizeof(passes);
    void* priv = nullptr;
    size_t bytes = 0;
    uint8_t* image = nullptr;
    size_t passes = 0; ///< out
};
struct Evaluate {
    size_t structSize = offsetof(Evaluate, values) + sizeof(values);
    void* priv = nullptr;
    HostObject* host = nullptr;
    const uint8_t* counterData = nullptr;
    size_t bytes = 0;
    size_t rangeIndex = 0;
    const char** metricNames = nullptr;
    size_t metrics = 0;
    double* values = nullptr; ///< are filled in
};

// ---- target: on the GPU of a CUDA context

struct RangeEnable {
    size_t structSize = offsetof(RangeEnable, profiler) + sizeof(profiler);
    void* priv = nullptr;
    void* context = nullptr;                 ///< CUcontext
    RangeProfilerObject* profiler = nullptr; ///< out
};
/// Of cuptiRangeProfilerDisable, …Start and …PopRange, whose structs are alike.
struct RangeOnly {
    size_t structSize = offsetof(RangeOnly, profiler) + sizeof(profiler);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
};
struct RangeCounterDataSize {
    size_t structSize = offsetof(RangeCounterDataSize, bytes) + sizeof(bytes);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
    const char** metricNames = nullptr;
    size_t metrics = 0;
    size_t maxRanges = 1;
    uint32_t maxRangeTreeNodes = 1;
    size_t bytes = 0; ///< out
};
struct RangeCounterDataInitialize {
    size_t structSize = offsetof(RangeCounterDataInitialize, counterData) + sizeof(counterData);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
    size_t bytes = 0;
    uint8_t* counterData = nullptr; ///< is filled in
};
struct RangeConfig {
    size_t structSize = offsetof(RangeConfig, targetNestingLevel) + sizeof(targetNestingLevel);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
    size_t configBytes = 0;
    const uint8_t* configImage = nullptr;
    size_t counterDataBytes = 0;
    uint8_t* counterData = nullptr; ///< has to live until the data are decoded
    int range = userRange;
    int replayMode = userReplay;
    size_t maxRangesPerPass = 1;
    uint16_t nestingLevels = 1;
    uint16_t minNestingLevel = 1;
    size_t passIndex = 0;
    uint16_t targetNestingLevel = 1;
};
struct RangePush {
    size_t structSize = offsetof(RangePush, name) + sizeof(name);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
    const char* name = nullptr;
};
struct RangeStop {
    size_t structSize = offsetof(RangeStop, allPassesSubmitted) + sizeof(allPassesSubmitted);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
    size_t passIndex = 0;           ///< out
    size_t targetNestingLevel = 0;  ///< out
    uint8_t allPassesSubmitted = 0; ///< out
};
struct RangeDecode {
    size_t structSize = offsetof(RangeDecode, rangesDropped) + sizeof(rangesDropped);
    void* priv = nullptr;
    RangeProfilerObject* profiler = nullptr;
    size_t rangesDropped = 0; ///< out
};
struct CounterDataInfo {
    size_t structSize = offsetof(CounterDataInfo, ranges) + sizeof(ranges);
    void* priv = nullptr;
    const uint8_t* counterData = nullptr;
    size_t bytes = 0;
    size_t ranges = 0; ///< out
};

template <class Parameters>
using Function = Result (*)(Parameters*);

/// CUPTI's functions, each with its struct.
struct Functions {
    Result (*resultString)(Result, const char**) = nullptr;
    Function<Initialize> initialize = nullptr;
    Function<ChipName> chipName = nullptr;
    Function<CounterAvailability> counterAvailability = nullptr;
    Function<HostInitialize> hostInitialize = nullptr;
    Function<HostDeinitialize> hostDeinitialize = nullptr;
    Function<SupportedChips> supportedChips = nullptr;
    Function<AddMetrics> addMetrics = nullptr;
    Function<ConfigImageSize> configImageSize = nullptr;
    Function<ConfigImage> configImage = nullptr;
    Function<PassCount> passCount = nullptr;
    Function<Evaluate> evaluate = nullptr;
    Function<RangeEnable> enable = nullptr;
    Function<RangeOnly> disable = nullptr;
    Function<RangeCounterDataSize> counterDataSize = nullptr;
    Function<RangeCounterDataInitialize> counterDataInitialize = nullptr;
    Function<RangeConfig> setConfig = nullptr;
    Function<RangeOnly> start = nullptr;
    Function<RangePush> pushRange = nullptr;
    Function<RangeOnly> popRange = nullptr;
    Function<RangeStop> stop = nullptr;
    Function<RangeDecode> decode = nullptr;
    Function<CounterDataInfo> counterDataInfo = nullptr;
};

} // namespace warplight::cuda::cupti
