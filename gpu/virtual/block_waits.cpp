// SPDX-License-Identifier: GPL-3.0-or-later
// What a block does where none of its warps can go on: who gets a chance in which order, and when a wait is one that
// nothing can end.
#include "gpu/virtual/block.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace warplight::vgpu {
namespace {

const std::string nobodyElse = "all other threads have ended or wait as well";
constexpr int64_t fewSteps = 8;            ///< of a pass; a longer one counts for several
constexpr int64_t firstStretch = 64;       ///< passes that a loop gets when nobody else can go on, at first
constexpr int64_t mostFutile = 1 << 22;    ///< passes in vain until it counts as a deadlock
constexpr int64_t patience = 1 << 8;       ///< passes in vain until lanes go ahead of those that wait
constexpr uint64_t idlePatience = 1 << 16; ///< clocks of the last step
constexpr uint64_t firstIdle = 1024;       ///< clocks that pass when all look at the clock, at first
constexpr uint64_t mostIdle = 1ull << 42;  ///< three quarters of an hour
constexpr int mostIdleLoops = 1 << 16;

} // namespace

void Worker::lookForProgress(const Wait& wait) {
    waitingOps.resize(counts.ops.size());
    seenOps.resize(counts.ops.size());
    for (const uint32_t op : wait.ops)
        waitingOps[op] = true;
    if (wait.at)
        waitingOps[wait.at->index] = true;
    bool any = false;
    for (size_t i = 0; i < seenOps.size(); ++i)
        if (const uint64_t now = counts.ops[i].warps; seenOps[i] != now) {
            any = any || !waitingOps[i];
            seenOps[i] = now;
        }
    progress += any;
}

void Block::release(Warp& w, bool changed) {
    w.state = WarpState::Ready;
    w.insists = !changed;
    if (changed) {
        inVain() = 0;
        idleStep = 0;
        told.reset();
        w.stride = firstStride;
    }
}

/// Nothing has ended the wait: its passes were work.
void Block::countPasses(const Wait& wait) {
    worker->counts.add(wait.passes);
    if (worker->sectorStream)
        worker->sectorStream->insert(worker->sectorStream->end(), wait.sectors.begin(), wait.sectors.end());
}

void Block::countInVain(const Wait& wait, int64_t passes) {
    inVain() += passes * std::max<int64_t>(1, wait.steps / fewSteps);
}

bool Block::pollsInVain(Warp& w, int64_t passes) {
    const int64_t before = inVain();
    countInVain(w.wait, passes);
    if (before / patience != inVain() / patience && isTimeForLanes() && letLanesAhead(w, true))
        return true;
    if (inVain() >= mostFutile)
        fault(w, w.wait.at ? w.wait.at : w.pc, std::countr_zero(w.mask), "deadlock",
              "a wait that nothing has ended in millions of passes (" + nobodyElse + ")");
    return false;
}

void Block::leavesIdleLoop() {
    if (idleStep == 0 || idleLoops == mostIdleLoops)
        return;
    idleStep = 0;
    ++idleLoops;
}

/// A step that grows without anything having happened.
void Block::passIdly() {
    idleStep = std::max(firstIdle, 2 * idleStep);
    idleClocks += idleStep;
}

/// Passes that each of so many loops gets: a quarter more for all together each time, without anything having happened.
int64_t Block::stretchOf(int64_t waiting) const {
    const int64_t left = std::max<int64_t>(mostFutile - inVain(), 0);
    return std::clamp(inVain() / (4 * waiting), firstStretch, std::max(firstStretch, left / waiting + 1));
}

