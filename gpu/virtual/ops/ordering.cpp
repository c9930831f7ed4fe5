// SPDX-License-Identifier: GPL-3.0-or-later
// What orders the accesses of different warps besides barriers: releases and acquires, alone or by fences around
// accesses that other threads may see.
#include "gpu/virtual/ops/ordering.h"

#include "gpu/virtual/block.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace warplight::vgpu {
namespace {

using Clock = std::vector<uint32_t>;

void join(Clock& a, const Clock& b) {
    a.resize(std::max(a.size(), b.size()));
    for (size_t i = 0; i < b.size(); ++i)
        a[i] = std::max(a[i], b[i]);
}

Clock& clockOf(Warp& w) { return w.block->clocks[static_cast<size_t>(w.index)]; }

/// Calls visit(place in shared memory) for each active lane whose address lies there.
template <class Visit>
void forEachPlace(Warp& w, const Op* op, Visit visit) {
    uint64_t last = UINT64_MAX;
    for (int lane = 0; lane < warpSize; ++lane) {
        if (!has(w.mask, lane))
            continue;
        const uint64_t base = op->bytes == 8 ? in<uint64_t>(w, op->a)[lane] : in<uint32_t>(w, op->a)[lane];
        const uint64_t address = base + static_cast<uint64_t>(op->imm);
        const bool shared = op->access == 1 || address >> 32 == sharedWindow >> 32;
        if (shared && (address & 0xffffffffu) != last)
            visit(last = address & 0xffffffffu);
    }
}

} // namespace

void publishAt(Warp& w, uint64_t at) {
    if (w.block->clocks.empty())
        return;
    Clock& clock = clockOf(w);
    join(w.block->barrierClocks[at], clock);
    ++clock[static_cast<size_t>(w.index)];
}

void observeAt(Warp& w, uint64_t at) {
    if (w.block->clocks.empty())
        return;
    if (const auto found = w.block->barrierClocks.find(at); found != w.block->barrierClocks.end())
        join(clockOf(w), found->second);
}

const Op* releaseBefore(Warp& w, const Op* op) {
    if (!w.block->clocks.empty())
        forEachPlace(w, op, [&](uint64_t at) {
            if (op->detail == 0)
                publishAt(w, at);
            else
                join(w.block->barrierClocks[at], w.fenced);
        });
    return op + 1;
}

const Op* acquireAfter(Warp& w, const Op* op) {
    if (!w.block->clocks.empty())
        forEachPlace(w, op, [&](uint64_t at) {
            if (op->detail == 0)
                observeAt(w, at);
            else if (const auto found = w.block->barrierClocks.find(at); found != w.block->barrierClocks.end())
                join(w.seen, found->second);
        });
    return op + 1;
}

const Op* fence(Warp& w, const Op* op) {
    if (!w.block->clocks.empty()) {
        Clock& clock = clockOf(w);
        join(clock, w.seen);
        w.fenced = clock;
        ++clock[static_cast<size_t>(w.index)];
    }
    return op + 1;
}

} // namespace warplight::vgpu
