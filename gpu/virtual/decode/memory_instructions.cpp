// SPDX-License-Identifier: GPL-3.0-or-later
// Loads, stores, atomics and asynchronous copies.
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/ops/atomics.h"
#include "gpu/virtual/ops/mbarrier.h"
#include "gpu/virtual/ops/memory_access.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace warplight::vgpu {

using ptx::Space;

/// Sorts out the modifiers of a memory instruction; returns those that are left.
std::vector<std::string> FunctionDecoder::memoryModifiers(Space& space, int& elements, Type& type) const {
    static const std::set<std::string> hints = {"weak", "volatile", "relaxed", "acquire", "release", "acq_rel",
                                                "mmio", "cta",      "cluster", "gpu",     "sys",     "ca",
                                                "cg",   "cs",       "lu",      "cv",      "wb",      "wt",
                                                "nc",   "noftz",    "unified", "sync",    "aligned", "async"};
    static const std::map<std::string, Space> spaces = {
        {"global", Space::Global},        {"shared", Space::Shared},
        {"shared::cta", Space::Shared},   {"shared::cluster", Space::Shared},
        {"local", Space::Local},          {"const", Space::Constant},
        {"param", Space::Parameter},      {"param::entry", Space::Parameter},
        {"param::func", Space::Parameter}};
    std::vector<std::string> rest;
    for (const std::string& m : now->modifiers) {
        if (const auto found = spaces.find(m); found != spaces.end())
            space = found->second;
        else if (m == "v2" || m == "v4" || m == "v8")
            elements = m[1] - '0';
        else if (ptx::typeByName(m).kind != 0)
            type = ptx::typeByName(m);
        else if (hints.count(m) || m.rfind("L1::", 0) == 0 || m.rfind("L2::", 0) == 0 ||
                 m == "level::eviction_priority")
            continue;
        else
            rest.push_back(m);
    }
    return rest;
}

FunctionDecoder::Address FunctionDecoder::address(const Operand& o, Space space) {
    if (o.kind != Operand::Kind::Address || o.parts.size() != 1)
        refuse("expected an address in brackets");
    const Operand& base = o.parts[0];
    Address a;
    a.space = space;
    a.offset = static_cast<int64_t>(o.bits);
    if (base.kind == Operand::Kind::Register) {
        a.bytes = registerBytes(base);
        if (a.bytes != 4 && a.bytes != 8)
            refuse("an address has 32 or 64 bits");
        a.row = registerRow(base);
        if (a.bytes == 4 && space != Space::Shared && space != Space::Local)
            a = {lane("cvt.u64.u32", 8, {a.row}), 8, a.offset, space, {}};
        return a;
    }
    if (base.kind == Operand::Kind::Integer) {
        a.row = constant(base.bits, 8);
        return a;
    }
    if (base.kind != Operand::Kind::Symbol)
        refuse("expected a register, a symbol or a number as an address");
    if (space == Space::Parameter || slots.count(base.name)) {
        a.space = Space::Parameter;
        a.symbol = base.name;
        return a;
    }
    if (space == Space::None) // a generic access by name
        a.space = localOffsets.count(base.name)      ? Space::Local
                  : s.sharedOffsets.count(base.name) ? Space::Shared
                                                     : Space::Global;
    a.row = symbolAddress(base.name, 8, 0);
    return a;
}

/// 128 bits are moved as two times 64. True if they are.
bool FunctionDecoder::halvesOfWide(Type& type, int& elements) const {
    if (type.bits <= 64)
        return false;
    if (elements != 1 || type.bits != 128)
        refuse("the virtual GPU does not know this type");
    type = {'b', 64};
    elements = 2;
    return true;
}

