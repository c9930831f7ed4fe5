// SPDX-License-Identifier: GPL-3.0-or-later
// What an access means to other threads: whether it polls, what it orders, and which loops may only wait.
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/ops/ordering.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace warplight::vgpu {

using ptx::Space;

/// Whether threads read it to see what others do: such reads must not be kept in a register.
bool FunctionDecoder::polls() const {
    static const std::set<std::string> strong = {"volatile", "relaxed", "acquire", "acq_rel", "mmio", "cv"};
    return now->opcode == "atom" ||
           std::any_of(now->modifiers.begin(), now->modifiers.end(), [](const auto& m) { return strong.count(m) > 0; });
}

void FunctionDecoder::touches(Touch touch, const Address& at, int bytes) {
    OpOrigin& origin = code.origins.back();
    origin.touch = touch;
    origin.space = at.space;
    origin.addressBytes = static_cast<uint8_t>(at.bytes);
    origin.bytes = static_cast<uint8_t>(bytes);
    origin.polls = now->opcode == "mbarrier" || polls();
    origin.strong = origin.polls || hasModifier("release");
}

/// A release orders what is before it, an acquire what is behind; other accesses that threads may see do with a fence.
void FunctionDecoder::orders(const Address& at, bool before) {
    const bool both = hasModifier("acq_rel"), alone = both || hasModifier(before ? "release" : "acquire");
    const bool strong = alone || now->opcode == "atom" || now->opcode == "red" || hasModifier("relaxed") ||
                        hasModifier("volatile") || hasModifier("acquire") || hasModifier("release");
    if (!strong || (at.space != ptx::Space::Shared && at.space != ptx::Space::None) || at.row == noRow)
        return;
    Op& op = emit(before ? &releaseBefore : &acquireAfter, OpClass::Join);
    op.a = at.row;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(at.bytes);
    op.detail = alone ? 0 : 1;
    op.access = at.space == ptx::Space::Shared; // no count: that would be of a list of rows
}

/// Whatever loop a polling read is in, one of its branches goes back from behind it to before it.
void FunctionDecoder::findPollLoops(uint32_t base) {
    const auto polls = [](const OpOrigin& o) { return o.polls; };
    const auto calls = [](const Op& op) { return op.run == &callFunction; };
    for (const uint32_t op : meetings)
        s.program.meetings.push_back(base + op);
    for (const Branch& b : branches) {
        Op& op = code.ops[b.op];
        size_t target = b.label.empty() ? code.ops.size() : static_cast<size_t>(op.imm) - base;
        if (b.label.empty()) // indirect
            for (const uint32_t to : s.program.branchTargets[op.detail])
                target = std::min<size_t>(target, to - base);
        if (target > b.op)
            continue;
        s.program.backward.emplace_back(base + static_cast<uint32_t>(b.op), base + static_cast<uint32_t>(target));
        const auto at = [](size_t i) { return static_cast<std::ptrdiff_t>(i); };
        const auto first = code.origins.begin() + at(target), last = code.origins.begin() + at(b.op);
        const bool shared =
            std::all_of(first, last, [&](const OpOrigin& o) { return !polls(o) || o.space == Space::Shared; });
        const bool called = std::any_of(code.ops.begin() + at(target), code.ops.begin() + at(b.op), calls);
        if (!called && std::none_of(first, last, polls))
            continue;
        op.bytes = 1;
        op.access = s.program.pollLoops++;
        s.program.ordered = s.program.ordered || !shared;
    }
    const bool elsewhere = std::any_of(code.origins.begin(), code.origins.end(),
                                       [&](const OpOrigin& o) { return polls(o) && o.space != Space::Shared; });
    s.program.ordered = s.program.ordered || (!fn.kernel && elsewhere); // who calls it may do so in a loop
}

} // namespace warplight::vgpu
