// SPDX-License-Identifier: GPL-3.0-or-later
// Control flow and calls (PTX ISA, 9.7.12).
#include "gpu/virtual/ops/control.h"

#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/builtin.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <vector>

namespace warplight::vgpu {
namespace {

const Op* at(const Warp& w, int64_t index) { return w.block->program->ops.data() + index; }

/// Going back counts against the turn, so that a loop that waits for another warp lets it run. Loops around reads that
/// poll are looked at sooner.
const Op* go(Warp& w, const Op* from, const Op* to) {
    if (to > from)
        return to;
    const bool polls = from->bytes != 0 && --w.pollLoops[from->access].left < 0;
    if (--w.budget > 0 && !polls)
        return to;
    w.pollLoop = polls ? static_cast<int32_t>(from->access) : -1;
    w.pc = to;
    return nullptr;
}

/// Whether lanes that go there do nothing but leave the kernel.
bool leaves(const Warp& w, const Op* op) {
    if (op->run == &joinPaths)
        ++op;
    return op->run == &exitThreads || (op->run == &returnFromFunction && w.frames.empty());
}

/// Some lanes leave, the others go on. They leave at once: a barrier must not wait for them.
void leave(Warp& w, uint32_t lanes, uint32_t others) {
    w.exited |= lanes;
    w.block->liveThreads -= static_cast<uint32_t>(std::popcount(lanes));
    w.setMask(others);
    settleBarriers(*w.block);
}

void copySlots(std::byte* to, const Program::Function::Slot& toSlot, const std::byte* from,
               const Program::Function::Slot& fromSlot, uint32_t mask) {
    const uint32_t bytes = std::min(toSlot.bytes, fromSlot.bytes);
    for (int lane = 0; lane < warpSize; ++lane)
        if (has(mask, lane))
            std::memcpy(to + toSlot.offset + static_cast<uint32_t>(lane) * toSlot.bytes,
                        from + fromSlot.offset + static_cast<uint32_t>(lane) * fromSlot.bytes, bytes);
}

} // namespace

const Op* predicated(Warp& w, const Op* op) {
    const uint32_t holds = *in<uint32_t>(w, op->predicate) ^ (op->guardNegated ? fullMask : 0);
    const uint32_t all = w.mask, on = all & holds;
    w.block->worker->counts.ops[op->index].threads -= static_cast<uint64_t>(std::popcount(all & ~holds));
    if (on != 0) {
        w.setMask(on);
        op->inner(w, op);
        w.setMask(all);
    }
    return op + 1;
}

const Op* nothing(Warp&, const Op* op) { return op + 1; }

const Op* jump(Warp& w, const Op* op) { return go(w, op, at(w, op->imm)); }

const Op* branch(Warp& w, const Op* op) {
    const uint32_t holds = *in<uint32_t>(w, op->a) ^ (op->negated ? fullMask : 0);
    const uint32_t taken = w.mask & holds, passed = w.mask & ~holds;
    ++w.block->worker->counts.branches;
    const Op* target = at(w, op->imm);
    if (passed == 0)
        return go(w, op, target);
    if (taken == 0)
        return op + 1;
    ++w.block->worker->counts.divergentBranches;
    if (leaves(w, target)) {
        leave(w, taken, passed);
        return op + 1;
    }
    if (leaves(w, op + 1)) {
        leave(w, passed, taken);
        return go(w, op, target);
    }
    const Op* meet = op->d == noRow ? nullptr : at(w, op->d);
    if (meet != w.join || !meet) {
        if (meet)
            w.stack.push_back({meet, w.mask, w.join});
        w.join = meet;
    }
    if (target == meet) { // those who jump wait there
        w.setMask(passed);
        return op + 1;
    }
    if (op + 1 != meet)
        w.stack.push_back({op + 1, passed, meet});
    w.setMask(taken);
    return go(w, op, target);
}

const Op* branchIndirect(Warp& w, const Op* op) {
    const std::vector<uint32_t>& targets = w.block->program->branchTargets[op->detail];
    const uint32_t* index = in<uint32_t>(w, op->a);
    ++w.block->worker->counts.branches;
    const Op* meet = op->d == noRow ? nullptr : at(w, op->d);
    uint32_t left = w.mask;
    const uint32_t all = w.mask;
    bool first = true;
    const Op* next = nullptr;
    while (left != 0) {
        const int lane = std::countr_zero(left);
        if (index[lane] >= targets.size())
            w.block->fault(w, op, lane, "branch",
                           fmt::format("an index of {} into {} branch targets", index[lane], targets.size()));
        uint32_t same = 0;
        for (int i = lane; i < warpSize; ++i)
            if (has(left, i) && index[i] == index[lane])
                same |= 1u << i;
        left &= ~same;
        const Op* target = at(w, targets[index[lane]]);
        if (first && left == 0)
            return go(w, op, target);
        if (first) {
            ++w.block->worker->counts.divergentBranches;
            if (meet && meet != w.join)
                w.stack.push_back({meet, all, w.join});
            w.join = meet;
        }
        if (target == meet) {
            first = false;
            continue;
        }
        if (next)
            w.stack.push_back({target, same, meet});
        else {
            next = target;
            w.setMask(same);
        }
        first = false;
    }
    return next ? go(w, op, next) : nextPath(w);
}

const Op* joinPaths(Warp& w, const Op* op) { return w.join == op ? nextPath(w) : op + 1; }

const Op* exitThreads(Warp& w, const Op*) {
    w.exited |= w.mask;
    w.block->liveThreads -= w.active;
    settleBarriers(*w.block);
    return nextPath(w);
}

const Op* callFunction(Warp& w, const Op* op) {
    const Program& program = *w.block->program;
    const Program::Call& call = program.calls[op->detail];
    int target = call.function;
    uint32_t mask = w.mask;
    if (target < 0) { // lanes that call the same function go first; the others come back to this call
        const uint64_t* address = in<uint64_t>(w, op->a);
        const int lane = std::countr_zero(mask);
        const uint64_t number = (address[lane] - functionAddress(0)) / 16;
        target = number < program.functionOf.size() ? program.functionOf[number] : -1;
        if (target < 0)
            w.block->fault(w, op, lane, "call", fmt::format("a call of {:#x}, which is no function,", address[lane]));
        for (int i = 0; i < warpSize; ++i)
            if (has(mask, i) && address[i] != address[lane])
                mask &= ~(1u << i);
        if (mask != w.mask) {
            // The others run the same call after these have come back; both meet behind it.
            w.stack.push_back({op + 1, w.mask, w.join});
            w.stack.push_back({op, w.mask & ~mask, op + 1});
            w.stack.push_back({op + 1, mask, op + 1, static_cast<int>(w.frames.size())});
        } else {
            w.stack.push_back({op + 1, mask, w.join, static_cast<int>(w.frames.size())});
        }
    } else {
        w.stack.push_back({op + 1, mask, w.join, static_cast<int>(w.frames.size())});
    }
    const Program::Function& callee = program.functions[static_cast<size_t>(target)];
    const Program::Function& caller = program.functions[w.function];
    w.frames.push_back({w.frameAt, w.localAt, w.function, op});
    const uint32_t frameAt = w.frameAt + caller.frameBytes, localAt = w.localAt + caller.localBytes;
    if (w.registers.size() < frameAt + callee.frameBytes) {
        if (frameAt > (64u << 20))
            w.block->fault(w, op, std::countr_zero(mask), "stack", "a call deeper than 64 MiB of registers");
        w.registers.resize(2 * (frameAt + callee.frameBytes));
    }
    if (static_cast<int64_t>(localAt) + callee.localBytes > w.block->localPerThread)
        w.block->fault(w, op, std::countr_zero(mask), "stack", "a call deeper than the stack of local memory");
    for (size_t i = 0; i < callee.parameters.size() && i < call.arguments.size(); ++i)
        copySlots(w.registers.data() + frameAt, callee.parameters[i], w.registers.data() + w.frameAt, call.arguments[i],
                  mask);
    w.frameAt = frameAt;
    w.localAt = localAt;
    w.function = static_cast<uint32_t>(target);
    w.rows[0] = w.registers.data() + frameAt;
    w.setMask(mask);
    w.join = nullptr;
    return at(w, callee.entry);
}

const Op* returnFromFunction(Warp& w, const Op* op) {
    if (w.frames.empty())
        return exitThreads(w, op);
    const Program& program = *w.block->program;
    const Frame& frame = w.frames.back();
    const Program::Call& call = program.calls[frame.call->detail];
    const Program::Function& callee = program.functions[w.function];
    for (size_t i = 0; i < callee.returns.size() && i < call.returns.size(); ++i)
        copySlots(w.registers.data() + frame.registers, call.returns[i], w.registers.data() + w.frameAt,
                  callee.returns[i], w.mask);
    return nextPath(w);
}

const Op* callBuiltin(Warp& w, const Op* op) {
    const Program::Call& call = w.block->program->calls[op->detail];
    runBuiltin(w, op, call);
    return op + 1;
}

const Op* trap(Warp& w, const Op* op) {
    w.block->fault(w, op, std::countr_zero(w.mask), "trap", "the kernel stopped itself (trap)");
}

} // namespace warplight::vgpu
