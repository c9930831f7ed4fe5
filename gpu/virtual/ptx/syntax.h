// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace warplight::ptx {

/// What a PTX file says, names resolved, nothing interpreted. Source: PTX ISA 9.0, chapters 4 and 5.

enum class Space { None, Register, Special, Constant, Global, Local, Parameter, Shared };

/// A scalar type: its letter ('b' bits, 'u', 's', 'f', 'p' predicate, 'h' bf16, 't' tf32, 'x' packed) and its bits.
struct Type {
    char kind = 0;
    int bits = 0;
    int elements = 1; ///< 2 for f16x2, bf16x2, u16x2, s16x2; 4 for u8x4
    int bytes() const { return bits / 8; }
    bool operator==(const Type&) const = default;
};

/// The type a modifier such as "u32" or "bf16x2" names; kind 0 if it is none.
Type typeByName(const std::string& name);

struct Operand {
    enum class Kind {
        Register,  ///< `index` is that of Function::registers
        Special,   ///< %tid.x and its like, by `name`
        Integer,   ///< `bits`
        Float,     ///< `bits` are those of an f32 (width 32) or an f64 (width 64)
        Symbol,    ///< a variable, function or label by `name`, plus `bits` as an offset
        Address,   ///< [base + bits]: parts[0] is a register, a symbol or an integer
        Vector,    ///< {parts}
        Alternate, ///< a|b: parts
        None       ///< _
    };
    Kind kind = Kind::None;
    std::string name;
    uint64_t bits = 0;
    int width = 0;
    int index = -1;
    bool negated = false; ///< !%p
    std::vector<Operand> parts;
};

struct SourceLine {
    int file = 0, line = 0; ///< line 0: unknown
    bool operator==(const SourceLine&) const = default;
};

struct Instruction {
    std::string opcode;                 ///< up to the first dot
    std::vector<std::string> modifiers; ///< the rest, without dots
    std::vector<Operand> operands;
    int predicate = -1; ///< register
    bool predicateNegated = false;
    int line = 0;             ///< of the PTX text
    SourceLine source;        ///< from .loc
    std::string text() const; ///< opcode and modifiers as written
};

struct Register {
    std::string name;
    Type type;
};

struct Variable {
    std::string name;
    Space space = Space::None;
    Type type;
    int64_t align = 1;
    int64_t bytes = 0; ///< 0: extern .shared x[], sized at launch
    std::vector<uint8_t> initial;
    struct Relocation {
        int64_t at;
        std::string symbol;
        int64_t addend;
        int bytes;
    };
    std::vector<Relocation> relocations;
    int line = 0;
};

struct Function {
    std::string name;
    bool kernel = false;
    bool defined = false; ///< has a body
    int line = 0;
    std::vector<Variable> returns, parameters;
    std::vector<Register> registers;
    std::vector<Variable> variables; ///< .local, .shared and call parameters of the body
    std::vector<Instruction> body;
    std::map<std::string, size_t> labels;                    ///< to an index of body
    std::map<std::string, std::vector<std::string>> targets; ///< .branchtargets, .calltargets lists
    std::map<std::string, Function> prototypes;              ///< .callprototype
    int maxThreads = 0;                                      ///< of .maxntid or .reqntid
};

struct Module {
    std::string version, target;
    int addressBits = 64;
    std::vector<std::string> files; ///< by .file number
    std::vector<Variable> variables;
    std::vector<Function> functions;
    const Function* function(const std::string& name) const;
    int functionNumber(const std::string& name) const; ///< index of `functions`; -1: none of that name
};

/// Reads PTX text, ISA 7.0 to 9.x. Throws InputError naming `file`, the line and what was expected,
/// Cancelled.
Module parse(const std::string& text, const std::string& file, const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::ptx
