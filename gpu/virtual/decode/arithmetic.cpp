// SPDX-License-Identifier: GPL-3.0-or-later
// Instructions that only read and write registers.
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/memory.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <set>
#include <string>

namespace warplight::vgpu {

/// The name in the table of lane operations: modifiers that do not change a result left out.
std::string FunctionDecoder::laneName() const {
    std::string name = now->opcode;
    for (const std::string& m : now->modifiers) {
        const bool neutral = m == "rn" || m == "full" || (m == "approx" && now->opcode != "div");
        if (!neutral)
            name += "." + m;
    }
    return name;
}

void FunctionDecoder::laneOperation() {
    std::string name = laneName();
    if (now->opcode == "mad" && name.find(".f") != std::string::npos)
        name.replace(0, 3, "fma");
    if ((now->opcode == "min" || now->opcode == "max") && now->operands.size() == 4)
        name.insert(3, "3");
    if (!now->operands.empty() && now->operands[0].kind == Operand::Kind::Alternate)
        refuse("it has no predicate output");
    const auto found = laneOperations().find(name);
    if (found == laneOperations().end())
        refuse("the virtual GPU does not know this instruction");
    const LaneOperation& operation = found->second;
    if (now->operands.size() != operation.sources.size() + 1)
        refuse(fmt::format("expected {} operands", operation.sources.size() + 1));
    Row rows[4] = {noRow, noRow, noRow, noRow};
    for (size_t i = 0; i < operation.sources.size(); ++i)
        rows[i] = source(operand(i + 1), operation.sources[i]);
    const Row dst = target(operand(0), operation.dst);
    Op& op = emit(operation.run, operation.kind, operation.flops);
    op.dst = dst;
    op.a = rows[0];
    op.b = rows[1];
    op.c = rows[2];
    op.d = rows[3];
    finishTarget();
}

/// cvt: what there is no direct operation for goes through a format that holds both exactly.
void FunctionDecoder::convert() {
    const std::string name = laneName();
    if (laneOperations().count(name)) {
        laneOperation();
        return;
    }
    const Type to = typeModifier(1), from = typeModifier(0);
    const auto rest = [&](const std::string& skipTo, const std::string& skipFrom) { // modifiers without the types
        std::string all;
        for (size_t i = 0; i + 2 < now->modifiers.size(); ++i)
            if (now->modifiers[i] != "rn")
                all += "." + now->modifiers[i];
        (void)skipTo;
        (void)skipFrom;
        return all;
    };
    const size_t count = now->modifiers.size();
    if (count < 2)
        refuse("expected two types");
    const std::string toName = now->modifiers[count - 2], fromName = now->modifiers[count - 1];
    const bool fromHalf = from.bits == 16 && (from.kind == 'f' || from.kind == 'h');
    const bool toHalf = to.bits == 16 && (to.kind == 'f' || to.kind == 'h');
    const bool toInteger = to.kind == 'u' || to.kind == 's', fromInteger = from.kind == 'u' || from.kind == 's';
    if (now->operands.size() != 2)
        refuse("the virtual GPU does not know this conversion");
    Row value = noRow;
    std::string last;
    std::string modifiers = rest(toName, fromName);
    if (fromHalf && (toInteger || toHalf || (to.kind == 'f' && to.bits >= 32))) { // 16 bits fit into f32
        value = lane("cvt.f32." + fromName, 4, {source(operand(1), from)});
        last = "cvt" + modifiers + "." + toName + ".f32";
    } else if (fromInteger && toHalf) { // up to 32 bits fit into f64
        if (from.bits > 32 && to.kind == 'h')
            refuse("the virtual GPU does not know this conversion");
        value = lane("cvt.f64." + fromName, 8, {source(operand(1), from)});
        last = "cvt" + modifiers + "." + toName + ".f64";
    } else if (from.kind == 'f' && toInteger && hasModifier("sat")) { // float to integer always saturates
        value = source(operand(1), from);
        modifiers.erase(modifiers.find(".sat"), 4);
        last = "cvt" + modifiers + "." + toName + "." + fromName;
    } else {
        refuse("the virtual GPU does not know this conversion");
    }
    const Row dst = target(operand(0), to);
    laneInto(last, dst, {value});
    finishTarget();
}

/// Extended precision (PTX ISA, 9.7.2): the carry flag is a predicate of the function.
void FunctionDecoder::carry() {
    if (carryFlag == noRow) {
        carryFlag = newRow(0);
    }
    const Type type = typeModifier();
    const std::string u = type.bits == 64 ? ".u64" : ".u32";
    const int bytes = type.bits / 8;
    const bool sets = hasModifier("cc");
    const std::string& name = now->opcode;
    Row a = source(operand(1), type), b = source(operand(2), type);
    const bool takesCarry = name == "addc" || name == "subc" || name == "madc";
    const Row before = takesCarry ? lane("mov.pred", 0, {carryFlag}) : noRow;
    if (name == "mad" || name == "madc") {
        a = lane("mul." + std::string(hasModifier("hi") ? "hi" : "lo") +
                     (type.kind == 's' ? (bytes == 8 ? ".s64" : ".s32") : u),
                 bytes, {a, b});
        b = source(operand(3), type);
    }
    const bool subtract = name == "sub" || name == "subc";
    const std::string apply = (subtract ? "sub" : "add") + u;
    Row result = lane(apply, bytes, {a, b});
    Row over = noRow;
    if (sets)
        over = subtract ? lane("setp.lt" + u, 0, {a, b}) : lane("setp.lt" + u, 0, {result, a});
    if (takesCarry) {
        const Row one =
            lane(bytes == 8 ? "selp.b64" : "selp.b32", bytes, {constant(1, bytes), constant(0, bytes), before});
        const Row with = lane(apply, bytes, {result, one});
        if (sets) {
            const Row again = subtract ? lane("setp.lt" + u, 0, {result, one}) : lane("setp.lt" + u, 0, {with, result});
            over = lane("or.pred", 0, {over, again});
        }
        result = with;
    }
    if (sets)
        laneInto("mov.pred", carryFlag, {over});
    laneInto(bytes == 8 ? "mov.b64" : "mov.b32", target(operand(0), type), {result});
    finishTarget();
}

namespace {
uint64_t windowOf(const std::string& space) {
    return space.rfind("shared", 0) == 0  ? sharedWindow
           : space == "local"             ? localWindow
           : space.rfind("param", 0) == 0 ? parameterWindow
                                          : 0;
}
} // namespace

void FunctionDecoder::convertAddress() {
    const bool back = hasModifier("to");
    std::string space;
    for (const std::string& m : now->modifiers)
        if (m != "to" && ptx::typeByName(m).kind == 0)
            space = m;
    const Type type = typeModifier();
    if (type.bits != 64)
        refuse("addresses have 64 bits");
    const Row value = source(operand(1), type);
    const Row dst = target(operand(0), type);
    if (windowOf(space) == 0)
        laneInto("mov.b64", dst, {value});
    else if (back)
        laneInto("and.b64", dst, {value, constant(0xffffffffu, 8)});
    else
        laneInto("add.u64", dst, {value, constant(windowOf(space), 8)});
    finishTarget();
}

void FunctionDecoder::isSpace() {
    if (now->modifiers.empty())
        refuse("expected a state space");
    const std::string& space = now->modifiers[0];
    const Row value = source(operand(1), {'u', 64});
    const Row dst = registerRow(operand(0));
    if (space == "global" || space == "const") {
        laneInto("setp.ge.u64", dst, {value, constant(globalWindow, 8)});
        return;
    }
    const Row window = lane("shr.u64", 8, {value, constant(32, 4)});
    laneInto("setp.eq.u64", dst, {window, constant(windowOf(space) >> 32, 8)});
}

} // namespace warplight::vgpu
