// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/ptx/scanner.h"
#include "gpu/virtual/ptx/syntax.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace warplight::ptx {

/// ".shared"; None for a word that names no space.
Space spaceByName(const std::string& name);

/// A recursive descent over PTX text. Names are resolved while reading: PTX blocks may declare a register or a label
/// again, so a name means what its innermost block says.
class Parser {
  public:
    Parser(const std::string& text, const std::string& file, const std::atomic<bool>* c) : in(text, file), cancel(c) {}

    Module parse();

  private:
    struct Scope {
        std::unordered_map<std::string, int> registers;
        std::unordered_map<std::string, std::string> renamed; ///< labels and variables declared again
    };

    // Directives of a module (parser.cpp).
    void moduleItem();
    void file();
    void section();
    void location();
    int64_t integer();

    // Variables (parse_variables.cpp).
    /// After the space: [.align n] [.v2|.v4] .type name[dims] [= initial] {, ...} ;
    void variables(Space space, std::vector<Variable>& into, bool parameter);
    void pointerAttributes();
    void initialise(Variable& variable);

    // Functions and their names (parse_functions.cpp).
    void function(bool kernel);
    void parameterList(std::vector<Variable>& into);
    void body(Function& f);
    void block();
    void statement();
    /// A name declared again in another block gets a suffix of its own.
    void declareName(std::string& name);
    void declareRegister(const std::string& name, Type type);
    void registers();
    int findRegister(const std::string& name) const;
    std::string visibleName(const std::string& name) const;

    // Instructions (parse_instructions.cpp).
    void labelOrInstruction();
    void label(const std::string& name);
    /// Labels of a block that has just ended are known under their own names only inside it.
    void renameLabels(size_t begin);
    Operand operand();
    Operand named(const std::string& word);
    Operand address();

    Scanner in;
    const std::atomic<bool>* cancel;
    Module module;
    Function* fn = nullptr;
    std::vector<Scope> scopes;
    std::set<std::string> usedNames;
    SourceLine current;
};

} // namespace warplight::ptx
