// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/ptx/syntax.h"

namespace warplight::ptx {

Type typeByName(const std::string& name) {
    static const std::map<std::string, Type> names = {
        {"b8", {'b', 8}},         {"b16", {'b', 16}},      {"b32", {'b', 32}},     {"b64", {'b', 64}},
        {"b128", {'b', 128}},     {"u8", {'u', 8}},        {"u16", {'u', 16}},     {"u32", {'u', 32}},
        {"u64", {'u', 64}},       {"s8", {'s', 8}},        {"s16", {'s', 16}},     {"s32", {'s', 32}},
        {"s64", {'s', 64}},       {"f16", {'f', 16}},      {"f32", {'f', 32}},     {"f64", {'f', 64}},
        {"pred", {'p', 1}},       {"bf16", {'h', 16}},     {"tf32", {'t', 32}},    {"f16x2", {'f', 32, 2}},
        {"bf16x2", {'h', 32, 2}}, {"u16x2", {'u', 32, 2}}, {"s16x2", {'s', 32, 2}}};
    const auto found = names.find(name);
    return found == names.end() ? Type{} : found->second;
}

std::string Instruction::text() const {
    std::string all = opcode;
    for (const std::string& m : modifiers)
        all += "." + m;
    return all;
}

int Module::functionNumber(const std::string& name) const {
    for (size_t i = 0; i < functions.size(); ++i)
        if (functions[i].name == name)
            return static_cast<int>(i);
    return -1;
}

const Function* Module::function(const std::string& name) const {
    const int number = functionNumber(name);
    return number < 0 ? nullptr : &functions[static_cast<size_t>(number)];
}

} // namespace warplight::ptx
