// SPDX-License-Identifier: GPL-3.0-or-later
// From PTX to operations: operands, and what ties a function together.
#include "gpu/virtual/decode/decoder.h"

#include "gpu/error.h"
#include "gpu/virtual/memory.h"
#include "gpu/virtual/ops/builtin.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <set>
#include <vector>

namespace warplight::vgpu {

const char* opClassName(OpClass c) {
    static const char* const names[] = {"move",          "integer",
                                        "fp32",          "fp64",
                                        "fp16",          "special function",
                                        "conversion",    "comparison",
                                        "control",       "barrier",
                                        "exchange",      "global memory",
                                        "shared memory", "local memory",
                                        "parameter",     "constant memory",
                                        "atomic",        "asynchronous copy",
                                        "matrix load",   "tensor core",
                                        "other",         "join"};
    return names[static_cast<int>(c)];
}

FunctionDecoder::FunctionDecoder(Shared& shared, const ptx::Function& function, int number)
    : s(shared), fn(withPlainControl(function)), index(number) {}

void FunctionDecoder::refuse(const std::string& why) const {
    const std::string where = s.program.kernel == fn.name ? "kernel" : "function";
    throw InputError(fmt::format("{}:{}: '{}' in {} {}: {}", s.program.file, now ? now->line : fn.line,
                                 now ? now->text() : fn.name, where, fn.name, why));
}

const ptx::Operand& FunctionDecoder::operand(size_t i) const {
    if (i >= now->operands.size())
        refuse(fmt::format("expected at least {} operands", i + 1));
    return now->operands[i];
}

bool FunctionDecoder::hasModifier(const std::string& m) const {
    return std::find(now->modifiers.begin(), now->modifiers.end(), m) != now->modifiers.end();
}

ptx::Type FunctionDecoder::typeModifier(size_t fromEnd) const {
    for (auto m = now->modifiers.rbegin(); m != now->modifiers.rend(); ++m)
        if (const Type type = ptx::typeByName(*m); type.kind != 0 && fromEnd-- == 0)
            return type;
    refuse("expected a type among its modifiers");
}

// ---- rows

namespace {
/// Bytes of a lane in a row for a type: at least 2; 0 for predicates.
int rowBytes(ptx::Type type) { return type.kind == 'p' ? 0 : std::max(2, type.bits / 8); }
} // namespace

Row FunctionDecoder::newRow(int bytes) {
    code.registers.push_back({bytes});
    return static_cast<Row>(code.registers.size() - 1);
}

Row FunctionDecoder::constant(uint64_t bits, int bytes) {
    if (bytes > 0 && bytes < 8)
        bits &= (uint64_t(1) << (8 * bytes)) - 1;
    const auto [found, fresh] = s.constants.try_emplace({bits, bytes}, 0);
    if (fresh) {
        Bytes& all = s.program.constants;
        const size_t at = (all.size() + 63) / 64 * 64;
        if (bytes == 0) {
            const uint32_t mask = bits ? fullMask : 0;
            all.resize(at + 4);
            std::memcpy(all.data() + at, &mask, 4);
        } else {
            all.resize(at + static_cast<size_t>(bytes * warpSize));
            for (int i = 0; i < warpSize; ++i)
                std::memcpy(all.data() + at + static_cast<size_t>(i * bytes), &bits, static_cast<size_t>(bytes));
        }
        found->second = constantRow | static_cast<Row>(at);
    }
    return found->second;
}

Row FunctionDecoder::registerRow(const Operand& o) const {
    if (o.kind != Operand::Kind::Register)
        refuse("expected a register");
    if (upperHalves.count(o.index))
        refuse("registers of 128 bits can only be moved, packed, unpacked, loaded and stored");
    return static_cast<Row>(o.index);
}

FunctionDecoder::WideRows FunctionDecoder::wideRows(const Operand& o) const {
    const auto upper = upperHalves.find(o.kind == Operand::Kind::Register ? o.index : -1);
    if (upper == upperHalves.end())
        refuse("expected a register of 128 bits");
    return {static_cast<Row>(o.index), upper->second};
}

int FunctionDecoder::registerBytes(const Operand& o) const { return code.registers[registerRow(o)].bytes; }

Row FunctionDecoder::predicateSource(const Operand& o) {
    if (o.kind == Operand::Kind::Integer)
        return constant(o.bits != 0, 0);
    if (registerBytes(o) != 0)
        refuse("expected a predicate register");
    return o.negated ? lane("not.pred", 0, {registerRow(o)}) : registerRow(o);
}

Row FunctionDecoder::source(const Operand& o, Type type) {
    const int bytes = rowBytes(type);
    if (type.kind == 'p')
        return predicateSource(o);
    if (bytes > 8)
        refuse("expected numbers of at most 64 bits");
    switch (o.kind) {
    case Operand::Kind::Register: {
        const int have = registerBytes(o);
        if (have == bytes)
            return registerRow(o);
        if (have == 0)
            refuse("expected a number, found a predicate");
        const bool isSigned = type.kind == 's';
        return lane(fmt::format("cvt.{}{}.{}{}", isSigned ? "s" : "u", bytes * 8, isSigned ? "s" : "u", have * 8),
                    bytes, {registerRow(o)});
    }
    case Operand::Kind::Integer:
        if (type.kind == 'f' && type.elements == 1 && bytes > 2)
            refuse("expected a floating-point constant");
        return constant(o.bits, bytes);
    case Operand::Kind::Float: {
        uint64_t bits = o.bits;
        if (o.width == 64 && bytes == 4) {
            const auto single = static_cast<float>(std::bit_cast<double>(bits));
            bits = std::bit_cast<uint32_t>(single);
        } else if (o.width == 32 && bytes == 8 && type.kind == 'f') {
            bits = std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))));
        }
        return constant(bits, bytes);
    }
    case Operand::Kind::Special: {
        const SpecialRegister r = specialByName(o.name);
        if (r == SpecialRegister::None)
            refuse(fmt::format("special register {} is not known", o.name));
        const int own = bytes == 2 ? 4 : bytes;
        const Row row = newRow(own);
        Op& op = emit(&readSpecial, OpClass::Move);
        op.dst = row;
        op.imm = static_cast<int64_t>(r);
        op.bytes = static_cast<uint8_t>(own);
        if (r >= SpecialRegister::Clock && r <= SpecialRegister::GlobalTimerHi) {
            s.program.usesClock = true;
            code.origins.back().touch = Touch::Clock;
        }
        return bytes == 2 ? lane("cvt.u16.u32", 2, {row}) : row;
    }
    case Operand::Kind::Symbol:
        return symbolAddress(o.name, bytes, static_cast<int64_t>(o.bits));
    default:
        refuse("expected a register or a constant");
    }
}

