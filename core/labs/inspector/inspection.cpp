// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/inspector/inspection.h"

#include "core/error.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <thread>

namespace warplight::labs::inspector {
namespace {

constexpr size_t mostSeen = 200'000;     ///< accesses that are looked at one by one
constexpr size_t mostShapes = 4;         ///< of accesses that are kept for an instruction
constexpr uint64_t watchedBlocks = 4096; ///< whose phases are told

/// Whether the lanes lie to each other in the same way.
bool alike(const gpu::MemoryAccess& a, const gpu::MemoryAccess& b) {
    if (a.lanes != b.lanes || a.lanes == 0)
        return a.lanes == b.lanes;
    const auto first = static_cast<size_t>(std::countr_zero(a.lanes));
    for (size_t i = 0; i < 32; ++i)
        if (a.lanes >> i & 1 && a.address[i] - a.address[first] != b.address[i] - b.address[first])
            return false;
    return true;
}

} // namespace

void Watch::take(const gpu::MemoryAccess& access, Inspection& into) {
    if (++seen >= mostSeen || run.cancelled())
        enough = true;
    std::vector<AccessSample>& kept = into.accesses[access.line];
    const auto known =
        std::find_if(kept.begin(), kept.end(), [&](const AccessSample& s) { return alike(s.access, access); });
    if (known != kept.end()) {
        ++known->times;
    } else if (kept.size() < mostShapes) {
        kept.push_back({access, std::string(access.buffer), 1});
        kept.back().access.buffer = {};
    }
}

void Watch::inspect(const std::function<gpu::LaunchStats(const std::function<void(gpu::LaunchConfig&)>&)>& launch,
                    const std::string& gpu, Inspection& into) {
    run.progress(0, "watching accesses");
    try {
        // A kernel that touches no memory is never asked about: the wish to cancel is looked at beside it.
        const std::jthread relay([&](const std::stop_token& done) {
            for (; !done.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(10)))
                if (run.cancelled())
                    enough = true;
        });
        launch([&](gpu::LaunchConfig& config) {
            config.observer = [&](const gpu::MemoryAccess& access) { take(access, into); };
            config.cancel = &enough;
        });
    } catch (const Cancelled&) {        // seen enough, or somebody pressed Stop
    } catch (const gpu::KernelError&) { // the run that counts will say so
    }
    run.checkCancelled();
    run.progress(0.3, "counting");
    try {
        into.stats = launch([&](gpu::LaunchConfig& config) {
            config.checks = true;
            config.gpu = gpu;
            config.cancel = run.cancelToken();
            config.phaseBlocks = watchedBlocks;
            config.phases = [&](const gpu::BlockPhase& phase) { into.phases.push_back(phase); };
            into.grid = config.grid;
            into.block = config.block;
        });
    } catch (const gpu::KernelError& error) {
        into.fault = error.finding;
        into.phases.clear();
    }
    std::stable_sort(into.phases.begin(), into.phases.end(),
                     [](const auto& a, const auto& b) { return a.block < b.block; });
}

} // namespace warplight::labs::inspector
