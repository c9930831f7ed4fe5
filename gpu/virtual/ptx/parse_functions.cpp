// SPDX-License-Identifier: GPL-3.0-or-later
// Functions: parameters, blocks, and the names that are declared in them.
#include "gpu/virtual/ptx/parser.h"

#include "gpu/error.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::ptx {
namespace {

constexpr int mostRegisters = 1 << 20;

} // namespace

void Parser::function(bool kernel) {
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

void Parser::parameterList(std::vector<Variable>& into) {
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

void Parser::body(Function& f) {
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

void Parser::block() {
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

void Parser::statement() {
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

void Parser::declareName(std::string& name) {
    std::string fresh = name;
    for (int n = 1; usedNames.count(fresh); ++n)
        fresh = fmt::format("{}'{}", name, n);
    usedNames.insert(fresh);
    if (fresh != name)
        scopes.back().renamed[name] = fresh;
    name = fresh;
}

void Parser::declareRegister(const std::string& name, Type type) {
    if (fn->registers.size() >= mostRegisters)
        in.fail("fewer than a million registers");
    scopes.back().registers[name] = static_cast<int>(fn->registers.size());
    fn->registers.push_back({name, type});
}

void Parser::registers() {
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

int Parser::findRegister(const std::string& name) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
        if (const auto found = scope->registers.find(name); found != scope->registers.end())
            return found->second;
    return -1;
}

std::string Parser::visibleName(const std::string& name) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
        if (const auto found = scope->renamed.find(name); found != scope->renamed.end())
            return found->second;
    return name;
}

} // namespace warplight::ptx