/// The address of a variable in its own state space, or a function's.
Row FunctionDecoder::symbolAddress(const std::string& name, int bytes, int64_t addend) {
    if (const auto local = localOffsets.find(name); local != localOffsets.end()) {
        const Row row = newRow(bytes);
        Op& op = emit(&localAddress, OpClass::Move);
        op.dst = row;
        op.imm = local->second + addend;
        op.bytes = static_cast<uint8_t>(bytes);
        return row;
    }
    if (const auto shared = s.sharedOffsets.find(name); shared != s.sharedOffsets.end())
        return constant(static_cast<uint64_t>(shared->second + addend), bytes);
    if (const auto parameter = parameterOffsets.find(name); parameter != parameterOffsets.end())
        return constant(static_cast<uint64_t>(parameter->second + addend), bytes);
    if (const int number = s.module.functionNumber(name); number >= 0) {
        functionIndex(name);
        return constant(functionAddress(number), bytes);
    }
    const uint64_t at = s.addressOf(name);
    if (at == 0)
        refuse(fmt::format("'{}' is not declared", name));
    return constant(at + static_cast<uint64_t>(addend), bytes);
}

int FunctionDecoder::functionIndex(const std::string& name) {
    auto [found, fresh] = s.functions.try_emplace(name, 0);
    if (fresh) {
        found->second = static_cast<int>(s.program.functions.size());
        s.program.functions.emplace_back().name = name;
        s.program.functionOf[static_cast<size_t>(s.module.functionNumber(name))] = found->second;
        s.pending.push_back(name);
    }
    return found->second;
}

