// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a block: its warps in turn, each until it has to wait.
#include "gpu/virtual/block.h"

#include "gpu/error.h"
#include "gpu/virtual/time_model.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::vgpu {
namespace {

constexpr int64_t turn = 2048; ///< backward branches before the next warp runs

Dim3 position(uint64_t number, const Dim3& extent) {
    return {static_cast<uint32_t>(number % extent.x), static_cast<uint32_t>(number / extent.x % extent.y),
            static_cast<uint32_t>(number / extent.x / extent.y)};
}

constexpr int32_t longestPause = 31; ///< passes over a polling loop without a look at it
constexpr int turnsAlone = 8;        ///< in which a warp polls, until other blocks have theirs

void execute(Warp& w, std::vector<OpCount>& counts, const Op* first) {
    const Op* op = w.pc;
    while (op) {
        OpCount& count = counts[static_cast<size_t>(op - first)];
        ++count.warps;
        count.threads += w.active;
        op = op->run(w, op);
    }
}

} // namespace

LaunchCounts Worker::total() const {
    LaunchCounts all = counts;
    if (watching)
        all.add(aside);
    return all;
}

void Block::start(Warp& w, int index) {
    const uint64_t threads = launch->block.count();
    const uint64_t first = static_cast<uint64_t>(index) * warpSize;
    const uint64_t here = std::min<uint64_t>(warpSize, threads - first);
    const uint32_t mask = here == warpSize ? fullMask : (1u << here) - 1;
    w.block = this;
    w.index = index;
    w.state = WarpState::Ready;
    w.registers.resize(program->frameBytes);
    w.rows[0] = w.registers.data();
    w.rows[1] = const_cast<std::byte*>(program->constants.data());
    w.setMask(mask);
    w.exited = ~mask;
    w.pc = program->ops.data() + program->entry;
    w.join = nullptr;
    w.stride = firstStride;
    w.watched = w.insists = false;
    w.aheads = w.lastTurn = 0;
    w.aheadsSince = 0;
    w.wait.ops.clear();
    w.fenced.clear();
    w.seen.clear();
    w.pollLoops.assign(program->pollLoops, {});
    w.stack.clear();
    w.frames.clear();
    w.frameAt = w.localAt = w.function = 0;
    w.copies.assign(1, {});
    w.open = 0;
    w.local = local.data() + static_cast<int64_t>(index) * warpSize * localPerThread;
    w.barrier = -1;
}

uint64_t Block::elapsedClocks() const {
    const uint64_t worked =
        worker->watching ? blockClocks(*launch, worker->total(), before) : blockClocks(*launch, worker->counts, before);
    return worked + idleClocks;
}

void Block::endPhase() {
    if (!launch->phases || number >= launch->phaseBlocks)
        return;
    LaunchCounts now = worker->total();
    gpu::BlockPhase phase = phaseOf(*launch, now, phaseBefore);
    phase.block = number;
    phaseBefore = std::move(now);
    static std::mutex oneAtATime;
    const std::scoped_lock lock(oneAtATime);
    (*launch->phases)(phase);
}

void Block::begin(const Launch& l, Worker& wk, uint64_t n) {
    launch = &l;
    program = l.program;
    worker = &wk;
    number = n;
    at = position(n, l.grid);
    const auto count = static_cast<size_t>((l.block.count() + warpSize - 1) / warpSize);
    warps.resize(count);
    shared.assign(static_cast<size_t>(l.sharedBytes), std::byte{});
    localPerThread = 0;
    for (const Program::Function& f : program->functions) // one of each on the stack at least; grows when called deeper
        localPerThread += f.localBytes;
    if (program->functions.size() > 1)
        localPerThread = std::max<int64_t>(localPerThread * 4, 1024);
    local.assign(count * warpSize * static_cast<size_t>(localPerThread), std::byte{});
    barriers = {};
    liveThreads = static_cast<uint32_t>(l.block.count());
    if (program->usesClock)
        before = wk.counts;
    if (l.phases && n < l.phaseBlocks)
        phaseBefore = wk.counts;
    if (l.checks) {
        clocks.assign(count, std::vector<uint32_t>(count, 0));
        for (size_t i = 0; i < count; ++i)
            clocks[i][i] = 1;
        barrierClocks.clear();
        marks.assign(static_cast<size_t>(l.sharedBytes), {});
        doubleWrites.clear();
    }
    for (size_t i = 0; i < count; ++i)
        start(warps[i], static_cast<int>(i));
    idleClocks = idleStep = 0;
    futile = 0;
    idleLoops = 0;
    yielded = false;
    together = {};
    told.reset();
    output.clear();
    sectors.clear();
    turns.clear();
    leftAt = {};
}

