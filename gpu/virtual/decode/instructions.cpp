// SPDX-License-Identifier: GPL-3.0-or-later
// Which family an instruction belongs to, and those that synchronise, exchange between lanes or steer.
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/ops/builtin.h"
#include "gpu/virtual/ops/mbarrier.h"
#include "gpu/virtual/ops/ordering.h"
#include "gpu/virtual/ops/tensor.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace warplight::vgpu {

using ptx::Space;

void FunctionDecoder::instruction(const Instruction& i) {
    using Family = void (FunctionDecoder::*)();
    static const std::map<std::string, Family> families = {{"cvt", &FunctionDecoder::convert},
                                                           {"mov", &FunctionDecoder::move},
                                                           {"lop3", &FunctionDecoder::logicOfThree},
                                                           {"addc", &FunctionDecoder::carry},
                                                           {"subc", &FunctionDecoder::carry},
                                                           {"madc", &FunctionDecoder::carry},
                                                           {"cvta", &FunctionDecoder::convertAddress},
                                                           {"isspacep", &FunctionDecoder::isSpace},
                                                           {"ld", &FunctionDecoder::load},
                                                           {"ldu", &FunctionDecoder::load},
                                                           {"st", &FunctionDecoder::store},
                                                           {"atom", &FunctionDecoder::atomic},
                                                           {"red", &FunctionDecoder::atomic},
                                                           {"cp", &FunctionDecoder::asyncCopy},
                                                           {"bar", &FunctionDecoder::barrierOperation},
                                                           {"barrier", &FunctionDecoder::barrierOperation},
                                                           {"shfl", &FunctionDecoder::shuffleOperation},
                                                           {"vote", &FunctionDecoder::voteOperation},
                                                           {"match", &FunctionDecoder::matchOperation},
                                                           {"redux", &FunctionDecoder::reduceOperation},
                                                           {"bra", &FunctionDecoder::branchOperation},
                                                           {"brx", &FunctionDecoder::branchOperation},
                                                           {"call", &FunctionDecoder::callOperation},
                                                           {"mma", &FunctionDecoder::matrix},
                                                           {"mbarrier", &FunctionDecoder::barrierObject},
                                                           {"wmma", &FunctionDecoder::warpMatrix}};
    // Hints, and orderings of memory that running in order has anyway.
    static const std::set<std::string> hints = {"membar",         "fence",         "prefetch",  "prefetchu",
                                                "discard",        "applypriority", "nanosleep", "pmevent",
                                                "griddepcontrol", "setmaxnreg"};
    if (hasModifier("sync") || i.opcode == "bar" || i.opcode == "barrier")
        meetings.push_back(static_cast<uint32_t>(code.ops.size()));
    if (hints.count(i.opcode)) {
        const bool fences = i.opcode == "membar" || (i.opcode == "fence" && !hasModifier("proxy"));
        emit(fences ? &fence : &nothing, OpClass::Control);
    } else if (i.opcode == "setp" || i.opcode == "set") {
        compare(i.opcode == "setp");
    } else if (i.opcode == "ldmatrix" || i.opcode == "stmatrix") {
        loadOrStoreMatrix(i.opcode == "ldmatrix");
    } else if (i.opcode == "movmatrix") {
        const Row a = sourceOfBytes(operand(1), 4), dst = target(operand(0), {'b', 32});
        Op& op = emit(moveMatrixHandler(), OpClass::Matrix);
        op.a = a;
        op.dst = dst;
    } else if (i.opcode == "createpolicy") {
        laneInto("mov.b64", target(operand(0), {'b', 64}), {constant(0, 8)});
    } else if (i.opcode == "activemask") {
        const Row dst = target(operand(0), {'b', 32});
        emit(&activeMask, OpClass::Exchange).dst = dst;
    } else if (i.opcode == "elect") {
        const Operand& o = operand(0);
        if (o.kind != Operand::Kind::Alternate)
            refuse("expected d|p");
        const Row dst = o.parts[0].kind == Operand::Kind::None ? noRow : registerRow(o.parts[0]),
                  p = registerRow(o.parts[1]);
        Op& op = emit(&elect, OpClass::Exchange);
        op.dst = dst;
        op.d = p;
        code.defined.back() = 2;
    } else if (i.opcode == "ret" || i.opcode == "exit" || i.opcode == "trap" || i.opcode == "brkpt") {
        emit(i.opcode == "ret"    ? &returnFromFunction
             : i.opcode == "exit" ? &exitThreads
             : i.opcode == "trap" ? &trap
                                  : &nothing,
             OpClass::Control);
    } else if ((i.opcode == "add" || i.opcode == "sub" || i.opcode == "mad") && hasModifier("cc")) {
        carry();
    } else if (const auto family = families.find(i.opcode); family != families.end()) {
        (this->*family->second)();
    } else {
        laneOperation();
    }
}

// ---- barriers and exchange

