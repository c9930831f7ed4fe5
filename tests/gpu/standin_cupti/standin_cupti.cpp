// SPDX-License-Identifier: GPL-3.0-or-later
// A stand-in for libcupti where there is no GPU: it takes the calls that CUPTI's range profiler takes, refuses those
// out of order or with a struct of another size, and counts what standinTraffic says. Sizes are numbers, those of
// CUDA 13.0's headers: they are not to come from the declarations that are tested with them.
#include "standin_cupti.h"

#include "gpu/cuda/cupti_api.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

using namespace warplight::cuda::cupti;

namespace warplight::cuda::cupti {
struct HostObject {
    std::string chip;
    std::vector<std::string> metrics;
};
struct RangeProfilerObject {
    void* context;
};
} // namespace warplight::cuda::cupti

namespace {

constexpr Result invalidOperation = 7, unknownChip = 46;
constexpr char configMark[] = "configuration", counterMark[] = "counters";
constexpr char availabilityMark[] = "availability";
constexpr size_t configBytes = 64, counterBytes = 256, availabilityBytes = 32;
/// The counters of a range as they lie in the image, behind the mark.
using Counts = std::array<double, 6>;

struct State {
    std::string chip = "GA100";
    size_t passes = 1, pass = 0;
    std::map<std::string, Result> failures;
    std::string calls;
    int held = 0;
    bool initialised = false, enabled = false, configured = false, started = false, pushed = false, decoded = false;
    bool complete = false;
    bool availabilityRead = false; ///< then host objects have to be given it
    size_t ranges = 0;
    uint8_t* counterData = nullptr;
    Counts counts{};
} state;

const char* const names[] = {"dram read",
                             "dram written",
                             "lts__t_sectors_srcunit_tex_op_read.sum",
                             "lts__t_sectors_srcunit_tex_op_write.sum",
                             "l1tex__t_bytes.sum",
                             "gpu__time_duration.sum"};

/// Place of a metric among the counts; -1: the chip does not have it.
int place(const std::string& chip, const std::string& metric) {
    const bool consumer = chip.starts_with("GB20"), integrated = chip.ends_with("B");
    if (metric == (consumer ? "dram__bytes_op_read.sum" : "dram__bytes_read.sum"))
        return integrated ? -1 : 0;
    if (metric == (consumer ? "dram__bytes_op_write.sum" : "dram__bytes_write.sum"))
        return integrated ? -1 : 1;
    for (int i = 2; i < 6; ++i)
        if (metric == names[i])
            return i;
    return -1;
}

/// Notes the call; what it shall answer if not its own.
template <class P>
Result enter(const char* function, const P* p, size_t size, bool inOrder) {
    state.calls += state.calls.empty() ? "" : " ";
    state.calls += function;
    if (const auto found = state.failures.find(function); found != state.failures.end()) {
        const Result result = found->second;
        state.failures.erase(found);
        return result;
    }
    if (!p || p->structSize != size || p->priv) {
        state.calls += "!size";
        return invalidParameter;
    }
    if (!inOrder) {
        state.calls += "!order";
        return invalidOperation;
    }
    return success;
}
bool marked(const uint8_t* image, const char* mark) {
    return image && std::memcmp(image, mark, std::strlen(mark)) == 0;
}

} // namespace

#define ENTER(function, size, inOrder)                                                                                 \
    if (const Result result = enter(function, p, size, inOrder); result != success)                                    \
    return result

