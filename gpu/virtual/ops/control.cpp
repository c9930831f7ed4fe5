// Control flow, calls, barriers, special registers (PTX ISA, 9.7.12, 9.7.13, 10).
#include "gpu/virtual/ops/control.h"

#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/builtin.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace warplight::vgpu {
namespace {

const Op* at(const Warp& w, int64_t index) { return w.block->program->ops.data() + index; }

/// Going back counts against the turn, so that a loop that waits for another warp lets it run.
const Op* go(Warp& w, const Op* from, const Op* to) {
    if (to <= from && --w.budget <= 0) {
        w.pc = to;
        return nullptr;
    }
    return to;
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

// ---- barriers

namespace {

void release(Block& block, size_t number) {
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
    return w.state == WarpState::Ready ? op + 1 : nullptr;
}

/// Lanes of a warp run in step here, so there is nothing to wait for. A member that has gone another way is an error
/// only on the GPU if it never arrives; the mask is what tells.
const Op* warpBarrier(Warp&, const Op* op) { return op + 1; }

// ---- special registers

SpecialRegister specialByName(const std::string& name) {
    using R = SpecialRegister;
    static const std::map<std::string, R> names = {{"%tid.x", R::TidX},
                                                   {"%tid.y", R::TidY},
                                                   {"%tid.z", R::TidZ},
                                                   {"%ntid.x", R::NtidX},
                                                   {"%ntid.y", R::NtidY},
                                                   {"%ntid.z", R::NtidZ},
                                                   {"%ctaid.x", R::CtaidX},
                                                   {"%ctaid.y", R::CtaidY},
                                                   {"%ctaid.z", R::CtaidZ},
                                                   {"%nctaid.x", R::NctaidX},
                                                   {"%nctaid.y", R::NctaidY},
                                                   {"%nctaid.z", R::NctaidZ},
                                                   {"%laneid", R::LaneId},
                                                   {"%warpid", R::WarpId},
                                                   {"%nwarpid", R::NWarpId},
                                                   {"%smid", R::SmId},
                                                   {"%nsmid", R::NSmId},
                                                   {"%gridid", R::GridId},
                                                   {"%lanemask_eq", R::LaneMaskEq},
                                                   {"%lanemask_le", R::LaneMaskLe},
                                                   {"%lanemask_lt", R::LaneMaskLt},
                                                   {"%lanemask_ge", R::LaneMaskGe},
                                                   {"%lanemask_gt", R::LaneMaskGt},
                                                   {"%clock", R::Clock},
                                                   {"%clock_hi", R::ClockHi},
                                                   {"%clock64", R::Clock64},
                                                   {"%globaltimer", R::GlobalTimer},
                                                   {"%globaltimer_lo", R::GlobalTimerLo},
                                                   {"%globaltimer_hi", R::GlobalTimerHi},
                                                   {"%dynamic_smem_size", R::DynamicShared},
                                                   {"%total_smem_size", R::TotalShared},
                                                   // A block is a cluster of its own.
                                                   {"%cluster_ctaid.x", R::Zero},
                                                   {"%cluster_ctaid.y", R::Zero},
                                                   {"%cluster_ctaid.z", R::Zero},
                                                   {"%cluster_ctarank", R::Zero},
                                                   {"%cluster_nctaid.x", R::One},
                                                   {"%cluster_nctaid.y", R::One},
                                                   {"%cluster_nctaid.z", R::One},
                                                   {"%cluster_nctarank", R::One},
                                                   {"%clusterid.x", R::CtaidX},
                                                   {"%clusterid.y", R::CtaidY},
                                                   {"%clusterid.z", R::CtaidZ},
                                                   {"%nclusterid.x", R::NctaidX},
                                                   {"%nclusterid.y", R::NctaidY},
                                                   {"%nclusterid.z", R::NctaidZ}};
    const auto found = names.find(name);
    return found == names.end() ? R::None : found->second;
}

bool isWide(SpecialRegister r) {
    return r == SpecialRegister::GridId || r == SpecialRegister::Clock64 || r == SpecialRegister::GlobalTimer;
}

namespace {

/// Instructions that the block has issued, one a clock: see docs/time-model.md.
uint64_t clocks(const Warp& w) { return w.block->issued() - w.block->issuedBefore; }

uint64_t specialValue(const Warp& w, SpecialRegister r, int lane) {
    using R = SpecialRegister;
    const Launch& l = *w.block->launch;
    const int multiprocessors = l.gpu ? l.gpu->multiprocessors : 1;
    const double clockHz = l.gpu ? l.gpu->clockHz : 1e9;
    const auto thread = static_cast<uint32_t>(w.index * warpSize + lane);
    const uint32_t bit = 1u << lane;
    switch (r) {
    case R::TidX:
        return thread % l.block.x;
    case R::TidY:
        return thread / l.block.x % l.block.y;
    case R::TidZ:
        return thread / l.block.x / l.block.y;
    case R::NtidX:
        return l.block.x;
    case R::NtidY:
        return l.block.y;
    case R::NtidZ:
        return l.block.z;
    case R::CtaidX:
        return w.block->at.x;
    case R::CtaidY:
        return w.block->at.y;
    case R::CtaidZ:
        return w.block->at.z;
    case R::NctaidX:
        return l.grid.x;
    case R::NctaidY:
        return l.grid.y;
    case R::NctaidZ:
        return l.grid.z;
    case R::LaneId:
        return static_cast<uint64_t>(lane);
    case R::WarpId:
        return static_cast<uint64_t>(w.index);
    case R::NWarpId:
        return w.block->warps.size();
    case R::SmId:
        return w.block->number % static_cast<uint64_t>(multiprocessors);
    case R::NSmId:
        return static_cast<uint64_t>(multiprocessors);
    case R::LaneMaskEq:
        return bit;
    case R::LaneMaskLe:
        return bit | (bit - 1);
    case R::LaneMaskLt:
        return bit - 1;
    case R::LaneMaskGe:
        return ~(bit - 1);
    case R::LaneMaskGt:
        return ~(bit | (bit - 1));
    case R::Clock:
    case R::Clock64:
        return clocks(w);
    case R::ClockHi:
        return clocks(w) >> 32;
    case R::GlobalTimer:
    case R::GlobalTimerLo:
        return static_cast<uint64_t>(static_cast<double>(clocks(w)) * 1e9 / clockHz);
    case R::GlobalTimerHi:
        return static_cast<uint64_t>(static_cast<double>(clocks(w)) * 1e9 / clockHz) >> 32;
    case R::DynamicShared:
        return static_cast<uint64_t>(l.dynamicShared);
    case R::TotalShared:
        return static_cast<uint64_t>(l.sharedBytes);
    case R::One:
        return 1;
    default:
        return 0;
    }
}

} // namespace

const Op* readSpecial(Warp& w, const Op* op) {
    const auto r = static_cast<SpecialRegister>(op->imm);
    const bool perLane =
        r <= SpecialRegister::TidZ || (r >= SpecialRegister::LaneId && r <= SpecialRegister::LaneMaskGt);
    uint64_t value = specialValue(w, r, std::countr_zero(w.mask));
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i)) {
            if (perLane)
                value = specialValue(w, r, i);
            if (op->bytes == 8)
                out<uint64_t>(w, op->dst)[i] = value;
            else
                out<uint32_t>(w, op->dst)[i] = static_cast<uint32_t>(value);
        }
    return op + 1;
}

const Op* localAddress(Warp& w, const Op* op) {
    const uint64_t offset = w.localAt + static_cast<uint64_t>(op->imm);
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i)) {
            if (op->bytes == 8)
                out<uint64_t>(w, op->dst)[i] = offset;
            else
                out<uint32_t>(w, op->dst)[i] = static_cast<uint32_t>(offset);
        }
    return op + 1;
}