void Block::noteTurn(uint32_t warp, bool opened) {
    if (worker->sectorStream)
        turns.push_back({sectors.size(), warp, (turns.empty() ? 0 : turns.back().phase) + opened});
}

void Block::takeTurn(Warp& w) {
    noteTurn(static_cast<uint32_t>(w.index), false);
    for (int64_t spent = 0; spent < turn;) {
        const int64_t stride = w.budget = w.stride;
        execute(w, worker->counts.ops, program->ops.data());
        if (w.state != WarpState::Ready || together.released)
            return;
        spent += stride; // it is back at the head of a loop
        PollLoop* loop = w.pollLoop >= 0 ? &w.pollLoops[static_cast<size_t>(w.pollLoop)] : nullptr;
        if (!loop)
            w.stride = std::min(2 * w.stride, turn);
        const Seen seen = watch(w);
        polled = polled || (loop && seen != Seen::Waits);
        if (seen == Seen::Works || (seen == Seen::Unclear && !(loop && w.wait.polls))) // it computes
            inVain() = 0;
        else if (seen == Seen::Unclear && pollsInVain(w, loop->pause + 1))
            return;
        if (loop) {
            // One around a barrier is looked at with the whole block: that has its own pauses.
            loop->pause = seen == Seen::Waits || together.wanted ? 0 : std::min(2 * loop->pause + 1, longestPause);
            loop->left = loop->pause;
        }
        if (w.state != WarpState::Ready)
            return;
    }
}

bool Block::goOn(Worker& by, bool insist) {
    worker = &by;
    // What the worker has done since, or another one at all, is none of this block's.
    if (!leftAt.ops.empty()) {
        for (LaunchCounts* since : {&before, &phaseBefore})
            if (!since->ops.empty()) {
                since->add(worker->counts);
                since->subtract(leftAt);
            }
        leftAt = {};
    }
    std::swap(worker->output, output);
    worker->sectorStream = launch->gpu ? &sectors : nullptr;
    const auto leave = [&](bool ended) {
        if (!ended && (program->usesClock || !phaseBefore.ops.empty()))
            leftAt = worker->counts;
        std::swap(worker->output, output);
        return ended;
    };
    yielded = polled = false;
    for (int turns = 0;;) {
        checkCancelled(launch->cancel);
        if (together.parked && !together.wait.reads.stillThere()) {
            together.parked = false;
            inVain() = 0;
        }
        if (!together.parked) {
            if (runWarps()) {
                // What it polls may have to be written by another, even where it is not seen to wait.
                turns += std::exchange(polled, false);
                yielded = program->ordered && turns >= turnsAlone && launch->grid.count() > 1;
                if (yielded)
                    return leave(false);
                continue;
            }
            if (std::all_of(warps.begin(), warps.end(), [](const Warp& w) { return w.state == WarpState::Ended; })) {
                settleDoubleWrites();
                endPhase();
                return leave(true);
            }
            if (letWaitingTry(Wait::Kind::Politely))
                continue;
        }
        const bool outside = waitsForBlocks();
        if ((!outside || insist) && mayInsist()) {
            if (isTimeForLanes() && letLanesAhead(false))
                continue;
            if (together.parked)
                letBlockTry();
            else
                letWaitingTry(Wait::Kind::MayEnd);
            insist = false;
        } else if (outside) {
            return leave(false);
        } else if (!letLanesAhead()) {
            stuck();
        }
    }
}