void FunctionDecoder::barrierOperation() {
    std::vector<std::string> m;
    for (const std::string& modifier : now->modifiers)
        if (modifier != "aligned" && modifier != "cta")
            m.push_back(modifier);
    if (m.size() == 2 && m[0] == "warp" && m[1] == "sync") {
        emit(&warpBarrier, OpClass::Barrier);
        code.origins.back().touch = Touch::Nothing;
        return;
    }
    if (m.empty() || m[0] == "cluster")
        refuse("the virtual GPU does not know this barrier");
    const bool reduces = m[0] == "red";
    BarrierKind kind = BarrierKind::Sync;
    if (m[0] == "arrive")
        kind = BarrierKind::Arrive;
    else if (reduces && m.size() >= 2)
        kind = m[1] == "popc" ? BarrierKind::Popc : m[1] == "and" ? BarrierKind::And : BarrierKind::Or;
    else if (m[0] != "sync")
        refuse("the virtual GPU does not know this barrier");
    const size_t first = reduces ? 1 : 0;
    const Row number = sourceOfBytes(operand(first), 4);
    const size_t extra = now->operands.size() - first - 1 - (reduces ? 1 : 0);
    const Row threads = extra > 0 ? sourceOfBytes(operand(first + 1), 4) : noRow;
    const Row value = reduces ? predicateSource(now->operands.back()) : noRow;
    const Row dst = !reduces                    ? noRow
                    : kind == BarrierKind::Popc ? target(operand(0), {'u', 32})
                                                : registerRow(operand(0));
    Op& op = emit(&barrier, OpClass::Barrier);
    op.dst = dst;
    op.a = number;
    op.b = threads;
    op.c = value;
    op.imm = static_cast<int64_t>(kind);
}

void FunctionDecoder::shuffleOperation() {
    Shuffle kind = Shuffle::Idx;
    if (hasModifier("up"))
        kind = Shuffle::Up;
    else if (hasModifier("down"))
        kind = Shuffle::Down;
    else if (hasModifier("bfly"))
        kind = Shuffle::Bfly;
    else if (!hasModifier("idx"))
        refuse("expected .up, .down, .bfly or .idx");
    const bool two = operand(0).kind == Operand::Kind::Alternate;
    const Row a = sourceOfBytes(operand(1), 4), b = sourceOfBytes(operand(2), 4), c = sourceOfBytes(operand(3), 4);
    const Row dst = target(two ? operand(0).parts[0] : operand(0), {'b', 32});
    const Row p = two && operand(0).parts[1].kind == Operand::Kind::Register ? registerRow(operand(0).parts[1]) : noRow;
    Op& op = emit(&shuffle, OpClass::Exchange);
    op.dst = dst;
    op.a = a;
    op.b = b;
    op.c = c;
    op.d = p;
    op.imm = static_cast<int64_t>(kind);
    code.defined.back() = 2;
}

void FunctionDecoder::voteOperation() {
    const Vote kind = hasModifier("ballot") ? Vote::Ballot
                      : hasModifier("all")  ? Vote::All
                      : hasModifier("any")  ? Vote::Any
                                            : Vote::Uni;
    const Row a = predicateSource(operand(1));
    const Row dst = kind == Vote::Ballot ? target(operand(0), {'b', 32}) : registerRow(operand(0));
    Op& op = emit(&vote, OpClass::Exchange);
    op.dst = dst;
    op.a = a;
    op.imm = static_cast<int64_t>(kind);
}

void FunctionDecoder::matchOperation() {
    const Type type = typeModifier();
    const bool two = operand(0).kind == Operand::Kind::Alternate;
    const Row a = source(operand(1), type);
    const Row dst = target(two ? operand(0).parts[0] : operand(0), {'b', 32});
    const Row p = two ? registerRow(operand(0).parts[1]) : noRow;
    Op& op = emit(&match, OpClass::Exchange);
    op.dst = dst;
    op.a = a;
    op.d = p;
    op.imm = hasModifier("all");
    op.bytes = static_cast<uint8_t>(type.bits / 8);
    code.defined.back() = 2;
}

void FunctionDecoder::reduceOperation() {
    const Type type = typeModifier();
    static const std::map<std::string, Reduce> names = {{"add", Reduce::Add}, {"min", Reduce::Min},
                                                        {"max", Reduce::Max}, {"and", Reduce::And},
                                                        {"or", Reduce::Or},   {"xor", Reduce::Xor}};
    Reduce kind = Reduce::Add;
    bool found = false;
    for (const std::string& m : now->modifiers)
        if (const auto name = names.find(m); name != names.end()) {
            kind = name->second;
            found = true;
        }
    if (!found || type.bits != 32 || type.kind == 'f')
        refuse("the virtual GPU does not know this reduction");
    if (type.kind == 'u' && kind == Reduce::Min)
        kind = Reduce::MinU;
    if (type.kind == 'u' && kind == Reduce::Max)
        kind = Reduce::MaxU;
    const Row a = source(operand(1), type), dst = target(operand(0), type);
    Op& op = emit(&reduce, OpClass::Exchange);
    op.dst = dst;
    op.a = a;
    op.imm = static_cast<int64_t>(kind);
}

// ---- control