void FunctionDecoder::load() {
    Space space = Space::None;
    int elements = 1;
    Type type;
    if (const auto rest = memoryModifiers(space, elements, type); !rest.empty() || type.kind == 0)
        refuse(rest.empty() ? "the virtual GPU does not know this type"
                            : fmt::format("the virtual GPU does not know .{}", rest[0]));
    const bool wide = halvesOfWide(type, elements);
    const int bytes = type.bits / 8;
    std::vector<Operand> targets =
        operand(0).kind == Operand::Kind::Vector ? operand(0).parts : std::vector<Operand>{operand(0)};
    if (static_cast<int>(targets.size()) != (wide ? 1 : elements))
        refuse(fmt::format("expected {} registers", wide ? 1 : elements));
    const Address at = address(operand(1), space);
    int width = std::max(2, bytes);
    std::vector<Row> rows;
    if (wide) {
        const WideRows halves = wideRows(targets[0]);
        rows = {halves.low, halves.high};
        targets.clear();
    }
    for (const Operand& t : targets) {
        if (t.kind == Operand::Kind::None) {
            rows.push_back(noRow);
            continue;
        }
        if (registerBytes(t) < bytes)
            refuse("a register is too narrow");
        width = registerBytes(t);
        rows.push_back(registerRow(t));
    }
    const bool isSigned = type.kind == 's';
    if (!at.symbol.empty() && fn.kernel && parameterOffsets.count(at.symbol) && !slots.count(at.symbol)) {
        const int64_t first = parameterOffsets.at(at.symbol) + at.offset;
        if (first < 0 || first + bytes * elements > s.program.parameterBytes)
            refuse("it reads past the end of the kernel's parameters");
        for (int e = 0; e < elements; ++e) {
            if (rows[static_cast<size_t>(e)] == noRow)
                continue;
            const bool whole = bytes == width;
            const Row dst = whole ? rows[static_cast<size_t>(e)] : newRow(std::max(2, bytes));
            Op& op = emit(&loadParameter, OpClass::Parameter);
            op.dst = dst;
            op.imm = first + e * bytes;
            op.bytes = static_cast<uint8_t>(std::max(2, bytes));
            if (!whole || bytes == 1) { // narrower than its register
                const std::string sign = isSigned ? "s" : "u";
                laneInto(fmt::format("cvt.{}{}.{}{}", sign, width * 8, sign, bytes * 8), rows[static_cast<size_t>(e)],
                         {dst});
            }
        }
        return;
    }
    if (!at.symbol.empty()) {
        const Program::Function::Slot from = slot(at.symbol);
        if (at.offset < 0 || at.offset + bytes * elements > from.bytes)
            refuse("it reads past the end of the parameter");
        for (int e = 0; e < elements; ++e) {
            Op& op = emit(&loadSlot, OpClass::Parameter);
            op.dst = rows[static_cast<size_t>(e)] == noRow ? newRow(width) : rows[static_cast<size_t>(e)];
            op.imm = at.offset + e * bytes;
            op.detail = from.offset;
            op.count = static_cast<uint16_t>(from.bytes);
            op.bytes = static_cast<uint8_t>(bytes);
            op.access = static_cast<uint32_t>(width);
            op.negated = isSigned;
        }
        return;
    }
    const Handler run = loadHandler(at.space, at.bytes, bytes, width, isSigned);
    if (!run)
        refuse("the virtual GPU does not know this load");
    const OpClass kind = at.space == Space::Shared      ? OpClass::Shared
                         : at.space == Space::Local     ? OpClass::Local
                         : at.space == Space::Constant  ? OpClass::Constant
                         : at.space == Space::Parameter ? OpClass::Parameter
                                                        : OpClass::Global;
    Op& op = emitList(run, kind, rows, rows.size());
    op.a = at.row;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(bytes);
    op.access = accessNumber();
    if (kind == OpClass::Global || kind == OpClass::Shared) {
        touches(Touch::Reads, at, bytes * elements);
        orders(at, false);
    }
}

void FunctionDecoder::store() {
    Space space = Space::None;
    int elements = 1;
    Type type;
    if (const auto rest = memoryModifiers(space, elements, type); !rest.empty() || type.kind == 0)
        refuse(rest.empty() ? "the virtual GPU does not know this type"
                            : fmt::format("the virtual GPU does not know .{}", rest[0]));
    const bool wide = halvesOfWide(type, elements);
    const int bytes = type.bits / 8;
    std::vector<Operand> values =
        operand(1).kind == Operand::Kind::Vector ? operand(1).parts : std::vector<Operand>{operand(1)};
    if (static_cast<int>(values.size()) != (wide ? 1 : elements))
        refuse(fmt::format("expected {} values", wide ? 1 : elements));
    const Address at = address(operand(0), space);
    int width = std::max(2, bytes);
    std::vector<Row> rows;
    if (wide) {
        const WideRows halves = wideRows(values[0]);
        rows = {halves.low, halves.high};
        values.clear();
    }
    for (const Operand& v : values)
        if (v.kind == Operand::Kind::Register)
            width = registerBytes(v);
    for (const Operand& v : values)
        rows.push_back(source(v, {type.kind == 'f' && width == bytes ? 'f' : 'b', width * 8}));
    if (!at.symbol.empty()) {
        const Program::Function::Slot to = slot(at.symbol);
        if (at.offset < 0 || at.offset + bytes * elements > to.bytes)
            refuse("it writes past the end of the parameter");
        for (int e = 0; e < elements; ++e) {
            Op& op = emit(&storeSlot, OpClass::Parameter);
            op.a = rows[static_cast<size_t>(e)];
            op.imm = at.offset + e * bytes;
            op.detail = to.offset;
            op.count = static_cast<uint16_t>(to.bytes);
            op.bytes = static_cast<uint8_t>(bytes);
            op.access = static_cast<uint32_t>(width);
        }
        return;
    }
    const Handler run = storeHandler(at.space, at.bytes, bytes, width);
    if (!run)
        refuse("the virtual GPU does not know this store");
    const OpClass kind = at.space == Space::Shared  ? OpClass::Shared
                         : at.space == Space::Local ? OpClass::Local
                                                    : OpClass::Global;
    orders(at, true);
    Op& op = emitList(run, kind, rows, 0);
    op.a = at.row;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(bytes);
    op.access = accessNumber();
    if (kind != OpClass::Local) {
        touches(Touch::Updates, at, bytes * elements);
        code.origins.back().polls = false; // it reads nothing
    }
}

