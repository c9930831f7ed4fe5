// SPDX-License-Identifier: GPL-3.0-or-later
// Declarations of variables and their initial values.
#include "gpu/virtual/ptx/parser.h"

#include "gpu/virtual/ptx/literal.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::ptx {
namespace {

constexpr int64_t largestVariable = int64_t(1) << 31;

} // namespace

void Parser::variables(Space space, std::vector<Variable>& into, bool parameter) {
    Variable shape;
    shape.space = space;
    int vector = 1;
    int64_t align = 0;
    for (;;) {
        const std::string word = in.word();
        if (word == ".align")
            align = integer();
        else if (word == ".v2" || word == ".v4")
            vector = word[2] - '0';
        else if (word == ".ptr")
            pointerAttributes();
        else if (word == ".attribute")
            in.skipTo(')');
        else if (!word.empty() && word[0] == '.') {
            shape.type = typeByName(word.substr(1));
            if (shape.type.kind == 0)
                in.fail("a type such as .b32 or .f32");
            break;
        } else
            in.fail("a type such as .b32 or .f32");
    }
    if (align < 0 || align > 65536)
        in.fail("an alignment from 1 to 65536");
    do {
        if (in.peekWord() == ".ptr") {
            in.word();
            pointerAttributes();
        }
        Variable variable = shape;
        variable.line = in.line();
        variable.name = in.word();
        if (variable.name.empty())
            in.fail("a variable's name");
        int64_t count = vector;
        bool unsized = false;
        while (in.accept('[')) {
            if (in.accept(']')) {
                unsized = true;
                continue;
            }
            const int64_t extent = integer();
            if (extent < 0 || (extent > 0 && count > largestVariable / extent))
                in.fail("an array below 2 GiB");
            count *= extent;
            in.expect(']');
        }
        variable.bytes = unsized ? 0 : count * std::max(1, shape.type.bytes());
        variable.align = align ? align : std::max(1, shape.type.bytes()) * vector;
        if (in.accept('=')) {
            initialise(variable);
            if (unsized)
                variable.bytes = static_cast<int64_t>(variable.initial.size());
            variable.initial.resize(static_cast<size_t>(variable.bytes));
        }
        into.push_back(std::move(variable));
    } while (!parameter && in.accept(','));
    if (!parameter)
        in.expect(';');
}

void Parser::pointerAttributes() {
    for (;;) {
        const std::string_view next = in.peekWord();
        if (next == ".align") {
            in.word();
            integer();
        } else if (spaceByName(std::string(next)) != Space::None) {
            in.word();
        } else {
            return;
        }
    }
}

void Parser::initialise(Variable& variable) {
    if (in.accept('{')) {
        if (in.accept('}'))
            return;
        do
            initialise(variable);
        while (in.accept(','));
        in.expect('}');
        return;
    }
    const int bytes = variable.type.bytes();
    const auto append = [&](uint64_t bits, int count) {
        if (static_cast<int64_t>(variable.initial.size()) + count > largestVariable)
            in.fail("fewer initial values");
        for (int i = 0; i < count; ++i)
            variable.initial.push_back(static_cast<uint8_t>(bits >> (8 * i)));
    };
    const bool negative = in.accept('-');
    std::string word = in.word();
    if (auto value = readLiteral(word, negative)) {
        if (value->kind == Operand::Kind::Float && value->width == 64 && bytes == 4) {
            double real;
            std::memcpy(&real, &value->bits, sizeof(real));
            const auto single = static_cast<float>(real);
            uint32_t bits;
            std::memcpy(&bits, &single, sizeof(bits));
            value->bits = bits;
        }
        append(value->bits, bytes);
        return;
    }
    int64_t addend = 0;
    int brackets = 0;
    if (word == "generic") {
        in.expect('(');
        ++brackets;
        word = in.word();
    }
    if (word.empty() || negative)
        in.fail("an initial value");
    if (brackets)
        in.expect(')');
    if (in.accept('+'))
        addend = integer();
    variable.relocations.push_back({static_cast<int64_t>(variable.initial.size()), word, addend, bytes});
    append(0, bytes);
}

} // namespace warplight::ptx
