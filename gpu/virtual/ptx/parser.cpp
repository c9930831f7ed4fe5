// SPDX-License-Identifier: GPL-3.0-or-later
// Directives of a module.
#include "gpu/virtual/ptx/parser.h"

#include "gpu/error.h"
#include "gpu/virtual/ptx/literal.h"

#include <map>
#include <utility>

namespace warplight::ptx {

Space spaceByName(const std::string& name) {
    static const std::map<std::string, Space> names = {{".reg", Space::Register},    {".const", Space::Constant},
                                                       {".global", Space::Global},   {".local", Space::Local},
                                                       {".param", Space::Parameter}, {".shared", Space::Shared}};
    const auto found = names.find(name);
    return found == names.end() ? Space::None : found->second;
}

Module Parser::parse() {
    while (!in.atEnd())
        moduleItem();
    if (module.version.empty())
        in.fail("a .version directive");
    return std::move(module);
}

void Parser::moduleItem() {
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

void Parser::file() {
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

void Parser::section() {
    while (!in.word().empty()) { // a name with dots
    }
    in.expect('{');
    in.skipTo('}');
}

void Parser::location() {
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

int64_t Parser::integer() {
    const bool negative = in.accept('-');
    const auto value = readLiteral(std::string(in.peekWord()), negative);
    if (!value || value->kind != Operand::Kind::Integer)
        in.fail("a whole number");
    in.word();
    return static_cast<int64_t>(value->bits);
}

Module parse(const std::string& text, const std::string& file, const std::atomic<bool>* cancel) {
    return Parser(text, file, cancel).parse();
}

} // namespace warplight::ptx
