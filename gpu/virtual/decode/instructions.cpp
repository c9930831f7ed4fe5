// Which family an instruction belongs to, and those that move data, exchange it or steer.
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/memory.h"
#include "gpu/virtual/ops/atomics.h"
#include "gpu/virtual/ops/builtin.h"
#include "gpu/virtual/ops/mbarrier.h"
#include "gpu/virtual/ops/memory_access.h"
#include "gpu/virtual/ops/tensor.h"
#include "gpu/virtual/ops/warp_matrix.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <set>

namespace warplight::vgpu {

using ptx::Space;

void FunctionDecoder::instruction(const Instruction& i) {
    using Family = void (FunctionDecoder::*)();
    static const std::map<std::string, Family> families = {{"cvt", &FunctionDecoder::convert},
                                                           {"mov", &FunctionDecoder::move},
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
    if (hints.count(i.opcode)) {
        emit(&nothing, OpClass::Control);
    } else if (i.opcode == "setp" || i.opcode == "set") {
        compare(i.opcode == "setp");
    } else if (i.opcode == "ldmatrix" || i.opcode == "stmatrix") {
        loadOrStoreMatrix(i.opcode == "ldmatrix");
    } else if (i.opcode == "movmatrix") {
        const Row a = sourceOfBytes(operand(1), 4), dst = target(operand(0), {'b', 32});
        Op& op = emit(&moveMatrix, OpClass::Matrix);
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

// ---- memory

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

void FunctionDecoder::load() {
    Space space = Space::None;
    int elements = 1;
    Type type;
    if (const auto rest = memoryModifiers(space, elements, type); !rest.empty() || type.kind == 0 || type.bits > 64)
        refuse(rest.empty() ? "the virtual GPU does not know this type"
                            : fmt::format("the virtual GPU does not know .{}", rest[0]));
    const int bytes = type.bits / 8;
    std::vector<Operand> targets =
        operand(0).kind == Operand::Kind::Vector ? operand(0).parts : std::vector<Operand>{operand(0)};
    if (static_cast<int>(targets.size()) != elements)
        refuse(fmt::format("expected {} registers", elements));
    const Address at = address(operand(1), space);
    int width = std::max(2, bytes);
    std::vector<Row> rows;
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
}

void FunctionDecoder::store() {
    Space space = Space::None;
    int elements = 1;
    Type type;
    if (const auto rest = memoryModifiers(space, elements, type); !rest.empty() || type.kind == 0 || type.bits > 64)
        refuse(rest.empty() ? "the virtual GPU does not know this type"
                            : fmt::format("the virtual GPU does not know .{}", rest[0]));
    const int bytes = type.bits / 8;
    const std::vector<Operand> values =
        operand(1).kind == Operand::Kind::Vector ? operand(1).parts : std::vector<Operand>{operand(1)};
    if (static_cast<int>(values.size()) != elements)
        refuse(fmt::format("expected {} values", elements));
    const Address at = address(operand(0), space);
    int width = std::max(2, bytes);
    for (const Operand& v : values)
        if (v.kind == Operand::Kind::Register)
            width = registerBytes(v);
    std::vector<Row> rows;
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
    Op& op = emitList(run, kind, rows, 0);
    op.a = at.row;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(bytes);
    op.access = accessNumber();
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
    Op& op = emit(run, OpClass::Atomic);
    op.dst = dst;
    op.a = at.row;
    op.b = b;
    op.c = c;
    op.imm = at.offset;
    op.access = accessNumber();
    if (returns)
        finishTarget();
    // The order of blocks shows in what an atomic returns and in sums that round.
    const bool rounds = type.kind == 'f' || type.kind == 'h';
    if (at.space != Space::Shared && (returns || rounds || rest[0] == "exch" || rest[0] == "cas"))
        s.program.orderedAtomics = true;
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

// ---- barriers and exchange

void FunctionDecoder::barrierOperation() {
    std::vector<std::string> m;
    for (const std::string& modifier : now->modifiers)
        if (modifier != "aligned" && modifier != "cta")
            m.push_back(modifier);
    if (m.size() == 2 && m[0] == "warp" && m[1] == "sync") {
        emit(&warpBarrier, OpClass::Barrier);
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
        } else if (!f || !f->defined) {
            refuse(fmt::format("function '{}' has no body", callee.name));
        } else {
            call.function = functionIndex(callee.name);
        }
    }
    Op& op = emit(run, OpClass::Control);
    op.a = address;
    op.detail = static_cast<uint32_t>(s.program.calls.size());
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
}

// ---- matrices

void FunctionDecoder::matrix() {
    std::string name;
    for (const std::string& m : now->modifiers)
        if (m != "sync" && m != "aligned" && m != "kind::f8f6f4")
            name += (name.empty() ? "" : ".") + m;
    const MatrixOperation operation = matrixOperation(name);
    if (!operation.run)
        refuse("the virtual GPU does not know this matrix product");
    const int expected[] = {operation.dRows, operation.aRows, operation.bRows, operation.cRows};
    std::vector<Row> rows;
    const Type type{'b', operation.rowBytes * 8};
    for (size_t i = 0; i < 4; ++i) {
        const Operand& o = operand(i);
        const std::vector<Operand> parts = o.kind == Operand::Kind::Vector ? o.parts : std::vector<Operand>{o};
        if (static_cast<int>(parts.size()) != expected[i])
            refuse(fmt::format("expected {} registers in operand {}", expected[i], i + 1));
        for (const Operand& part : parts)
            rows.push_back(i == 0 ? registerRow(part) : source(part, type));
    }
    Op& op = emitList(operation.run, OpClass::Tensor, rows, static_cast<size_t>(operation.dRows));
    (void)op;
    code.origins.back().flops = operation.flops;
}

void FunctionDecoder::loadOrStoreMatrix(bool loads) {
    const int count = hasModifier("x4") ? 4 : hasModifier("x2") ? 2 : 1;
    if (!hasModifier("m8n8") || !hasModifier("b16"))
        refuse("the virtual GPU does not know this matrix shape");
    const Operand& list = operand(loads ? 0 : 1);
    const std::vector<Operand> parts = list.kind == Operand::Kind::Vector ? list.parts : std::vector<Operand>{list};
    if (static_cast<int>(parts.size()) != count)
        refuse(fmt::format("expected {} registers", count));
    const Address at = address(operand(loads ? 1 : 0), Space::Shared);
    std::vector<Row> rows;
    for (const Operand& part : parts)
        rows.push_back(loads ? registerRow(part) : sourceOfBytes(part, 4));
    Op& op = emitList(loads ? &loadMatrix : &storeMatrix, OpClass::Matrix, rows, loads ? rows.size() : 0);
    op.a = at.row;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(at.bytes);
    op.negated = hasModifier("trans");
    op.access = accessNumber();
}

namespace {

/// "m16n16k16"
bool readShape(const std::string& text, WarpMatrix& matrix) {
    return std::sscanf(text.c_str(), "m%dn%dk%d", &matrix.m, &matrix.n, &matrix.k) == 3 && matrix.m > 0 &&
           matrix.n > 0 && matrix.k > 0 && matrix.m * matrix.n <= 256 && matrix.m * matrix.k <= 512 &&
           matrix.k * matrix.n <= 512;
}

} // namespace

/// wmma.load, wmma.store and wmma.mma.
void FunctionDecoder::warpMatrix() {
    WarpMatrix matrix;
    std::vector<Type> types;
    std::vector<std::string> layouts;
    bool shaped = false;
    for (const std::string& m : now->modifiers) {
        if (const Type type = ptx::typeByName(m); type.kind != 0)
            types.push_back(type);
        else if (m == "row" || m == "col")
            layouts.push_back(m);
        else if (m == "shared" || m == "shared::cta" || m == "global")
            matrix.space = m == "global" ? Space::Global : Space::Shared;
        else if (m == "satfinite")
            matrix.saturates = true;
        else
            shaped = shaped || readShape(m, matrix);
    }
    const std::string what = now->modifiers.empty() ? "" : now->modifiers[0];
    if (!shaped || types.empty() || layouts.empty())
        refuse("the virtual GPU does not know this matrix instruction");
    std::vector<Row> rows;
    const auto fragment = [&](const Operand& o, int registers, const Type& type, bool written) {
        if (o.kind != Operand::Kind::Vector || static_cast<int>(o.parts.size()) != registers)
            refuse(fmt::format("expected {} registers", registers));
        for (const Operand& part : o.parts)
            rows.push_back(written ? registerRow(part) : source(part, {'b', type.bits == 64 ? 64 : 32}));
    };
    const auto finish = [&](Handler run, OpClass kind, size_t written) -> Op& {
        rows.push_back(static_cast<Row>(s.program.warpMatrices.size()));
        s.program.warpMatrices.push_back(matrix);
        Op& op = emitList(run, kind, rows, written);
        code.rowIsNumber[op.detail + op.count - 1u] = true;
        return op;
    };
    if (what == "mma") {
        // f16 inputs go unsaid: .dtype.ctype; else .dtype.atype.btype.ctype.
        const Type half{'f', 16};
        const bool said = types.size() == 4;
        if (types.size() != 2 && !said)
            refuse("expected two or four types");
        matrix.sumD = types[0];
        matrix.inputA = said ? types[1] : half;
        matrix.inputB = said ? types[2] : half;
        matrix.sumC = types.back();
        const auto registers = [&](int r, int c, const Type& type, char which) {
            WarpMatrix one = matrix;
            one.part = {r, c, false, type};
            return fragmentRegisters(one, which);
        };
        matrix.registers[0] = registers(matrix.m, matrix.n, matrix.sumD, 'd');
        matrix.registers[1] = registers(matrix.m, matrix.k, matrix.inputA, 'a');
        matrix.registers[2] = registers(matrix.k, matrix.n, matrix.inputB, 'b');
        matrix.registers[3] = registers(matrix.m, matrix.n, matrix.sumC, 'c');
        const Type* of[] = {&matrix.sumD, &matrix.inputA, &matrix.inputB, &matrix.sumC};
        for (size_t i = 0; i < 4; ++i)
            fragment(operand(i), matrix.registers[i], *of[i], i == 0);
        finish(&multiplyWarpMatrices, OpClass::Tensor, static_cast<size_t>(matrix.registers[0]));
        code.origins.back().flops = static_cast<uint32_t>(2 * matrix.m * matrix.n * matrix.k);
        return;
    }
    const bool loads = what == "load";
    const char which = now->modifiers.size() > 1 ? now->modifiers[1][0] : ' ';
    if ((!loads && what != "store") || (which != 'a' && which != 'b' && which != 'c' && which != 'd'))
        refuse("the virtual GPU does not know this matrix instruction");
    const int r = which == 'b' ? matrix.k : matrix.m, c = which == 'a' ? matrix.k : matrix.n;
    matrix.part = {r, c, layouts[0] == "col", types[0]};
    fragment(operand(loads ? 0 : 1), fragmentRegisters(matrix, which), types[0], loads);
    const Address at = address(operand(loads ? 1 : 0), matrix.space);
    const Row stride = now->operands.size() > 2 ? sourceOfBytes(operand(2), 4)
                                                : constant(static_cast<uint64_t>(matrix.part.byColumns ? r : c), 4);
    const size_t written = loads ? rows.size() : 0;
    Op& op = finish(loads ? &loadWarpMatrix : &storeWarpMatrix,
                    matrix.space == Space::Shared ? OpClass::Shared : OpClass::Global, written);
    op.a = at.row;
    op.b = stride;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(at.bytes);
    op.access = accessNumber();
}

} // namespace warplight::vgpu
