// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cupti_host.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace warplight::cuda {
namespace {

constexpr size_t mostBytes = size_t(256) << 20; // of a configuration; real ones have a few KiB

cupti::HostObject* openChip(const CuptiLibrary& library, const std::string& chip, const uint8_t* availability) {
    cupti::HostInitialize p;
    p.chipName = chip.c_str();
    p.counterAvailability = availability;
    const cupti::Result result = library.functions().hostInitialize(&p);
    if (result == cupti::notSupported)
        throw CountersUnavailable(
            fmt::format("{} cannot read the counters of the GPU chip {}; the counted figures are shown instead",
                        library.path(), chip));
    library.check(result, "cuptiProfilerHostInitialize");
    return p.host;
}

void closeChip(const CuptiLibrary& library, cupti::HostObject* object) {
    cupti::HostDeinitialize p;
    p.host = object;
    library.functions().hostDeinitialize(&p); // nothing can be done about a failure
}

cupti::Result addMetrics(const CuptiLibrary& library, cupti::HostObject* object, std::vector<const char*>& names) {
    cupti::AddMetrics p;
    p.host = object;
    p.metricNames = names.data();
    p.metrics = names.size();
    return library.functions().addMetrics(&p);
}

} // namespace

std::vector<std::string> cuptiChips(const CuptiLibrary& library) {
    cupti::SupportedChips p;
    library.check(library.functions().supportedChips(&p), "cuptiProfilerHostGetSupportedChips");
    return {p.chipNames, p.chipNames + p.chips};
}

bool cuptiHasMetric(const CuptiLibrary& library, const std::string& chip, const std::string& metric) {
    cupti::HostObject* object = openChip(library, chip, nullptr);
    std::vector<const char*> names = {metric.c_str()};
    const cupti::Result result = addMetrics(library, object, names);
    closeChip(library, object);
    // The header says CUPTI_ERROR_INVALID_METRIC_NAME, CUPTI 13.0 answers CUPTI_ERROR_INVALID_PARAMETER.
    if (result == cupti::invalidMetricName || result == cupti::invalidParameter)
        return false;
    library.check(result, "cuptiProfilerHostConfigAddMetrics");
    return true;
}

CuptiHost::CuptiHost(const CuptiLibrary& from, const std::string& chip, std::vector<std::string> wanted,
                     std::vector<uint8_t> availability)
    : library(from), metrics(std::move(wanted)), available(std::move(availability)) {
    for (const std::string& metric : metrics)
        names.push_back(metric.c_str());
    object = openChip(library, chip, available.empty() ? nullptr : available.data());
    try {
        const cupti::Result result = addMetrics(library, object, names);
        if (result == cupti::invalidMetricName || result == cupti::invalidParameter)
            throw CountersUnavailable(fmt::format(
                "{} does not know all of these counters of the GPU chip {}: {}; the counted figures are shown instead",
                library.path(), chip, fmt::join(metrics, ", ")));
        library.check(result, "cuptiProfilerHostConfigAddMetrics");
        configure();
    } catch (...) {
        closeChip(library, object);
        throw;
    }
}

CuptiHost::~CuptiHost() { closeChip(library, object); }

void CuptiHost::configure() {
    const cupti::Functions& f = library.functions();
    cupti::ConfigImageSize size;
    size.host = object;
    library.check(f.configImageSize(&size), "cuptiProfilerHostGetConfigImageSize");
    if (size.bytes == 0 || size.bytes > mostBytes)
        throw CountersUnavailable(
            fmt::format("{} asks for {} bytes for the configuration of the counters, expected 1 to {}", library.path(),
                        size.bytes, mostBytes));
    image.resize(size.bytes);
    cupti::ConfigImage get;
    get.host = object;
    get.bytes = image.size();
    get.image = image.data();
    library.check(f.configImage(&get), "cuptiProfilerHostGetConfigImage");
    cupti::PassCount count;
    count.bytes = image.size();
    count.image = image.data();
    library.check(f.passCount(&count), "cuptiProfilerHostGetNumOfPasses");
    passCount = count.passes;
}

std::vector<double> CuptiHost::evaluate(std::span<const uint8_t> counterData, size_t range) {
    std::vector<double> values(names.size());
    cupti::Evaluate p;
    p.host = object;
    p.counterData = counterData.data();
    p.bytes = counterData.size();
    p.rangeIndex = range;
    p.metricNames = names.data();
    p.metrics = names.size();
    p.values = values.data();
    library.check(library.functions().evaluate(&p), "cuptiProfilerHostEvaluateToGpuValues");
    return values;
}

} // namespace warplight::cuda