namespace {

template <class T>
void broadcast(Warp& w, Row row, const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    T* to = out<T>(w, row);
    for (int i = 0; i < warpSize; ++i)
        to[i] = has(w.mask, i) ? value : to[i];
}

} // namespace

const Op* loadParameter(Warp& w, const Op* op) {
    const std::byte* from = w.block->launch->parameters.data() + op->imm;
    switch (op->bytes) {
    case 2:
        broadcast<uint16_t>(w, op->dst, from);
        break;
    case 4:
        broadcast<uint32_t>(w, op->dst, from);
        break;
    default:
        broadcast<uint64_t>(w, op->dst, from);
        break;
    }
    return op + 1;
}

/// A lane's bytes: op->bytes of them at imm of a slot that begins at `detail` and has `count` bytes a lane.
const Op* loadSlot(Warp& w, const Op* op) {
    const std::byte* slot = w.rows[0] + op->detail;
    const int width = static_cast<int>(op->access); // of the register
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i)) {
            uint64_t value = 0;
            std::memcpy(&value, slot + i * op->count + op->imm, op->bytes);
            if (op->negated && op->bytes < 8) // signed: spread the sign
                value =
                    static_cast<uint64_t>(static_cast<int64_t>(value << (64 - 8 * op->bytes)) >> (64 - 8 * op->bytes));
            std::memcpy(w.rows[0] + op->dst + i * width, &value, static_cast<size_t>(width));
        }
    return op + 1;
}

const Op* storeSlot(Warp& w, const Op* op) {
    std::byte* slot = w.rows[0] + op->detail;
    const int width = static_cast<int>(op->access);
    const std::byte* row = w.rows[op->a & 1] + (op->a & ~1u);
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i))
            std::memcpy(slot + i * op->count + op->imm, row + i * width, op->bytes);
    return op + 1;
}

} // namespace warplight::vgpu