extern "C" {

void standinReset(const char* chip, int passes) {
    state = State();
    state.chip = chip;
    state.passes = static_cast<size_t>(passes);
}
void standinFail(const char* function, int result) { state.failures[function] = result; }
const char* standinCalls() { return state.calls.c_str(); }
int standinHeld() { return state.held; }
void standinTraffic(double dramRead, double dramWritten, double l2Read, double l2Written, double l1, double time) {
    if (!state.started || !state.pushed || state.pass != state.passes - 1)
        return; // outside a range, or in a pass that counts something else
    const double more[] = {dramRead, dramWritten, l2Read, l2Written, l1, time};
    for (size_t i = 0; i < state.counts.size(); ++i)
        state.counts[i] += more[i];
}

Result cuptiGetResultString(Result result, const char** text) {
    *text = result == invalidOperation   ? "CUPTI_ERROR_INVALID_OPERATION"
            : result == invalidParameter ? "CUPTI_ERROR_INVALID_PARAMETER"
            : result == unknownChip      ? "CUPTI_ERROR_INVALID_CHIP_NAME"
                                         : "CUPTI_ERROR_OF_THE_STANDIN";
    return success;
}
Result cuptiProfilerInitialize(Initialize* p) {
    ENTER("cuptiProfilerInitialize", 16, true);
    state.initialised = true;
    return success;
}
Result cuptiDeviceGetChipName(ChipName* p) {
    ENTER("cuptiDeviceGetChipName", 32, state.initialised);
    if (p->deviceIndex != 0)
        return 2; // CUPTI_ERROR_INVALID_DEVICE
    p->chipName = state.chip.c_str();
    return success;
}
Result cuptiProfilerGetCounterAvailability(CounterAvailability* p) {
    ENTER("cuptiProfilerGetCounterAvailability", 40,
          state.initialised && !state.enabled && p->context && (!p->image || p->bytes == availabilityBytes));
    p->bytes = availabilityBytes;
    if (p->image) {
        std::memcpy(p->image, availabilityMark, sizeof availabilityMark);
        state.availabilityRead = true;
    }
    return success;
}
Result cuptiProfilerHostGetSupportedChips(SupportedChips* p) {
    ENTER("cuptiProfilerHostGetSupportedChips", 32, true);
    static const char* chips[] = {"GA100", "GB202", "GB10B"};
    p->chips = 3;
    p->chipNames = chips;
    return success;
}
Result cuptiProfilerHostInitialize(HostInitialize* p) {
    ENTER("cuptiProfilerHostInitialize", 48,
          p->profilerType == 0 && (!state.availabilityRead || marked(p->counterAvailability, availabilityMark)));
    if (!p->chipName || std::strlen(p->chipName) < 4)
        return unknownChip;
    p->host = new HostObject{p->chipName, {}};
    ++state.held;
    return success;
}
Result cuptiProfilerHostDeinitialize(HostDeinitialize* p) {
    ENTER("cuptiProfilerHostDeinitialize", 24, p->host != nullptr);
    delete p->host;
    --state.held;
    return success;
}
Result cuptiProfilerHostConfigAddMetrics(AddMetrics* p) {
    ENTER("cuptiProfilerHostConfigAddMetrics", 40, p->host != nullptr);
    for (size_t i = 0; i < p->metrics; ++i) {
        if (place(p->host->chip, p->metricNames[i]) < 0)
            return invalidParameter;
        p->host->metrics.emplace_back(p->metricNames[i]);
    }
    return success;
}
Result cuptiProfilerHostGetConfigImageSize(ConfigImageSize* p) {
    ENTER("cuptiProfilerHostGetConfigImageSize", 32, p->host && !p->host->metrics.empty());
    p->bytes = configBytes;
    return success;
}
Result cuptiProfilerHostGetConfigImage(ConfigImage* p) {
    ENTER("cuptiProfilerHostGetConfigImage", 40, p->host && p->bytes == configBytes);
    std::memcpy(p->image, configMark, sizeof configMark);
    return success;
}
Result cuptiProfilerHostGetNumOfPasses(PassCount* p) {
    ENTER("cuptiProfilerHostGetNumOfPasses", 40, p->bytes == configBytes && marked(p->image, configMark));
    p->passes = state.passes;
    return success;
}
Result cuptiRangeProfilerEnable(RangeEnable* p) {
    ENTER("cuptiRangeProfilerEnable", 32, state.initialised && !state.enabled && p->context);
    state.enabled = true;
    p->profiler = new RangeProfilerObject{p->context};
    ++state.held;
    return success;
}
Result cuptiRangeProfilerDisable(RangeOnly* p) {
    ENTER("cuptiRangeProfilerDisable", 24, state.enabled && p->profiler); // also when stopping failed
    state.enabled = state.configured = state.started = state.pushed = false;
    delete p->profiler;
    --state.held;
    return success;
}
Result cuptiRangeProfilerGetCounterDataSize(RangeCounterDataSize* p) {
    ENTER("cuptiRangeProfilerGetCounterDataSize", 64,
          state.enabled && p->profiler && p->metrics > 0 && p->maxRanges == 1 && p->maxRangeTreeNodes >= p->maxRanges);
    p->bytes = counterBytes;
    return success;
}
Result cuptiRangeProfilerCounterDataImageInitialize(RangeCounterDataInitialize* p) {
    ENTER("cuptiRangeProfilerCounterDataImageInitialize", 40, state.enabled && p->profiler && p->bytes == counterBytes);
    std::memcpy(p->counterData, counterMark, sizeof counterMark);
    return success;
}
Result cuptiRangeProfilerSetConfig(RangeConfig* p) {
    ENTER("cuptiRangeProfilerSetConfig", 90,
          state.enabled && !state.started && p->configBytes == configBytes && marked(p->configImage, configMark) &&
              p->counterDataBytes == counterBytes && marked(p->counterData, counterMark) && p->range == 2 &&
              p->replayMode == 3 && p->maxRangesPerPass == 1 && p->nestingLevels == 1 && p->minNestingLevel == 1 &&
              p->targetNestingLevel == 1);
    state.configured = true;
    state.complete = state.decoded = false;
    state.pass = state.ranges = 0;
    state.counts = {};
    state.counterData = p->counterData;
    return success;
}
Result cuptiRangeProfilerStart(RangeOnly* p) {
    ENTER("cuptiRangeProfilerStart", 24, state.configured && !state.started && !state.complete);
    state.started = true;
    return success;
}
Result cuptiRangeProfilerPushRange(RangePush* p) {
    ENTER("cuptiRangeProfilerPushRange", 32, state.started && !state.pushed && p->name);
    state.pushed = true;
    return success;
}
Result cuptiRangeProfilerPopRange(RangeOnly* p) {
    ENTER("cuptiRangeProfilerPopRange", 24, state.pushed);
    state.pushed = false;
    state.ranges = 1;
    return success;
}
Result cuptiRangeProfilerStop(RangeStop* p) {
    ENTER("cuptiRangeProfilerStop", 41, state.started && !state.pushed);
    state.started = false;
    state.complete = ++state.pass >= state.passes;
    p->allPassesSubmitted = state.complete;
    return success;
}
Result cuptiRangeProfilerDecodeData(RangeDecode* p) {
    ENTER("cuptiRangeProfilerDecodeData", 32, state.complete && !state.started);
    std::memcpy(state.counterData + 32, state.counts.data(), sizeof state.counts);
    state.decoded = true;
    p->rangesDropped = 0;
    return success;
}
Result cuptiRangeProfilerGetCounterDataInfo(CounterDataInfo* p) {
    ENTER("cuptiRangeProfilerGetCounterDataInfo", 40,
          state.decoded && p->bytes == counterBytes && marked(p->counterData, counterMark));
    p->ranges = state.ranges;
    return success;
}
Result cuptiProfilerHostEvaluateToGpuValues(Evaluate* p) {
    ENTER("cuptiProfilerHostEvaluateToGpuValues", 72,
          p->host && state.decoded && p->bytes == counterBytes && marked(p->counterData, counterMark) &&
              p->rangeIndex == 0 && p->metrics == p->host->metrics.size());
    Counts counts;
    std::memcpy(counts.data(), p->counterData + 32, sizeof counts);
    for (size_t i = 0; i < p->metrics; ++i) {
        const int at = place(p->host->chip, p->metricNames[i]);
        if (at < 0)
            return invalidMetricName;
        p->values[i] = counts[static_cast<size_t>(at)];
    }
    return success;
}

} // extern "C"
