// SPDX-License-Identifier: GPL-3.0-or-later
// An mbarrier is a 64-bit word of shared memory. Its bits are opaque to programs; here they are: 0 … 19 arrivals still
// missing, 20 … 39 arrivals that a phase takes, 40 … 61 bytes still expected (two's complement), 63 the phase's parity.
#include "gpu/virtual/ops/mbarrier.h"

#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/memory_access.h"
#include "gpu/virtual/ops/ordering.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace warplight::vgpu {
namespace {

constexpr uint64_t countMask = 0xfffff;

struct State {
    uint64_t pending, expected;
    int64_t bytes;
    bool parity;

    static State of(uint64_t word) {
        return {word & countMask, word >> 20 & countMask, static_cast<int64_t>(word << 2) >> 42, (word >> 63) != 0};
    }
    uint64_t word() const {
        return (pending & countMask) | (expected & countMask) << 20 | (static_cast<uint64_t>(bytes) & 0x3fffff) << 40 |
               static_cast<uint64_t>(parity) << 63;
    }
    void settle() {
        if (pending == 0 && bytes == 0) {
            pending = expected;
            parity = !parity;
        }
    }
};

uint64_t addressOf(const Warp& w, const Op* op, int lane) {
    const uint64_t base = op->bytes == 8 ? in<uint64_t>(w, op->a)[lane] : in<uint32_t>(w, op->a)[lane];
    return (base + static_cast<uint64_t>(op->imm)) & 0xffffffffu; // a generic address lies in shared memory's window
}

/// The lane's barrier, checked; call `change` with its state and write it back.
template <class Change>
void forEachLane(Warp& w, const Op* op, Change change) {
    for (int lane = 0; lane < warpSize; ++lane) {
        if (!has(w.mask, lane))
            continue;
        const uint64_t at = addressOf(w, op, lane);
        if (at % 8 != 0 || at + 8 > w.block->shared.size())
            w.block->fault(w, op, lane, at % 8 ? "misaligned" : "out of bounds",
                           fmt::format("an mbarrier at {} of {} bytes of shared memory", at, w.block->shared.size()));
        uint64_t word;
        std::memcpy(&word, w.block->shared.data() + at, 8);
        State state = State::of(word);
        change(lane, state, at);
        word = state.word();
        std::memcpy(w.block->shared.data() + at, &word, 8);
    }
}

uint64_t countOf(const Warp& w, const Op* op, int lane) { return op->b == noRow ? 1 : in<uint32_t>(w, op->b)[lane]; }

void markWritten(Warp& w, uint64_t at) {
    for (size_t i = at; !w.block->marks.empty() && i < at + 8; ++i)
        w.block->marks[i].written = 1;
}

/// A phase that is not complete is waited for, as long as others can go on: what tests is delayed, which a GPU may do
/// too.
template <class Done>
const Op* test(Warp& w, const Op* op, Done done) {
    uint32_t holds = 0;
    forEachLane(w, op, [&](int lane, State& s, uint64_t at) {
        if (done(lane, s)) {
            holds |= 1u << lane;
            observeAt(w, at);
        }
    });
    if (holds == 0 && !w.insists && !w.watched && op->predicate == noRow) {
        Reads reads;
        reads.add(w, op);
        waitPolitely(w, op, std::move(reads));
        return nullptr;
    }
    uint32_t* row = out<uint32_t>(w, op->dst);
    *row = (*row & ~w.mask) | holds;
    return op + 1;
}

} // namespace

const Op* barrierObjectInit(Warp& w, const Op* op) {
    forEachLane(w, op, [&](int lane, State& s, uint64_t at) {
        const uint64_t count = countOf(w, op, lane);
        s = {count, count, 0, false};
        markWritten(w, at);
    });
    return op + 1;
}

const Op* barrierObjectInvalidate(Warp&, const Op* op) { return op + 1; }

const Op* barrierObjectArrive(Warp& w, const Op* op) {
    ++w.block->worker->counts.barriers;
    uint64_t last = UINT64_MAX;
    forEachLane(w, op, [&](int lane, State& s, uint64_t at) {
        if (at != last)
            publishAt(w, last = at);
        const uint64_t count = countOf(w, op, lane), before = s.word();
        if (count > s.pending)
            w.block->fault(w, op, lane, "barrier",
                           fmt::format("{} arrivals at an mbarrier that waits for {}", count, s.pending));
        s.pending -= count;
        if (op->detail == 1)
            s.expected -= count;
        s.settle();
        if (op->dst != noRow)
            out<uint64_t>(w, op->dst)[lane] = before;
    });
    return op + 1;
}

const Op* barrierObjectExpect(Warp& w, const Op* op) {
    forEachLane(w, op, [&](int lane, State& s, uint64_t at) {
        const auto bytes = static_cast<int64_t>(in<uint32_t>(w, op->b)[lane]);
        const uint64_t before = s.word();
        s.bytes += op->detail == 2 ? -bytes : bytes;
        if (op->detail == 3) {
            publishAt(w, at);
            if (s.pending == 0)
                w.block->fault(w, op, lane, "barrier", "an arrival at an mbarrier that waits for none");
            --s.pending;
        }
        if (op->detail >= 2)
            s.settle();
        if (op->dst != noRow)
            out<uint64_t>(w, op->dst)[lane] = before;
    });
    return op + 1;
}

const Op* barrierObjectTestState(Warp& w, const Op* op) {
    return test(w, op,
                [&](int lane, const State& s) { return State::of(in<uint64_t>(w, op->b)[lane]).parity != s.parity; });
}

const Op* barrierObjectTestParity(Warp& w, const Op* op) {
    return test(w, op, [&](int lane, const State& s) {
        return static_cast<bool>(in<uint32_t>(w, op->b)[lane] & 1) != s.parity;
    });
}

const Op* barrierObjectPending(Warp& w, const Op* op) {
    for (int lane = 0; lane < warpSize; ++lane)
        if (has(w.mask, lane))
            out<uint32_t>(w, op->dst)[lane] = static_cast<uint32_t>(State::of(in<uint64_t>(w, op->b)[lane]).pending);
    return op + 1;
}

const Op* barrierObjectCopies(Warp& w, const Op* op) {
    Op wait = *op;
    wait.imm = -1;
    waitAsync(w, &wait);
    if (op->detail == 0) // the arrival adds to what the phase takes: it comes to nothing
        return op + 1;
    Op arrive = *op;
    arrive.detail = 0;
    arrive.dst = arrive.b = noRow;
    barrierObjectArrive(w, &arrive);
    return op + 1;
}

} // namespace warplight::vgpu