Row FunctionDecoder::target(const Operand& o, Type type) {
    const int bytes = rowBytes(type);
    widening = {};
    if (bytes > 8)
        refuse("expected numbers of at most 64 bits");
    if (o.kind == Operand::Kind::None)
        return newRow(bytes);
    const int have = registerBytes(o);
    if (have == bytes)
        return registerRow(o);
    if (have < bytes || bytes == 0)
        refuse(fmt::format("register {} is too narrow for .{}{}", fn.registers[static_cast<size_t>(o.index)].name,
                           type.kind, type.bits));
    const bool isSigned = type.kind == 's';
    widening = {newRow(bytes), registerRow(o),
                fmt::format("cvt.{}{}.{}{}", isSigned ? "s" : "u", have * 8, isSigned ? "s" : "u", bytes * 8)};
    return widening.from;
}

void FunctionDecoder::finishTarget() {
    if (widening.from != noRow) {
        const Widening w = widening;
        widening = {};
        laneInto(w.name, w.to, {w.from});
    }
}

// ---- operations

Op& FunctionDecoder::emit(Handler run, OpClass kind, uint32_t flops) {
    Op op;
    op.run = run;
    if (now && now->predicate >= 0 && now->opcode != "bra") {
        op.inner = run;
        op.run = &predicated;
        op.predicate = static_cast<Row>(now->predicate);
        op.guardNegated = now->predicateNegated;
    }
    code.ops.push_back(op);
    OpOrigin origin;
    origin.kind = kind;
    origin.flops = flops;
    origin.instruction = static_cast<uint32_t>(s.program.instructions.size()) - 1;
    const bool seen = kind == OpClass::Global || kind == OpClass::Shared || kind == OpClass::Atomic ||
                      kind == OpClass::AsyncCopy || kind == OpClass::Matrix || kind == OpClass::Barrier;
    origin.touch = seen ? Touch::Changes : Touch::Nothing; // unless somebody knows better
    code.origins.push_back(origin);
    code.defined.push_back(0);
    code.listDefined.push_back(0xffff);
    return code.ops.back();
}

Op& FunctionDecoder::emitList(Handler run, OpClass kind, const std::vector<Row>& rows, size_t defined) {
    Op& op = emit(run, kind);
    op.detail = static_cast<uint32_t>(code.rows.size());
    op.count = static_cast<uint16_t>(rows.size());
    code.rows.insert(code.rows.end(), rows.begin(), rows.end());
    code.rowIsNumber.resize(code.rows.size());
    code.listDefined.back() = static_cast<uint16_t>(defined);
    return op;
}

void FunctionDecoder::laneInto(const std::string& name, Row dst, std::initializer_list<Row> sources) {
    const auto found = laneOperations().find(name);
    if (found == laneOperations().end())
        refuse(fmt::format("the virtual GPU does not know it (as {})", name));
    Op& op = emit(found->second.run, found->second.kind, found->second.flops);
    op.dst = dst;
    Row* to[] = {&op.a, &op.b, &op.c, &op.d};
    size_t i = 0;
    for (const Row row : sources)
        *to[i++] = row;
}

Row FunctionDecoder::lane(const std::string& name, int bytes, std::initializer_list<Row> sources) {
    const Row row = newRow(bytes);
    laneInto(name, row, sources);
    return row;
}

// ---- a function as a whole

