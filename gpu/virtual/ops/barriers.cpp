// SPDX-License-Identifier: GPL-3.0-or-later
// Barriers of a block (PTX ISA, 9.7.13.1).
#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/control.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fmt/format.h>
#include <vector>

namespace warplight::vgpu {

namespace {

void release(Block& block, size_t number) {
    if (!block.worker->watching) // else the phase goes on
        block.endPhase();
    if (!block.turns.empty())
        block.noteTurn(block.turns.back().warp, true);
    Barrier& barrier = block.barriers[number];
    for (Warp& w : block.warps) {
        if (w.state != WarpState::AtBarrier || w.barrier != static_cast<int>(number))
            continue;
        w.state = WarpState::Ready;
        w.barrier = -1;
        const Op* op = w.waitsAt;
        const auto kind = static_cast<BarrierKind>(op->imm);
        if (kind == BarrierKind::Popc) {
            uint32_t* row = out<uint32_t>(w, op->dst);
            for (int i = 0; i < warpSize; ++i)
                row[i] = has(w.mask, i) ? barrier.reduction : row[i];
        } else if (kind == BarrierKind::And || kind == BarrierKind::Or) {
            uint32_t* row = out<uint32_t>(w, op->dst);
            const bool holds = kind == BarrierKind::And ? barrier.reduction == barrier.arrived : barrier.reduction > 0;
            *row = (*row & ~w.mask) | (holds ? w.mask : 0);
        }
        if (!block.clocks.empty()) {
            std::vector<uint32_t>& clock = block.clocks[static_cast<size_t>(w.index)];
            for (size_t i = 0; i < clock.size(); ++i)
                clock[i] = std::max(clock[i], barrier.clock[i]);
            ++clock[static_cast<size_t>(w.index)];
        }
    }
    barrier = {};
}

} // namespace

void settleBarriers(Block& block) {
    for (size_t number = 0; number < block.barriers.size(); ++number) {
        const Barrier& barrier = block.barriers[number];
        if (barrier.arrived > 0 && barrier.arrived >= (barrier.expected ? barrier.expected : block.liveThreads))
            release(block, number);
    }
}

const Op* barrier(Warp& w, const Op* op) {
    Block& block = *w.block;
    const int lane = std::countr_zero(w.mask);
    const uint32_t number = in<uint32_t>(w, op->a)[lane];
    if (number >= block.barriers.size())
        block.fault(w, op, lane, "barrier", fmt::format("barrier {} (there are 16)", number));
    Barrier& barrier = block.barriers[number];
    const auto kind = static_cast<BarrierKind>(op->imm);
    if (op->b != noRow)
        barrier.expected = in<uint32_t>(w, op->b)[lane];
    // A warp counts whole where the number of threads is given; lanes that have exited count as having arrived.
    barrier.arrived += op->b != noRow ? static_cast<uint32_t>(warpSize) : w.active;
    ++block.worker->counts.barriers;
    if (kind >= BarrierKind::Popc) {
        const uint32_t holds = *in<uint32_t>(w, op->c) ^ (op->negated ? fullMask : 0);
        barrier.reduction += static_cast<uint32_t>(std::popcount(holds & w.mask));
    }
    if (!block.clocks.empty()) {
        std::vector<uint32_t>& clock = block.clocks[static_cast<size_t>(w.index)];
        barrier.clock.resize(clock.size());
        for (size_t i = 0; i < clock.size(); ++i)
            barrier.clock[i] = std::max(barrier.clock[i], clock[i]);
    }
    w.pc = op + 1;
    if (kind == BarrierKind::Arrive) {
        if (!block.clocks.empty())
            ++block.clocks[static_cast<size_t>(w.index)][static_cast<size_t>(w.index)];
        settleBarriers(block);
        return op + 1;
    }
    w.state = WarpState::AtBarrier;
    w.barrier = static_cast<int>(number);
    w.waitsAt = op;
    settleBarriers(block);
    if (w.state != WarpState::Ready)
        return nullptr;
    WaitTogether& together = block.together;
    if (!together.wanted || --together.left >= 0)
        return op + 1;
    together.released = true;
    together.barrier = op;
    return nullptr;
}

/// Lanes of a warp run in step here, so there is nothing to wait for. A member that has gone another way is an error
/// only on the GPU if it never arrives; the mask is what tells.
const Op* warpBarrier(Warp&, const Op* op) { return op + 1; }

} // namespace warplight::vgpu
