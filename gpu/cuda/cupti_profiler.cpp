// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cupti_profiler.h"

#include <cmath>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace warplight::cuda {
namespace {

constexpr size_t mostBytes = size_t(1) << 30; // of an image; real ones have some KiB

/// Throws when CUPTI asks for a size that cannot be.
size_t imageBytes(const CuptiLibrary& library, size_t bytes, const char* what) {
    if (bytes == 0 || bytes > mostBytes)
        throw CountersUnavailable(
            fmt::format("{} asks for {} bytes for {}, expected 1 to {}", library.path(), bytes, what, mostBytes));
    return bytes;
}

uint64_t whole(double value, const std::string& metric) {
    if (!(value >= 0) || value > 1e18)
        throw CountersUnavailable(
            fmt::format("the counter {} says {}, which no launch can have moved; the counted figures are shown instead",
                        metric, value));
    return static_cast<uint64_t>(std::llround(value));
}

} // namespace

CuptiProfiler::CuptiProfiler(const CuptiLibrary& from, void* context, int device) : library(from) {
    const cupti::Functions& f = library.functions();
    cupti::Initialize initialize;
    library.check(f.initialize(&initialize), "cuptiProfilerInitialize");
    cupti::ChipName chip;
    chip.deviceIndex = static_cast<size_t>(device);
    library.check(f.chipName(&chip), "cuptiDeviceGetChipName");
    names = trafficMetrics(chip.chipName ? chip.chipName : "");
    cupti::CounterAvailability availability;
    availability.context = context;
    library.check(f.counterAvailability(&availability), "cuptiProfilerGetCounterAvailability");
    std::vector<uint8_t> available(imageBytes(library, availability.bytes, "what counters may be read"));
    availability.image = available.data();
    library.check(f.counterAvailability(&availability), "cuptiProfilerGetCounterAvailability");
    host = std::make_unique<CuptiHost>(library, names.chip, names.names(), std::move(available));
    cupti::RangeEnable enable;
    enable.context = context;
    library.check(f.enable(&enable), "cuptiRangeProfilerEnable");
    object = enable.profiler;
}

CuptiProfiler::~CuptiProfiler() {
    cupti::RangeOnly p;
    p.profiler = object;
    library.functions().disable(&p);
}

/// A fresh image for the counters, and what is to be counted.
void CuptiProfiler::prepare() {
    const cupti::Functions& f = library.functions();
    cupti::RangeCounterDataSize size;
    size.profiler = object;
    size.metricNames = host->metricNames().data();
    size.metrics = host->metricNames().size();
    library.check(f.counterDataSize(&size), "cuptiRangeProfilerGetCounterDataSize");
    counterData.assign(imageBytes(library, size.bytes, "the counters of a launch"), 0);
    cupti::RangeCounterDataInitialize initialize;
    initialize.profiler = object;
    initialize.bytes = counterData.size();
    initialize.counterData = counterData.data();
    library.check(f.counterDataInitialize(&initialize), "cuptiRangeProfilerCounterDataImageInitialize");
    cupti::RangeConfig config;
    config.profiler = object;
    config.configBytes = host->configImage().size();
    config.configImage = host->configImage().data();
    config.counterDataBytes = counterData.size();
    config.counterData = counterData.data();
    library.check(f.setConfig(&config), "cuptiRangeProfilerSetConfig");
}

/// True when it was the last one. Whatever `launch` throws, the range is closed and the profiler stopped.
bool CuptiProfiler::runPass(const std::function<void()>& launch) {
    const cupti::Functions& f = library.functions();
    cupti::RangeOnly plain;
    plain.profiler = object;
    cupti::RangePush push;
    push.profiler = object;
    push.name = "launch";
    cupti::RangeStop stop;
    stop.profiler = object;
    library.check(f.start(&plain), "cuptiRangeProfilerStart");
    bool pushed = false;
    try {
        library.check(f.pushRange(&push), "cuptiRangeProfilerPushRange");
        pushed = true;
        launch();
    } catch (...) {
        if (pushed)
            f.popRange(&plain);
        f.stop(&stop);
        throw;
    }
    const cupti::Result popped = f.popRange(&plain);
    const cupti::Result stopped = f.stop(&stop);
    library.check(popped, "cuptiRangeProfilerPopRange");
    library.check(stopped, "cuptiRangeProfilerStop");
    return stop.allPassesSubmitted != 0;
}

TrafficMeasured CuptiProfiler::read() {
    const cupti::Functions& f = library.functions();
    cupti::RangeDecode decode;
    decode.profiler = object;
    library.check(f.decode(&decode), "cuptiRangeProfilerDecodeData");
    cupti::CounterDataInfo info;
    info.counterData = counterData.data();
    info.bytes = counterData.size();
    library.check(f.counterDataInfo(&info), "cuptiRangeProfilerGetCounterDataInfo");
    if (decode.rangesDropped != 0 || info.ranges != 1)
        throw CountersUnavailable(
            fmt::format("the GPU's counters were read for {} launches and lost for {}, expected 1 "
                        "and 0; the counted figures are shown instead",
                        info.ranges, decode.rangesDropped));
    const std::vector<double> values = host->evaluate(counterData, 0);
    TrafficMeasured measured;
    measured.chip = names.chip;
    size_t at = 0;
    if (names.hasDram()) {
        measured.dramReadBytes = whole(values[at++], names.dramRead);
        measured.dramWrittenBytes = whole(values[at++], names.dramWritten);
    }
    const auto sector = static_cast<uint64_t>(names.sectorBytes);
    measured.l2ReadBytes = sector * whole(values[at++], names.l2Read);
    measured.l2WrittenBytes = sector * whole(values[at++], names.l2Written);
    measured.l1Bytes = whole(values[at++], names.l1);
    measured.seconds = 1e-9 * static_cast<double>(whole(values[at++], names.duration));
    return measured;
}

TrafficMeasured CuptiProfiler::measure(const std::function<void()>& launch) {
    prepare();
    for (size_t pass = 0; !runPass(launch); ++pass)
        if (pass > passes()) // the driver may want one more than it said, but not for ever
            throw CountersUnavailable(fmt::format("the GPU's counters were not complete after {} passes, expected {}; "
                                                  "the counted figures are shown instead",
                                                  pass + 1, passes()));
    return read();
}

} // namespace warplight::cuda
