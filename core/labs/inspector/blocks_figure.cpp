// SPDX-License-Identifier: GPL-3.0-or-later
// Blocks on multiprocessors: where each begins and ends, and what it does in between, by the time model.
#include "core/labs/inspector/figures.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using namespace lab;

constexpr int64_t mostTracks = 48; ///< slots of multiprocessors that are drawn

/// Phases of one block, in clocks of its own.
struct BlockSpan {
    uint64_t block;
    std::vector<gpu::BlockPhase> phases;
};

std::vector<BlockSpan> byBlock(const std::vector<gpu::BlockPhase>& phases) {
    std::vector<BlockSpan> blocks;
    for (const gpu::BlockPhase& p : phases) {
        if (blocks.empty() || blocks.back().block != p.block)
            blocks.push_back({p.block, {}});
        blocks.back().phases.push_back(p);
    }
    return blocks;
}

} // namespace

Figure blocksFigure(const Inspection& of, const vgpu::GpuProfile& gpu) {
    Timeline timeline;
    timeline.x.title = "clocks of a multiprocessor";
    timeline.x.unit = "clock";
    const auto held =
        static_cast<int64_t>(of.stats.modelled ? std::max(of.stats.modelled->blocksPerMultiprocessor, 1) : 1);
    const int64_t multiprocessors = gpu.multiprocessors;
    const int64_t slots =
        std::min<int64_t>(held, static_cast<int64_t>((of.stats.blocks + static_cast<uint64_t>(multiprocessors) - 1) /
                                                     static_cast<uint64_t>(multiprocessors)));
    const int64_t drawn = std::clamp<int64_t>(
        mostTracks / std::max<int64_t>(slots, 1), 1,
        std::min<int64_t>(multiprocessors, static_cast<int64_t>(std::max<uint64_t>(of.stats.blocks, 1))));
    for (int64_t m = 0; m < drawn; ++m)
        for (int64_t slot = 0; slot < slots; ++slot)
            timeline.tracks.push_back({fmt::format("{}.{}", m, slot),
                                       slots > 1 ? fmt::format("block {}", slot) : fmt::format("SM {}", m),
                                       slots > 1 ? fmt::format("SM {}", m) : ""});
    // The next block goes to the place that is free first, multiprocessors in turn. A block that shares its
    // multiprocessor with others gets its share of what is busy; what it waits for, it waits for beside them.
    using Free = std::pair<double, int64_t>; // when, place = slot · multiprocessors + multiprocessor
    std::priority_queue<Free, std::vector<Free>, std::greater<>> places;
    for (int64_t place = 0; place < slots * multiprocessors; ++place)
        places.emplace(0.0, place);
    const double sharing = static_cast<double>(slots);
    const std::vector<BlockSpan> blocks = byBlock(of.phases);
    for (const BlockSpan& block : blocks) {
        if (places.empty())
            break;
        const auto [begin, place] = places.top();
        places.pop();
        const int64_t m = place % multiprocessors, slot = place / multiprocessors;
        double at = begin;
        for (const gpu::BlockPhase& phase : block.phases) {
            const double clocks = std::max(phase.busyClocks * sharing, phase.waitingClocks);
            if (m < drawn && clocks > 0)
                timeline.spans.push_back(
                    {m * slots + slot, at, at + clocks,
                     &phase == &block.phases.front() ? fmt::format("{}", block.block) : "", std::string(phase.kind),
                     Provenance::Modelled,
                     fmt::format("block {}: {:.0f} clocks, {}", block.block, clocks,
                                 phase.kind == "memory" ? "mostly waiting for memory"
                                                        : fmt::format("busiest with {}", phase.kind))});
            at += clocks;
        }
        places.emplace(at, place);
    }
    return {
        "blocks",
        "Blocks on multiprocessors",
        fmt::format("{}; {} of {} multiprocessors, phases end at barriers", gpu.name, drawn, multiprocessors),
        "**Modelled**: what a block does between two barriers is counted, the time model gives its clocks "
        "(docs/time-model.md). The next block goes where a place is free first. Not in here: waiting for a DRAM that "
        "all blocks share.",
        Figure::Place::Support,
        std::move(timeline)};
}

} // namespace warplight::labs::inspector
