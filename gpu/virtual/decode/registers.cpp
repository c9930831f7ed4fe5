// SPDX-License-Identifier: GPL-3.0-or-later
// Registers by linear scan over live intervals (Poletto and Sarkar, "Linear Scan Register Allocation", 1999). PTX has a
// fresh register for nearly every result; a frame with all of them would not fit the processor's caches.
//
// Lanes on different sides of a branch may share a place: each lane follows its own way through the graph, and writes
// touch active lanes only.
#include "gpu/error.h"
#include "gpu/virtual/decode/code.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <vector>

namespace warplight::vgpu {
namespace {

bool isRegister(Row row) { return row != noRow && !(row & constantRow); }

/// Calls visit(row, isWritten) for each register that an operation names; rows may be replaced.
template <class Visit>
void visitRows(Code& code, size_t i, Visit visit) {
    Op& op = code.ops[i];
    const bool partly = op.predicate != noRow; // a guarded write keeps other lanes
    const auto one = [&](Row& row, bool written) {
        if (isRegister(row))
            visit(row, written, partly);
    };
    one(op.a, false);
    one(op.b, false);
    one(op.c, false);
    one(op.d, code.defined[i] & 2);
    one(op.predicate, false);
    if (op.count > 0 && code.listDefined[i] != 0xffff)
        for (size_t k = 0; k < op.count; ++k)
            if (!code.rowIsNumber[op.detail + k])
                one(code.rows[op.detail + k], k < code.listDefined[i]);
    one(op.dst, true);
}

struct Interval {
    size_t begin = std::numeric_limits<size_t>::max(), end = 0;
    int id = 0;
};

} // namespace

uint32_t allocateRegisters(Code& code, int& live, const std::atomic<bool>* cancel) {
    const size_t registers = code.registers.size(), words = (registers + 63) / 64, blocks = code.blockBegin.size();
    using Set = std::vector<uint64_t>;
    std::vector<Set> used(blocks, Set(words)), killed(blocks, Set(words)), in(blocks, Set(words)),
        out(blocks, Set(words));
    const auto blockEnd = [&](size_t b) { return b + 1 < blocks ? code.blockBegin[b + 1] : code.ops.size(); };
    for (size_t b = 0; b < blocks; ++b)
        for (size_t i = code.blockBegin[b]; i < blockEnd(b); ++i) {
            visitRows(code, i, [&](Row& row, bool written, bool) {
                if (!written && !(killed[b][row / 64] >> (row % 64) & 1))
                    used[b][row / 64] |= uint64_t(1) << (row % 64);
            });
            visitRows(code, i, [&](Row& row, bool written, bool partly) {
                if (!written)
                    return;
                if (!partly)
                    killed[b][row / 64] |= uint64_t(1) << (row % 64);
                else if (!(killed[b][row / 64] >> (row % 64) & 1))
                    used[b][row / 64] |= uint64_t(1) << (row % 64);
            });
        }
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t b = blocks; b-- > 0;) {
            checkCancelled(cancel);
            for (size_t word = 0; word < words; ++word) {
                uint64_t after = 0;
                for (const int next : code.blockNext[b])
                    after |= in[static_cast<size_t>(next)][word];
                const uint64_t before = used[b][word] | (after & ~killed[b][word]);
                changed = changed || before != in[b][word];
                out[b][word] = after;
                in[b][word] = before;
            }
        }
    }

    std::vector<Interval> intervals(registers);
    for (size_t r = 0; r < registers; ++r)
        intervals[r].id = static_cast<int>(r);
    const auto touch = [&](size_t r, size_t at) {
        intervals[r].begin = std::min(intervals[r].begin, at);
        intervals[r].end = std::max(intervals[r].end, at);
    };
    for (size_t b = 0; b < blocks; ++b) {
        checkCancelled(cancel);
        if (code.blockBegin[b] == blockEnd(b))
            continue;
        for (size_t word = 0; word < words; ++word)
            for (int side = 0; side < 2; ++side)
                for (uint64_t bits = side == 0 ? in[b][word] : out[b][word]; bits != 0; bits &= bits - 1)
                    touch(word * 64 + static_cast<size_t>(__builtin_ctzll(bits)),
                          side == 0 ? code.blockBegin[b] : blockEnd(b) - 1);
        for (size_t i = code.blockBegin[b]; i < blockEnd(b); ++i)
            visitRows(code, i, [&](Row& row, bool, bool) { touch(row, i); });
    }

    // Places by width; the lowest free one first. An operation's result never shares a place with its operands, since
    // some write one row before they have read another.
    std::vector<Interval> order;
    for (const Interval& interval : intervals)
        if (interval.begin <= interval.end)
            order.push_back(interval);
    std::sort(order.begin(), order.end(), [](const Interval& a, const Interval& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.id < b.id;
    });
    uint32_t frame = (code.slotBytes + 63) / 64 * 64;
    std::map<int, std::vector<uint32_t>> free;              // by row bytes, highest offset first
    std::multimap<size_t, std::pair<int, uint32_t>> active; // by end
    std::vector<uint32_t> place(registers, 0);
    int alive = 0;
    live = 0;
    const auto weight = [](int rowBytes) { return rowBytes == 256 ? 2 : rowBytes == 4 ? 0 : 1; };
    for (const Interval& interval : order) {
        checkCancelled(cancel);
        while (!active.empty() && active.begin()->first < interval.begin) {
            const auto [rowBytes, at] = active.begin()->second;
            free[rowBytes].push_back(at);
            std::push_heap(free[rowBytes].begin(), free[rowBytes].end(), std::greater<>());
            alive -= weight(rowBytes);
            active.erase(active.begin());
        }
        const int bytes = code.registers[static_cast<size_t>(interval.id)].bytes;
        const int rowBytes = bytes == 0 ? 4 : bytes * warpSize;
        std::vector<uint32_t>& places = free[rowBytes];
        if (places.empty()) {
            if (rowBytes == 4) { // sixteen predicates to a line
                for (uint32_t k = 0; k < 16; ++k)
                    places.push_back(frame + 4 * k);
                frame += 64;
                std::make_heap(places.begin(), places.end(), std::greater<>());
            } else {
                places.push_back(frame);
                frame += static_cast<uint32_t>(rowBytes);
            }
        }
        std::pop_heap(places.begin(), places.end(), std::greater<>());
        place[static_cast<size_t>(interval.id)] = places.back();
        places.pop_back();
        active.emplace(interval.end, std::pair(rowBytes, place[static_cast<size_t>(interval.id)]));
        alive += weight(rowBytes);
        live = std::max(live, alive);
    }

    std::vector<bool> listDone(code.rows.size());
    const auto settle = [&](Row& row) {
        if (row == noRow)
            return;
        row = row & constantRow ? (row & ~constantRow) | 1 : place[row];
    };
    for (size_t i = 0; i < code.ops.size(); ++i) {
        Op& op = code.ops[i];
        for (Row* row : {&op.dst, &op.a, &op.b, &op.c, &op.d, &op.predicate})
            settle(*row);
        if (op.count > 0 && code.listDefined[i] != 0xffff)
            for (size_t k = 0; k < op.count; ++k)
                if (!code.rowIsNumber[op.detail + k] && !listDone[op.detail + k]) {
                    settle(code.rows[op.detail + k]);
                    listDone[op.detail + k] = true;
                }
    }
    return (frame + 63) / 64 * 64;
}

} // namespace warplight::vgpu