/// Gives each warp that can go on a turn. False: none can.
bool Block::runWarps() {
    bool any = false;
    for (Warp& w : warps) {
        if (w.state == WarpState::Waiting && !w.wait.reads.stillThere())
            release(w, true);
        if (w.state != WarpState::Ready)
            continue;
        takeTurn(w);
        any = true;
        if (together.released) {
            const int64_t passes = together.pause + 1;
            if (const Seen seen = watchTogether(*this); seen == Seen::Works)
                inVain() = 0;
            else if (seen == Seen::Unclear)
                countInVain(together.wait, passes);
            return true;
        }
    }
    return any;
}

Finding Block::describe(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what) const {
    const Program::Instruction& i = program->instructions[program->origins[op->index].instruction];
    const Dim3 thread = position(static_cast<uint64_t>(w.index * warpSize + std::max(lane, 0)), launch->block);
    std::string source;
    if (i.source.line > 0 && static_cast<size_t>(i.source.file) < program->files.size())
        source = fmt::format(", {}:{}", program->files[static_cast<size_t>(i.source.file)], i.source.line);
    Finding f;
    f.kind = kind;
    f.message = fmt::format("{}: {} in kernel {}, block ({}, {}, {}), thread ({}, {}, {}), at '{}' ({}:{}{})", kind,
                            what, program->kernel, at.x, at.y, at.z, thread.x, thread.y, thread.z, i.text,
                            program->file, i.line, source);
    f.line = i.line;
    f.source = i.source;
    f.block = number;
    return f;
}

void Block::report(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what, bool note) {
    const int line = program->instructions[program->origins[op->index].instruction].line;
    for (Finding& known : worker->findings)
        if (known.line == line && known.kind == kind) {
            ++known.count;
            return;
        }
    worker->findings.push_back(describe(w, op, lane, kind, what));
    worker->findings.back().note = note;
}

void Block::settleDoubleWrites() {
    for (size_t first = 0, last = 0; first < doubleWrites.size(); first = last) { // the bytes of a lane
        bool same = true;
        for (; last < doubleWrites.size() && doubleWrites[last].lane == doubleWrites[first].lane; ++last)
            same = same && shared[doubleWrites[last].at] == doubleWrites[last].before;
        const DoubleWrite& d = doubleWrites[first];
        const Warp& w = warps[static_cast<size_t>(d.warp)];
        if (same)
            report(w, d.op, d.lane, "same value",
                   fmt::format("byte {} of shared memory is written by warp {} too, with no barrier between, but both "
                               "write the same,",
                               d.at, d.other),
                   true);
        else
            report(w, d.op, d.lane, "race",
                   fmt::format("byte {} of shared memory is written while warp {} writes it, with no barrier between,",
                               d.at, d.other));
    }
    doubleWrites.clear();
}

void Block::fault(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what) const {
    throw KernelFault(describe(w, op, lane, kind, what));
}

const Op* nextPath(Warp& w) {
    while (!w.stack.empty()) {
        const Path path = w.stack.back();
        w.stack.pop_back();
        if (path.call >= 0) { // back in the caller
            const Frame& frame = w.frames.back();
            w.frameAt = frame.registers;
            w.localAt = frame.local;
            w.function = frame.function;
            w.frames.pop_back();
            w.rows[0] = w.registers.data() + w.frameAt;
        }
        const uint32_t mask = path.mask & ~w.exited;
        if (mask == 0)
            continue;
        w.setMask(mask);
        w.join = path.join;
        return path.pc;
    }
    w.state = WarpState::Ended;
    w.block->inVain() = 0;
    w.setMask(0);
    w.pc = nullptr;
    settleBarriers(*w.block);
    return nullptr;
}

} // namespace warplight::vgpu