void FunctionDecoder::layOutSlots() {
    uint32_t at = 0;
    const auto add = [&](const ptx::Variable& v) {
        const auto bytes = static_cast<uint32_t>(std::max<int64_t>(v.bytes, 4));
        if (bytes > 4096)
            refuse(fmt::format("parameter '{}' has {} bytes; 4096 are the most", v.name, bytes));
        slots[v.name] = {at, (bytes + 7) / 8 * 8};
        at += (bytes + 7) / 8 * 8 * warpSize;
    };
    if (!fn.kernel) {
        for (const ptx::Variable& v : fn.parameters)
            if (v.space == ptx::Space::Parameter)
                add(v);
            else
                refuse("parameters in registers are not supported (compile with the standard ABI)");
        for (const ptx::Variable& v : fn.returns)
            if (v.space == ptx::Space::Parameter)
                add(v);
            else
                refuse("results in registers are not supported (compile with the standard ABI)");
    }
    for (const ptx::Variable& v : fn.variables) {
        if (v.space == ptx::Space::Parameter) {
            add(v);
        } else if (v.space == ptx::Space::Local) {
            localBytes = (localBytes + v.align - 1) / v.align * v.align;
            localOffsets[v.name] = localBytes;
            localBytes += v.bytes;
        }
    }
    localBytes = (localBytes + 15) / 16 * 16;
    code.slotBytes = at;
}

Program::Function::Slot FunctionDecoder::slot(const std::string& name) const {
    const auto found = slots.find(name);
    if (found == slots.end())
        refuse(fmt::format("'{}' is not declared", name));
    return found->second;
}

void FunctionDecoder::decode() {
    for (const ptx::Register& r : fn.registers) {
        if (r.type.bits > 64 && r.type.bits != 128)
            refuse(fmt::format("register {} of {} bits", r.name, r.type.bits));
        code.registers.push_back({std::min(rowBytes(r.type), 8)});
    }
    for (size_t i = 0; i < fn.registers.size(); ++i)
        if (fn.registers[i].type.bits == 128)
            upperHalves[static_cast<int>(i)] = newRow(8);
    if (fn.kernel)
        for (const Parameter& p : s.program.parameters)
            parameterOffsets[p.name] = p.offset;
    layOutSlots();
    const ControlFlow flow = controlFlow(fn, s.program.file);
    std::set<int> meetings;
    for (const BasicBlock& b : flow.blocks)
        if (b.next.size() > 1 && b.meet >= 0)
            meetings.insert(b.meet);
    for (block = 0; block < static_cast<int>(flow.blocks.size()); ++block) {
        const BasicBlock& b = flow.blocks[static_cast<size_t>(block)];
        code.blockBegin.push_back(code.ops.size());
        code.blockNext.push_back(b.next);
        for (size_t i = b.begin; i < b.end; ++i) {
            checkCancelled(s.cancel);
            now = &fn.body[i];
            s.program.instructions.push_back({now->text(), fn.name, now->line, now->source});
            if (i == b.begin && meetings.count(block)) {
                emit(&joinPaths, OpClass::Join);
                code.ops.back().run = &joinPaths; // never guarded
                code.ops.back().predicate = noRow;
            }
            instruction(*now);
        }
    }
    now = nullptr;
    const bool labelAtEnd =
        std::any_of(fn.labels.begin(), fn.labels.end(), [&](const auto& l) { return l.second == fn.body.size(); });
    if (fn.body.empty() || labelAtEnd || !endsFunction(fn.body.back())) { // runs off its end
        s.program.instructions.push_back({"ret", fn.name, fn.body.empty() ? fn.line : fn.body.back().line, {}});
        if (code.blockBegin.empty()) {
            code.blockBegin.push_back(0);
            code.blockNext.emplace_back();
        }
        emit(&returnFromFunction, OpClass::Control);
    }

    Program::Function& f = s.program.functions[static_cast<size_t>(index)];
    int live = 0;
    f.frameBytes = allocateRegisters(code, live, s.cancel);
    f.localBytes = static_cast<uint32_t>(localBytes);
    f.entry = static_cast<uint32_t>(s.program.ops.size());
    if (!fn.kernel) {
        for (const ptx::Variable& v : fn.parameters)
            f.parameters.push_back(slot(v.name));
        for (const ptx::Variable& v : fn.returns)
            f.returns.push_back(slot(v.name));
    }
    s.program.registersPerThread = std::max(s.program.registersPerThread, live);

    // Branches, now that all blocks have their places.
    const uint32_t base = f.entry;
    const auto opAt = [&](size_t instruction) {
        if (instruction >= fn.body.size())
            return base + static_cast<uint32_t>(code.ops.size()) - 1; // the return at the end
        return base + static_cast<uint32_t>(code.blockBegin[static_cast<size_t>(flow.blockOf[instruction])]);
    };
    for (const Branch& b : branches) {
        Op& op = code.ops[b.op];
        if (!b.label.empty())
            op.imm = opAt(fn.labels.at(b.label));
        const int meet = flow.blocks[static_cast<size_t>(b.block)].meet;
        op.d = meet < 0 ? noRow : base + static_cast<uint32_t>(code.blockBegin[static_cast<size_t>(meet)]);
    }
    for (const TargetList& list : targetLists)
        for (const std::string& label : list.labels)
            s.program.branchTargets[list.index].push_back(opAt(fn.labels.at(label)));

    findPollLoops(base);

    const auto rowBase = static_cast<uint32_t>(s.program.rows.size());
    for (size_t i = 0; i < code.ops.size(); ++i) {
        Op& op = code.ops[i];
        op.index = base + static_cast<uint32_t>(i);
        if (op.count > 0 && code.listDefined[i] != 0xffff)
            op.detail += rowBase;
    }
    s.program.ops.insert(s.program.ops.end(), code.ops.begin(), code.ops.end());
    s.program.origins.insert(s.program.origins.end(), code.origins.begin(), code.origins.end());
    s.program.rows.insert(s.program.rows.end(), code.rows.begin(), code.rows.end());
}

