// SPDX-License-Identifier: GPL-3.0-or-later
// A recursive descent over PTX text. Names are resolved while reading: PTX blocks may declare a register or a label
// again, so a name means what its innermost block says.
#include "gpu/error.h"
#include "gpu/virtual/ptx/literal.h"
#include "gpu/virtual/ptx/scanner.h"
#include "gpu/virtual/ptx/syntax.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace warplight::ptx {
namespace {

constexpr int64_t largestVariable = int64_t(1) << 31;
constexpr int mostRegisters = 1 << 20;

Space spaceByName(const std::string& name) {
    static const std::map<std::string, Space> names = {{".reg", Space::Register},    {".const", Space::Constant},
                                                       {".global", Space::Global},   {".local", Space::Local},
                                                       {".param", Space::Parameter}, {".shared", Space::Shared}};
    const auto found = names.find(name);
    return found == names.end() ? Space::None : found->second;
}

class Parser {
  public:
    Parser(const std::string& text, const std::string& file, const std::atomic<bool>* c) : in(text, file), cancel(c) {}

    Module parse() {
        while (!in.atEnd())
            moduleItem();
        if (module.version.empty())
            in.fail("a .version directive");
        return std::move(module);
    }

  private:
    struct Scope {
        std::unordered_map<std::string, int> registers;
        std::unordered_map<std::string, std::string> renamed; ///< labels and variables declared again
    };

    void moduleItem() {
        checkCancelled(cancel);
        const std::string word = in.word();
        if (word == ".version") {
            module.version = in.word();
        } else if (word == ".target") {
            module.target = in.word();
            while (in.accept(','))
                in.word();
        } else if (word == ".address_size") {
            module.addressBits = static_cast<int>(integer());
            if (module.addressBits != 64)
                in.fail(".address_size 64");
        } else if (word == ".file") {
            file();
        } else if (word == ".section") {
            section();
        } else if (word == ".pragma" || word == ".alias") {
            in.skipTo(';');
        } else if (word == ".visible" || word == ".extern" || word == ".weak" || word == ".common") {
            moduleItem();
        } else if (word == ".entry" || word == ".func") {
            function(word == ".entry");
        } else if (spaceByName(word) != Space::None) {
            variables(spaceByName(word), module.variables, false);
        } else if (word == ".loc") {
            location();
        } else {
            in.fail("a directive such as .version, .global, .func or .entry");
        }
    }

    void file() {
        const auto number = static_cast<size_t>(integer());
        const std::string name = in.quoted();
        while (in.accept(','))
            integer();
        if (number > 65535)
            in.fail("a file number below 65536");
        if (module.files.size() <= number)
            module.files.resize(number + 1);
        module.files[number] = name;
    }

    void section() {
        while (!in.word().empty()) { // a name with dots
        }
        in.expect('{');
        in.skipTo('}');
    }

    void location() {
        const auto number = static_cast<int>(integer());
        const auto line = static_cast<int>(integer());
        integer();
        current = {number, line};
        while (in.accept(',')) { // function_name label {+ offset}, inlined_at file line column
            if (in.acceptWord("function_name")) {
                in.word();
                if (in.accept('+'))
                    integer();
            } else if (in.acceptWord("inlined_at")) {
                integer();
                integer();
                integer();
            } else {
                in.fail("function_name or inlined_at");
            }
        }
    }

    // ---- numbers

    int64_t integer() {
        const bool negative = in.accept('-');
        const auto value = readLiteral(std::string(in.peekWord()), negative);
        if (!value || value->kind != Operand::Kind::Integer)
            in.fail("a whole number");
        in.word();
        return static_cast<int64_t>(value->bits);
    }

    // ---- variables

