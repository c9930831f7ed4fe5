// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/runner.h"

#include "core/error.h"
#include "core/tensor/release.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::workbench {

Tensors makeTensors(const Operator& op, const Problem& problem, const std::string& kind, uint64_t seed,
                    const std::atomic<bool>* cancel) {
    if (std::none_of(op.inputKinds.begin(), op.inputKinds.end(), [&](const auto& known) { return known.id == kind; }))
        throw InputError(fmt::format("input '{}' is not known, expected one of the kinds that describe lists", kind));
    Tensors tensors = op.allocate(problem, cancel);
    const ReleasesBeside release(tensors);
    op.fill(problem, kind, seed, tensors, cancel);
    if (op.derive)
        op.derive(problem, tensors, {0, cancel});
    return tensors;
}

CpuPoint timeOnCpu(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                   const cpu::RunOptions& options, double seconds, lab::Run& run) {
    CpuPoint point;
    point.timing = timeRepeatedly(
        [&] {
            run.checkCancelled();
            point.extraBytes = contestant.implementation->onCpu(problem, tensors, options);
        },
        seconds);
    return point;
}

VirtualPoint runOnVirtualGpu(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                             gpu::KernelLibrary& library, const gpu::LaunchOptions& options) {
    const gpu::Launched done = contestant.implementation->onGpu(problem, tensors, library, options);
    VirtualPoint point;
    point.counted = gpu::countedTraffic(done);
    double longest = 0;
    for (const gpu::LaunchRecord& launch : done.launches) {
        point.hostSeconds += launch.stats.hostSeconds;
        for (const gpu::BufferTraffic& b : launch.stats.buffers) {
            point.sectorBytes[b.name] += 32.0 * static_cast<double>(b.readSectors + b.writtenSectors);
            point.dram[b.name] += static_cast<double>(b.dramReadBytes + b.dramWrittenBytes);
        }
        if (!launch.stats.modelled)
            continue;
        const gpu::Modelled& m = *launch.stats.modelled;
        point.seconds += m.seconds;
        point.dramBytes += static_cast<double>(m.dramReadBytes + m.dramWrittenBytes);
        if (m.seconds > longest) {
            longest = m.seconds;
            point.limit = m.limit;
            point.occupancy = m.occupancy;
        }
    }
    return point;
}

std::optional<gpu::Measured> timeOnGpu(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                                       gpu::KernelLibrary& library, const std::atomic<bool>* cancel) {
    gpu::LaunchOptions options;
    options.cancel = cancel;
    options.measure = gpu::timedRepetitions;
    return contestant.implementation->onGpu(problem, tensors, library, options).measured;
}

int64_t virtualBytes(const Contestant& contestant, const Problem& problem) {
    const Implementation& i = *contestant.implementation;
    const int64_t device = i.heldBytes ? i.heldBytes(problem, 0) : contestant.op->tensorBytes(problem);
    return saturatedSum(saturatedProduct(2, device), contestant.op->tensorBytes(problem) / 2);
}

void LeftOut::add(const std::string& implementation, const std::string& why) {
    std::vector<std::string>& names = byReason[why];
    if (std::find(names.begin(), names.end(), implementation) == names.end())
        names.push_back(implementation);
}

void LeftOut::refuse() const {
    if (byReason.empty())
        return;
    const auto& [why, names] = *byReason.begin();
    throw InputError(fmt::format("{}: {}", fmt::join(names, ", "), why));
}

void LeftOut::tell() {
    for (const auto& [why, names] : byReason)
        run.log(fmt::format("{} {} left out: {}", fmt::join(names, ", "), names.size() == 1 ? "is" : "are", why),
                lab::Log::Level::Info);
    byReason.clear();
}

} // namespace warplight::workbench