/// Nobody can go on: those who wait like this look again, or run on for a while.
bool Block::letWaitingTry(Wait::Kind kind) {
    const auto waits = [&](const Warp& w) { return w.state == WarpState::Waiting && w.wait.kind == kind; };
    const int64_t waiting = std::count_if(warps.begin(), warps.end(), waits);
    if (waiting == 0)
        return false;
    const bool clock = kind == Wait::Kind::MayEnd &&
                       std::any_of(warps.begin(), warps.end(), [&](const Warp& w) { return waits(w) && w.wait.clock; });
    if (clock)
        passIdly();
    const int64_t stretch = stretchOf(waiting);
    for (Warp& w : warps) {
        if (!waits(w))
            continue;
        release(w, false);
        if (kind == Wait::Kind::Politely)
            continue;
        if (w.wait.clock) { // is it the end of its loop now?
            noteTurn(static_cast<uint32_t>(w.index), false);
            if (watch(w) == Seen::Works)
                inVain() = 0;
            continue;
        }
        countPasses(w.wait);
        w.stride = stretch;
        inVain() += w.stride;
        for (PollLoop& loop : w.pollLoops)
            loop = {static_cast<int32_t>(w.stride), 0};
    }
    return true;
}

/// The same for a block whose warps wait together.
void Block::letBlockTry() {
    Wait& wait = together.wait;
    together.parked = false;
    if (wait.clock) {
        passIdly();
        together.wanted = true;
        if (watchTogether(*this) == Seen::Works)
            inVain() = 0;
        return;
    }
    countPasses(wait);
    together.left = static_cast<int>(stretchOf(1));
    inVain() += together.left;
}

/// Those who have come further would help, as a rule.
bool Block::isTimeForLanes() const { return inVain() >= patience || idleStep >= idlePatience; }

bool Block::waitsForBlocks() const {
    if (together.parked)
        return together.wait.reads.anyGlobal();
    return std::any_of(warps.begin(), warps.end(),
                       [](const Warp& w) { return w.state == WarpState::Waiting && w.wait.reads.anyGlobal(); });
}

bool Block::mayGoOn() const {
    if (together.parked)
        return !together.wait.reads.stillThere();
    return std::any_of(warps.begin(), warps.end(), [](const Warp& w) {
        return w.state == WarpState::Ready || (w.state == WarpState::Waiting && !w.wait.reads.stillThere());
    });
}

bool Block::mayInsist() const {
    if (inVain() >= mostFutile || idleStep >= mostIdle / 2)
        return false;
    if (together.parked)
        return together.wait.kind == Wait::Kind::MayEnd;
    return std::any_of(warps.begin(), warps.end(), [](const Warp& w) {
        return w.state == WarpState::Waiting && w.wait.kind == Wait::Kind::MayEnd;
    });
}

std::optional<Finding> Block::deadlock(const std::string& because) const {
    for (const Warp& w : warps) {
        const Wait& wait = together.parked ? together.wait : w.wait;
        if (w.state != WarpState::Waiting && !(together.parked && w.state != WarpState::Ended))
            continue;
        const Op* at = wait.at ? wait.at : wait.head;
        return describe(w, at, std::countr_zero(w.mask), "deadlock",
                        wait.at ? "a wait that nothing can end (" + because + ")"
                                : "a loop that changes nothing and reads nothing never ends");
    }
    return {};
}

bool Block::letLanesAhead(Warp& w, bool early) {
    worker->lookForProgress(w.wait);
    if (std::exchange(w.aheadsSince, worker->progress) != worker->progress)
        w.aheads = 0;
    return vgpu::letLanesAhead(w, early);
}

bool Block::letLanesAhead(bool last) {
    const std::optional<Finding> before = told || !last ? told : deadlock(nobodyElse);
    bool any = false;
    for (Warp& w : warps)
        if (w.state == WarpState::Waiting && letLanesAhead(w, !last)) {
            w.state = WarpState::Ready;
            any = true;
        }
    if (any)
        told = before;
    return any;
}

void Block::stuck(const std::string& because) {
    if (!told)
        told = deadlock(because.empty() ? nobodyElse : because);
    if (told)
        throw KernelFault(*told);
    for (const Warp& w : warps)
        if (w.state == WarpState::AtBarrier) {
            const int lane = std::countr_zero(w.mask);
            fault(w, w.waitsAt, lane, "barrier",
                  fmt::format("a barrier that only {} of {} threads reached",
                              barriers[static_cast<size_t>(w.barrier)].arrived,
                              barriers[static_cast<size_t>(w.barrier)].expected
                                  ? barriers[static_cast<size_t>(w.barrier)].expected
                                  : liveThreads));
        }
    throw std::logic_error("a block without a runnable warp");
}

} // namespace warplight::vgpu