void FunctionDecoder::atomic() {
    Space space = Space::None;
    int elements = 1;
    Type type;
    const auto rest = memoryModifiers(space, elements, type);
    if (rest.size() != 1 || elements != 1 || type.kind == 0)
        refuse("the virtual GPU does not know this atomic operation");
    const bool returns = now->opcode == "atom";
    const size_t first = returns ? 1 : 0;
    const Address at = address(operand(first), space);
    const std::string name = rest[0] + "." + now->modifiers.back();
    const Handler run = atomicHandler(at.space, at.bytes, name);
    if (!run)
        refuse("the virtual GPU does not know this atomic operation");
    const Row b = source(operand(first + 1), type),
              c = now->operands.size() > first + 2 ? source(operand(first + 2), type) : noRow;
    const Row dst = returns ? target(operand(0), type) : noRow;
    orders(at, true);
    Op& op = emit(run, OpClass::Atomic);
    op.dst = dst;
    op.a = at.row;
    op.b = b;
    op.c = c;
    op.imm = at.offset;
    op.access = accessNumber();
    touches(Touch::Updates, at, type.bits / 8);
    orders(at, false);
    if (returns)
        finishTarget();
    // The order of blocks shows in what an atomic returns and in sums that round.
    const bool rounds = type.kind == 'f' || type.kind == 'h';
    if (at.space != Space::Shared && (returns || rounds || rest[0] == "exch" || rest[0] == "cas"))
        s.program.ordered = true;
}

void FunctionDecoder::asyncCopy() {
    if (now->modifiers.size() >= 2 && now->modifiers[0] == "async") {
        if (now->modifiers[1] == "commit_group") {
            emit(&commitAsync, OpClass::AsyncCopy);
            return;
        }
        if (now->modifiers[1] == "wait_all" || now->modifiers[1] == "wait_group") {
            int64_t left = -1;
            if (now->modifiers[1] == "wait_group") {
                if (operand(0).kind != Operand::Kind::Integer)
                    refuse("expected a number of groups");
                left = static_cast<int64_t>(operand(0).bits);
            }
            emit(&waitAsync, OpClass::AsyncCopy).imm = left;
            return;
        }
        if (now->modifiers[1] == "mbarrier" && hasModifier("arrive")) {
            const Address at = address(operand(0), Space::Shared);
            Op& op = emit(&barrierObjectCopies, OpClass::Barrier);
            op.a = at.row;
            op.imm = at.offset;
            op.bytes = static_cast<uint8_t>(at.bytes);
            op.detail = hasModifier("noinc");
            return;
        }
        static const std::set<std::string> known = {"async",           "ca",    "cg", "shared", "shared::cta",
                                                    "shared::cluster", "global"};
        const bool plain = std::all_of(now->modifiers.begin(), now->modifiers.end(), [](const std::string& m) {
            return known.count(m) > 0 || m.rfind("L2::", 0) == 0;
        });
        if (plain && operand(2).kind == Operand::Kind::Integer) {
            const Address to = address(operand(0), Space::Shared), from = address(operand(1), Space::Global);
            const uint64_t bytes = operand(2).bits;
            if (bytes != 4 && bytes != 8 && bytes != 16)
                refuse("expected a copy of 4, 8 or 16 bytes");
            const bool policy = std::any_of(now->modifiers.begin(), now->modifiers.end(),
                                            [](const std::string& m) { return m == "L2::cache_hint"; });
            const bool sized = now->operands.size() > (policy ? 4u : 3u);
            const Row length = sized ? sourceOfBytes(operand(3), 4) : noRow;
            Op& op = emitList(asyncCopyHandler(), OpClass::AsyncCopy,
                              {to.row, static_cast<Row>(static_cast<int32_t>(to.offset))}, 0);
            code.rowIsNumber[op.detail + 1] = true;
            op.b = from.row;
            op.c = length;
            op.imm = from.offset;
            op.bytes = static_cast<uint8_t>(bytes);
            op.negated = to.bytes == 8;
            op.access = accessNumber();
            accessNumber(); // its write to shared memory
            return;
        }
    }
    refuse("the virtual GPU does not know this copy");
}

} // namespace warplight::vgpu