    /// After the space: [.align n] [.v2|.v4] .type name[dims] [= initial] {, ...} ;
    void variables(Space space, std::vector<Variable>& into, bool parameter) {
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

    void pointerAttributes() {
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

    void initialise(Variable& variable) {
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

    // ---- functions

    void function(bool kernel) {
        Function f;
        f.kernel = kernel;
        if (in.accept('('))
            parameterList(f.returns);
        f.line = in.line();
        f.name = in.word();
        if (f.name.empty())
            in.fail("a function's name");
        if (in.accept('('))
            parameterList(f.parameters);
        for (;;) {
            const std::string_view next = in.peekWord();
            if (next == ".maxntid" || next == ".reqntid") {
                in.word();
                int64_t threads = 1;
                do
                    threads *= integer();
                while (in.accept(','));
                f.maxThreads = static_cast<int>(std::min<int64_t>(threads, 1024));
            } else if (next == ".pragma") {
                in.skipTo(';');
            } else if (!next.empty() && next[0] == '.') { // .noreturn, .minnctapersm 2, .maxnreg 64, .explicitcluster …
                in.word();
                while (in.peek() >= '0' && in.peek() <= '9') {
                    integer();
                    in.accept(',');
                }
            } else {
                break;
            }
        }
        if (in.accept('{')) {
            f.defined = true;
            body(f);
        } else {
            in.expect(';');
        }
        for (Function& other : module.functions)
            if (other.name == f.name) {
                if (other.defined && f.defined)
                    throw InputError(fmt::format("{}:{}: function '{}' is defined twice", in.file(), f.line, f.name));
                if (f.defined)
                    other = std::move(f);
                return;
            }
        module.functions.push_back(std::move(f));
    }

    void parameterList(std::vector<Variable>& into) {
        if (in.accept(')'))
            return;
        do {
            const std::string space = in.word();
            if (space != ".param" && space != ".reg")
                in.fail(".param or .reg");
            variables(spaceByName(space), into, true);
        } while (in.accept(','));
        in.expect(')');
    }

    void body(Function& f) {
        fn = &f;
        scopes.assign(1, {});
        current = {};
        usedNames.clear();
        for (std::vector<Variable>* list : {&f.returns, &f.parameters})
            for (Variable& v : *list) {
                usedNames.insert(v.name);
                if (v.space == Space::Register)
                    declareRegister(v.name, v.type);
            }
        block();
        fn = nullptr;
    }

    void block() {
        for (;;) {
            if (in.accept('}'))
                return;
            if (in.atEnd())
                in.fail("'}'");
            if (in.accept('{')) {
                if (scopes.size() > 64)
                    in.fail("blocks nested at most 64 deep");
                scopes.emplace_back();
                const size_t begin = fn->body.size();
                block();
                renameLabels(begin);
                scopes.pop_back();
                continue;
            }
            statement();
        }
    }

    void statement() {
        checkCancelled(cancel);
        if (in.accept(';'))
            return;
        const std::string_view next = in.peekWord();
        if (next == ".loc") {
            in.word();
            location();
        } else if (next == ".reg") {
            in.word();
            registers();
        } else if (next == ".pragma") {
            in.skipTo(';');
        } else if (spaceByName(std::string(next)) != Space::None) {
            const Space space = spaceByName(in.word());
            std::vector<Variable>& into =
                space == Space::Global || space == Space::Constant ? module.variables : fn->variables;
            const size_t first = into.size();
            variables(space, into, false);
            for (size_t i = first; i < into.size(); ++i)
                declareName(into[i].name);
        } else if (!next.empty() && next[0] == '.') {
            in.fail("an instruction or a declaration");
        } else {
            labelOrInstruction();
        }
    }

    /// A name declared again in another block gets a suffix of its own.
    void declareName(std::string& name) {
        std::string fresh = name;
        for (int n = 1; usedNames.count(fresh); ++n)
            fresh = fmt::format("{}'{}", name, n);
        usedNames.insert(fresh);
        if (fresh != name)
            scopes.back().renamed[name] = fresh;
        name = fresh;
    }

    void declareRegister(const std::string& name, Type type) {
        if (fn->registers.size() >= mostRegisters)
            in.fail("fewer than a million registers");
        scopes.back().registers[name] = static_cast<int>(fn->registers.size());
        fn->registers.push_back({name, type});
    }

    void registers() {
        std::string word = in.word();
        if (word == ".v2" || word == ".v4")
            in.fail("a scalar register (vectors are written {a, b})");
        const Type type = typeByName(word.empty() ? word : word.substr(1));
        if (type.kind == 0)
            in.fail("a register's type");
        do {
            const std::string name = in.word();
            if (name.empty())
                in.fail("a register's name");
            if (in.accept('<')) {
                const int64_t count = integer();
                if (count < 0 || count > mostRegisters)
                    in.fail("fewer than a million registers");
                in.expect('>');
                for (int64_t i = 0; i < count; ++i)
                    declareRegister(name + std::to_string(i), type);
            } else {
                declareRegister(name, type);
            }
        } while (in.accept(','));
        in.expect(';');
    }

    int findRegister(const std::string& name) const {
        for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
            if (const auto found = scope->registers.find(name); found != scope->registers.end())
                return found->second;
        return -1;
    }

    std::string visibleName(const std::string& name) const {
        for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
            if (const auto found = scope->renamed.find(name); found != scope->renamed.end())
                return found->second;
        return name;
    }

    void labelOrInstruction() {
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

    void label(const std::string& name) {
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

    /// Labels of a block that has just ended are known under their own names only inside it.
    void renameLabels(size_t begin) {
        if (scopes.back().renamed.empty())
            return;
        for (size_t i = begin; i < fn->body.size(); ++i)
            for (Operand& o : fn->body[i].operands)
                if (o.kind == Operand::Kind::Symbol)
                    if (const auto found = scopes.back().renamed.find(o.name); found != scopes.back().renamed.end())
                        o.name = found->second;
    }

    // ---- operands

    Operand operand() {
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

    Operand named(const std::string& word) {
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

    Operand address() {
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

    Scanner in;
    const std::atomic<bool>* cancel;
    Module module;
    Function* fn = nullptr;
    std::vector<Scope> scopes;
    std::set<std::string> usedNames;
    SourceLine current;
};

} // namespace

Module parse(const std::string& text, const std::string& file, const std::atomic<bool>* cancel) {
    return Parser(text, file, cancel).parse();
}

} // namespace warplight::ptx
