// SPDX-License-Identifier: GPL-3.0-or-later
// Instructions that give a predicate, or choose by one.
#include "gpu/virtual/decode/decoder.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace warplight::vgpu {

/// Takes .and, .or or .xor out of an instruction's modifiers; empty if there is none.
std::string FunctionDecoder::takeCombination(std::vector<std::string>& modifiers) {
    for (const char* c : {"and", "or", "xor"})
        if (const auto at = std::find(modifiers.begin(), modifiers.end(), c); at != modifiers.end()) {
            modifiers.erase(at);
            return c;
        }
    return {};
}

/// Writes predicates whose values are all known, each into its register if there is one: the guard of the instruction
/// last, since what is written after it would be under its new value.
void FunctionDecoder::writePredicates(std::vector<std::pair<Operand, Row>> values) {
    std::stable_partition(values.begin(), values.end(),
                          [&](const auto& v) { return v.first.index != now->predicate || now->predicate < 0; });
    for (const auto& [to, value] : values)
        if (to.kind != Operand::Kind::None)
            laneInto("mov.pred", registerRow(to), {value});
}

/// setp and set: the comparison, or one for each half of a pair, then what combines it with another predicate.
void FunctionDecoder::compare(bool predicate) {
    std::vector<std::string> modifiers = now->modifiers;
    const std::string combine = takeCombination(modifiers);
    if (modifiers.size() < 2)
        refuse("expected a comparison and a type");
    const std::string typeName = modifiers.back();
    const Type type = ptx::typeByName(typeName);
    modifiers.pop_back();
    Type result;
    if (!predicate) {
        result = ptx::typeByName(modifiers.back());
        modifiers.pop_back();
    }
    std::string name = "setp";
    for (const std::string& m : modifiers)
        name += "." + m;
    name += "." + typeName;
    const bool pair = type.elements == 2;
    const Row a = source(operand(1), type), b = source(operand(2), type);
    const Operand& first = operand(0);
    const bool two = first.kind == Operand::Kind::Alternate;
    const auto predicateTarget = [&] { return first.kind == Operand::Kind::None ? newRow(0) : registerRow(first); };
    const std::string lower = pair ? name + ".low" : name;
    if (predicate && !two && combine.empty()) {
        laneInto(lower, predicateTarget(), {a, b});
        return;
    }
    const Row with = combine.empty() ? noRow : predicateSource(operand(3));
    const auto combined = [&](Row holds) {
        return combine.empty() ? holds : lane(combine + ".pred", 0, {holds, with});
    };
    const Row holds = lane(lower, 0, {a, b});
    if (!predicate) {
        writeTruth(result, pair, combined(holds), pair ? combined(lane(name + ".high", 0, {a, b})) : noRow);
        return;
    }
    if (!two) {
        laneInto(combine + ".pred", predicateTarget(), {holds, with});
        return;
    }
    // Both are known before either is written: one of them may be what they were made of.
    std::vector<std::pair<Operand, Row>> values = {{first.parts[0], combined(holds)}};
    // Of a pair the other half, else the opposite.
    values.emplace_back(first.parts[1],
                        combined(pair ? lane(name + ".high", 0, {a, b}) : lane("not.pred", 0, {holds})));
    writePredicates(std::move(values));
}

/// The result of set (PTX ISA, 9.7.6.1 and 9.7.7.1): one of floating-point numbers, all bits of integers. `high` is the
/// upper half of a pair.
void FunctionDecoder::writeTruth(Type result, bool pair, Row low, Row high) {
    const bool isFloat = result.kind == 'f' || result.kind == 'h';
    const int bits = pair ? 16 : result.bits;
    const bool fits = pair ? result.bits == 32 && result.elements == (isFloat ? 2 : 1) : result.elements == 1;
    if (!fits || (!isFloat && result.kind != 'u' && result.kind != 's') || (bits != 16 && bits != 32))
        refuse("the virtual GPU does not know this type of result");
    const uint64_t one = result.kind == 'h' ? 0x3f80 : bits == 16 ? 0x3c00 : 0x3f800000;
    const uint64_t truth = isFloat ? one : bits == 16 ? 0xffff : fullMask;
    const Row dst = target(operand(0), {'b', result.bits});
    const std::string select = result.bits == 16 ? "selp.b16" : "selp.b32";
    const int bytes = result.bits / 8;
    const auto truthOr0 = [&](uint64_t value, Row holds) {
        return lane(select, bytes, {constant(value, bytes), constant(0, bytes), holds});
    };
    if (pair)
        laneInto("or.b32", dst, {truthOr0(truth, low), truthOr0(truth << 16, high)});
    else
        laneInto(select, dst, {constant(truth, bytes), constant(0, bytes), low});
    finishTarget();
}

/// lop3 (PTX ISA, 9.7.8.6); with .and or .or it also tells whether the result is not 0, combined with a predicate.
void FunctionDecoder::logicOfThree() {
    std::vector<std::string> modifiers = now->modifiers;
    const std::string combine = takeCombination(modifiers);
    const Operand& first = operand(0);
    if (combine.empty() != (first.kind != Operand::Kind::Alternate) || combine == "xor")
        refuse("expected d, or with .and or .or d|p");
    if (combine.empty()) {
        laneOperation();
        return;
    }
    const Type type{'b', 32};
    if (modifiers != std::vector<std::string>{"b32"} || now->operands.size() != 6)
        refuse("expected .b32 and 6 operands");
    Row rows[4];
    for (size_t i = 0; i < 4; ++i)
        rows[i] = source(operand(i + 1), type);
    const Row result = lane("lop3.b32", 4, {rows[0], rows[1], rows[2], rows[3]});
    const Row holds =
        lane(combine + ".pred", 0, {lane("setp.ne.b32", 0, {result, constant(0, 4)}), predicateSource(operand(5))});
    if (first.parts[0].kind != Operand::Kind::None) {
        laneInto("mov.b32", target(first.parts[0], type), {result});
        finishTarget();
    }
    writePredicates({{first.parts[1], holds}});
}

} // namespace warplight::vgpu