void FunctionDecoder::branchOperation() {
    if (now->opcode == "brx") {
        const Row index = sourceOfBytes(operand(0), 4);
        Op& op = emit(&branchIndirect, OpClass::Control);
        op.a = index;
        op.detail = static_cast<uint32_t>(s.program.branchTargets.size());
        branches.push_back({code.ops.size() - 1, {}, block});
        targetLists.push_back({s.program.branchTargets.size(), fn.targets.at(operand(1).name)});
        s.program.branchTargets.emplace_back();
        return;
    }
    Op& op = emit(now->predicate >= 0 ? &branch : &jump, OpClass::Control);
    if (now->predicate >= 0) {
        op.a = static_cast<Row>(now->predicate);
        op.negated = now->predicateNegated;
    }
    branches.push_back({code.ops.size() - 1, operand(0).name, block});
}

void FunctionDecoder::callOperation() {
    // call (results), function, (arguments) with parts left out; what is in brackets has become a vector.
    const std::vector<Operand>& o = now->operands;
    size_t at = 0;
    std::vector<Operand> results, arguments;
    if (at < o.size() && o[at].kind == Operand::Kind::Vector)
        results = o[at++].parts;
    if (at >= o.size())
        refuse("expected a function");
    const Operand& callee = o[at++];
    if (at < o.size() && o[at].kind == Operand::Kind::Vector)
        arguments = o[at++].parts;
    Program::Call call;
    const auto slotOf = [&](const Operand& operand) {
        if (operand.kind != Operand::Kind::Symbol)
            refuse("expected parameters declared as .param");
        return slot(operand.name);
    };
    for (const Operand& a : arguments)
        call.arguments.push_back(slotOf(a));
    for (const Operand& r : results)
        call.returns.push_back(slotOf(r));
    Row address = noRow;
    Handler run = &callFunction;
    Touch touch = Touch::Nothing;
    if (callee.kind == Operand::Kind::Register) {
        address = registerRow(callee);
        for (const ptx::Function& f : s.module.functions) // whichever it may be
            if (!f.kernel && f.defined)
                functionIndex(f.name);
    } else if (callee.kind != Operand::Kind::Symbol) {
        refuse("expected a function");
    } else {
        const ptx::Function* f = s.module.function(callee.name);
        if (f && !f->defined && isBuiltin(callee.name)) {
            run = &callBuiltin;
            call.builtin = callee.name;
            touch = Touch::Changes;
        } else if (!f || !f->defined) {
            refuse(fmt::format("function '{}' has no body", callee.name));
        } else {
            call.function = functionIndex(callee.name);
        }
    }
    Op& op = emit(run, OpClass::Control);
    op.a = address;
    op.detail = static_cast<uint32_t>(s.program.calls.size());
    code.origins.back().touch = touch;
    s.program.calls.push_back(std::move(call));
}

void FunctionDecoder::barrierObject() {
    const std::string what = now->modifiers.empty() ? "" : now->modifiers[0];
    const bool parity = hasModifier("parity");
    if (what == "pending_count") {
        const Row b = sourceOfBytes(operand(1), 8), dst = target(operand(0), {'u', 32});
        Op& op = emit(&barrierObjectPending, OpClass::Barrier);
        op.b = b;
        op.dst = dst;
        code.origins.back().touch = Touch::Nothing;
        return;
    }
    const bool waits = what == "test_wait" || what == "try_wait";
    const bool arrives = what == "arrive" || what == "arrive_drop";
    const bool expects = hasModifier("expect_tx") || what == "complete_tx";
    static const std::map<std::string, Handler> plain = {{"init", &barrierObjectInit},
                                                         {"inval", &barrierObjectInvalidate}};
    const auto found = plain.find(what);
    if (!waits && !arrives && !expects && found == plain.end())
        refuse("the virtual GPU does not know this operation of an mbarrier");
    // A wait or an arrival may begin with its result.
    const size_t at = operand(0).kind == Operand::Kind::Address ? 0 : 1;
    const Address address = this->address(operand(at), Space::Shared);
    Row b = noRow;
    if (waits)
        b = sourceOfBytes(operand(at + 1), parity ? 4 : 8);
    else if (now->operands.size() > at + 1)
        b = sourceOfBytes(operand(at + 1), 4);
    Row dst = noRow;
    if (waits)
        dst = registerRow(operand(0));
    else if (at == 1 && operand(0).kind != Operand::Kind::None)
        dst = target(operand(0), {'b', 64});
    if (expects && b == noRow)
        refuse("expected a number of bytes");
    const Handler run = waits     ? (parity ? &barrierObjectTestParity : &barrierObjectTestState)
                        : expects ? &barrierObjectExpect
                        : arrives ? &barrierObjectArrive
                                  : found->second;
    Op& op = emit(run, OpClass::Barrier);
    op.a = address.row;
    op.b = b;
    op.dst = dst;
    op.imm = address.offset;
    op.bytes = static_cast<uint8_t>(address.bytes);
    op.detail = expects ? (arrives ? 3 : what == "complete_tx" ? 2 : 1) : what == "arrive_drop";
    if (waits)
        touches(Touch::Reads, address, 8);
}

} // namespace warplight::vgpu
