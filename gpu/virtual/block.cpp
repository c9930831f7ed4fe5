// Runs a block: its warps in turn, each until it has to wait.
#include "gpu/virtual/block.h"

#include "gpu/error.h"
#include "gpu/virtual/time_model.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace warplight::vgpu {
namespace {

constexpr int64_t turn = 2048; ///< backward branches before the next warp runs: waiting loops get what they wait for

Dim3 position(uint64_t number, const Dim3& extent) {
    return {static_cast<uint32_t>(number % extent.x), static_cast<uint32_t>(number / extent.x % extent.y),
            static_cast<uint32_t>(number / extent.x / extent.y)};
}

void execute(Warp& w, std::vector<OpCount>& counts, const Op* first) {
    const Op* op = w.pc;
    w.budget = turn;
    while (op) {
        OpCount& count = counts[static_cast<size_t>(op - first)];
        ++count.warps;
        count.threads += w.active;
        op = op->run(w, op);
    }
}

} // namespace

void LaunchCounts::add(const LaunchCounts& other) {
    ops.resize(std::max(ops.size(), other.ops.size()));
    for (size_t i = 0; i < other.ops.size(); ++i) {
        ops[i].warps += other.ops[i].warps;
        ops[i].threads += other.ops[i].threads;
    }
    accesses.resize(std::max(accesses.size(), other.accesses.size()));
    for (size_t i = 0; i < other.accesses.size(); ++i) {
        AccessCount& a = accesses[i];
        const AccessCount& b = other.accesses[i];
        a.requests += b.requests;
        a.bytes += b.bytes;
        a.sectors += b.sectors;
        a.wavefronts += b.wavefronts;
        a.ideal += b.ideal;
    }
    buffers.resize(std::max(buffers.size(), other.buffers.size()));
    for (size_t i = 0; i < other.buffers.size(); ++i) {
        BufferCount& a = buffers[i];
        const BufferCount& b = other.buffers[i];
        a.readRequests += b.readRequests;
        a.readBytes += b.readBytes;
        a.readSectors += b.readSectors;
        a.writeRequests += b.writeRequests;
        a.writtenBytes += b.writtenBytes;
        a.writtenSectors += b.writtenSectors;
        a.atomicRequests += b.atomicRequests;
        a.atomicBytes += b.atomicBytes;
    }
    branches += other.branches;
    divergentBranches += other.divergentBranches;
    barriers += other.barriers;
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
    w.issued = 0;
    w.stack.clear();
    w.frames.clear();
    w.frameAt = w.localAt = w.function = 0;
    w.copies.assign(1, {});
    w.open = 0;
    w.local = local.data() + static_cast<int64_t>(index) * warpSize * localPerThread;
    w.barrier = -1;
}

uint64_t Block::elapsedClocks() const { return blockClocks(*launch, worker->counts, before); }

void Block::run(const Launch& l, Worker& wk, uint64_t n) {
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
    if (l.checks) {
        clocks.assign(count, std::vector<uint32_t>(count, 0));
        for (size_t i = 0; i < count; ++i)
            clocks[i][i] = 1;
        barrierClocks.clear();
        marks.assign(static_cast<size_t>(l.sharedBytes), {});
    }
    for (size_t i = 0; i < count; ++i)
        start(warps[i], static_cast<int>(i));

    const Op* first = program->ops.data();
    size_t ended = 0;
    while (ended < count) {
        if (l.cancel && l.cancel->load(std::memory_order_relaxed))
            throw Cancelled();
        bool progress = false;
        ended = 0;
        for (Warp& w : warps) {
            if (w.state == WarpState::Ready) {
                execute(w, wk.counts.ops, first);
                progress = true;
            }
            ended += w.state == WarpState::Ended;
        }
        if (!progress && ended < count)
            stuck();
    }
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

void Block::report(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what) {
    const int line = program->instructions[program->origins[op->index].instruction].line;
    for (Finding& known : worker->findings)
        if (known.line == line && known.kind == kind) {
            ++known.count;
            return;
        }
    worker->findings.push_back(describe(w, op, lane, kind, what));
}

void Block::fault(const Warp& w, const Op* op, int lane, const std::string& kind, const std::string& what) const {
    throw KernelFault(describe(w, op, lane, kind, what));
}

void Block::stuck() const {
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
    w.setMask(0);
    w.pc = nullptr;
    settleBarriers(*w.block);
    return nullptr;
}

} // namespace warplight::vgpu
