// SPDX-License-Identifier: GPL-3.0-or-later
// Instructions, labels and operands.
#include "gpu/virtual/ptx/parser.h"

#include "gpu/virtual/ptx/literal.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::ptx {

void Parser::labelOrInstruction() {
    Instruction instruction;
    instruction.line = in.line();
    instruction.source = current;
    if (in.accept('@')) {
        instruction.predicateNegated = in.accept('!');
        const std::string name = in.word();
        instruction.predicate = findRegister(name);
        if (instruction.predicate < 0)
            in.fail(fmt::format("a declared predicate register instead of '{}'", name));
    }
    const std::string word = in.word();
    if (word.empty())
        in.fail("an instruction");
    if (instruction.predicate < 0 && in.accept(':')) {
        label(word);
        return;
    }
    size_t dot = word.find('.');
    instruction.opcode = word.substr(0, dot);
    while (dot != std::string::npos) {
        const size_t next = word.find('.', dot + 1);
        instruction.modifiers.push_back(word.substr(dot + 1, next == std::string::npos ? next : next - dot - 1));
        dot = next;
    }
    if (!in.accept(';')) {
        do
            instruction.operands.push_back(operand());
        while (in.accept(','));
        in.expect(';');
    }
    fn->body.push_back(std::move(instruction));
}

void Parser::label(const std::string& name) {
    const std::string next(in.peekWord());
    if (next == ".branchtargets" || next == ".calltargets") {
        in.word();
        std::vector<std::string>& list = fn->targets[name];
        do
            list.push_back(in.word());
        while (in.accept(','));
        in.expect(';');
    } else if (next == ".callprototype") {
        in.word();
        Function prototype;
        if (in.accept('('))
            parameterList(prototype.returns);
        in.word(); // _
        if (in.accept('('))
            parameterList(prototype.parameters);
        if (in.acceptWord(".noreturn")) {
        }
        in.expect(';');
        fn->prototypes[name] = std::move(prototype);
    } else {
        std::string unique = name;
        declareName(unique);
        fn->labels[unique] = fn->body.size();
    }
}

void Parser::renameLabels(size_t begin) {
    if (scopes.back().renamed.empty())
        return;
    for (size_t i = begin; i < fn->body.size(); ++i)
        for (Operand& o : fn->body[i].operands)
            if (o.kind == Operand::Kind::Symbol)
                if (const auto found = scopes.back().renamed.find(o.name); found != scopes.back().renamed.end())
                    o.name = found->second;
}

Operand Parser::operand() {
    Operand o;
    if (in.accept('{')) {
        o.kind = Operand::Kind::Vector;
        if (in.accept('}'))
            return o;
        do
            o.parts.push_back(operand());
        while (in.accept(','));
        in.expect('}');
        return o;
    }
    if (in.accept('(')) { // call arguments
        o.kind = Operand::Kind::Vector;
        if (in.accept(')'))
            return o;
        do
            o.parts.push_back(operand());
        while (in.accept(','));
        in.expect(')');
        return o;
    }
    if (in.accept('['))
        return address();
    if (in.accept('!')) {
        o = operand();
        o.negated = true;
        return o;
    }
    const bool negative = in.accept('-');
    const std::string word = in.word();
    if (word.empty())
        in.fail("an operand");
    if (const auto value = readLiteral(word, negative))
        return *value;
    if (negative)
        in.fail("a number after '-'");
    o = named(word);
    if (in.accept('|')) {
        Operand pair;
        pair.kind = Operand::Kind::Alternate;
        pair.parts = {o, operand()};
        return pair;
    }
    if (o.kind == Operand::Kind::Symbol && in.accept('+'))
        o.bits += static_cast<uint64_t>(integer());
    return o;
}

Operand Parser::named(const std::string& word) {
    Operand o;
    if (word == "_") {
        o.kind = Operand::Kind::None;
    } else if (word == "WARP_SZ") {
        o.kind = Operand::Kind::Integer;
        o.bits = 32;
    } else if (const int index = findRegister(word); index >= 0) {
        o.kind = Operand::Kind::Register;
        o.index = index;
    } else if (word[0] == '%') {
        o.kind = Operand::Kind::Special;
        o.name = word;
    } else {
        o.kind = Operand::Kind::Symbol;
        o.name = visibleName(word);
    }
    return o;
}

Operand Parser::address() {
    Operand o;
    o.kind = Operand::Kind::Address;
    const std::string word = in.word();
    if (const auto value = readLiteral(word, false)) {
        o.parts.push_back(*value);
    } else if (word.empty()) {
        in.fail("an address");
    } else {
        o.parts.push_back(named(word));
    }
    if (in.accept('+'))
        o.bits = static_cast<uint64_t>(integer());
    else if (in.accept('-'))
        o.bits = 0 - static_cast<uint64_t>(integer());
    if (in.accept(',')) // coordinates of a tensor copy: kept so that the decoder can say what it does not know
        do
            o.parts.push_back(operand());
        while (in.accept(','));
    in.expect(']');
    return o;
}

} // namespace warplight::ptx