Program decodeKernel(const ptx::Module& module, const std::string& file, const std::string& kernel,
                     const SymbolAddress& addressOf, const std::atomic<bool>* cancel) {
    const ptx::Function* entry = module.function(kernel);
    if (!entry || !entry->kernel || !entry->defined) {
        std::string known;
        for (const ptx::Function& f : module.functions)
            if (f.kernel && f.defined)
                known += (known.empty() ? "" : ", ") + f.name;
        throw InputError(
            fmt::format("{}: there is no kernel '{}'; there is {}", file, kernel, known.empty() ? "none" : known));
    }
    Program program;
    program.file = file;
    program.kernel = kernel;
    program.files = module.files;
    program.maxThreads = entry->maxThreads ? entry->maxThreads : 1024;
    FunctionDecoder::Shared shared{module, program, addressOf, cancel, {}, {}, {}, {}};

    for (const ptx::Variable& v : entry->parameters) {
        const int64_t at = (program.parameterBytes + v.align - 1) / v.align * v.align;
        program.parameters.push_back({v.name, v.type, at, v.bytes, v.bytes > v.type.bytes()});
        program.parameterBytes = at + v.bytes;
    }
    // Static shared memory: variables of the module and of all functions; the unsized one begins behind them.
    int64_t at = 0;
    const auto place = [&](const ptx::Variable& v) {
        if (v.space != ptx::Space::Shared)
            return;
        program.sharedAlign = std::max(program.sharedAlign, v.align);
        at = (at + v.align - 1) / v.align * v.align;
        shared.sharedOffsets[v.name] = at;
        at += v.bytes;
    };
    const auto all = [&](bool sized) {
        for (const ptx::Variable& v : module.variables)
            if ((v.bytes > 0) == sized)
                place(v);
        for (const ptx::Function& f : module.functions)
            if (!f.kernel || f.name == kernel)
                for (const ptx::Variable& v : f.variables)
                    if ((v.bytes > 0) == sized)
                        place(v);
    };
    all(true);
    program.sharedBytes = at;
    all(false);
    program.sharedBytes = std::max(program.sharedBytes, at);

    program.functions.emplace_back().name = kernel;
    program.functionOf.assign(module.functions.size(), -1);
    FunctionDecoder(shared, *entry, 0).decode();
    while (!shared.pending.empty()) {
        const std::string name = shared.pending.back();
        shared.pending.pop_back();
        const ptx::Function* f = module.function(name);
        if (!f->defined)
            throw InputError(
                fmt::format("{}:{}: function '{}', which kernel {} calls, has no body", file, f->line, name, kernel));
        FunctionDecoder(shared, *f, shared.functions.at(name)).decode();
    }
    program.entry = program.functions[0].entry;
    program.frameBytes = program.functions[0].frameBytes;
    return program;
}

} // namespace warplight::vgpu
