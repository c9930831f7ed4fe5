// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/decode/code.h"
#include "gpu/virtual/decode/control_flow.h"
#include "gpu/virtual/handlers.h"
#include "gpu/virtual/ops/control.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace warplight::vgpu {

/// Where a symbol of a module lies: an address in the generic space for .global and .const, else nothing.
using SymbolAddress = std::function<uint64_t(const std::string&)>;

/// Decodes a kernel and what it calls. Throws InputError naming the instruction, its line and the kernel for whatever
/// the virtual GPU does not know: nothing is skipped silently. Throws Cancelled.
Program decodeKernel(const ptx::Module& module, const std::string& file, const std::string& kernel,
                     const SymbolAddress& addressOf, const std::atomic<bool>* cancel = nullptr);

/// One function at a time. Instruction families are methods; each looks its operands up and emits operations.
class FunctionDecoder {
  public:
    struct Shared { ///< what the functions of a kernel have in common
        const ptx::Module& module;
        Program& program;
        const SymbolAddress& addressOf;
        const std::atomic<bool>* cancel;
        std::map<std::string, int64_t> sharedOffsets;
        std::map<std::string, int> functions; ///< index into Program::functions
        std::vector<std::string> pending;     ///< to be decoded
        std::map<std::pair<uint64_t, int>, Row> constants;
    };

    FunctionDecoder(Shared& shared, const ptx::Function& function, int index);
    /// Appends the function's operations to the program and fills in Program::functions[index].
    void decode();

  private:
    using Operand = ptx::Operand;
    using Instruction = ptx::Instruction;
    using Type = ptx::Type;

    [[noreturn]] void refuse(const std::string& why) const;
    const Operand& operand(size_t i) const;
    bool hasModifier(const std::string& m) const;
    Type typeModifier(size_t fromEnd = 0) const; ///< the last type among the modifiers, or the one before …

    // rows
    Row newRow(int bytes);
    Row constant(uint64_t bits, int bytes);
    Row registerRow(const Operand& o) const;
    struct WideRows {
        Row low, high;
    };
    WideRows wideRows(const Operand& o) const; ///< of a 128-bit register
    int registerBytes(const Operand& o) const; ///< 0 for predicates
    Row source(const Operand& o, Type type);
    Row sourceOfBytes(const Operand& o, int bytes) { return source(o, {'b', bytes * 8}); }
    Row target(const Operand& o, Type type);
    void finishTarget(); ///< widens what `target` had to put into a narrower row
    Row predicateSource(const Operand& o);
    struct Address {
        Row row = noRow;
        int bytes = 8;
        int64_t offset = 0;
        ptx::Space space = ptx::Space::None;
        std::string symbol; ///< of a parameter or call slot
    };
    Address address(const Operand& o, ptx::Space space);
    Row symbolAddress(const std::string& name, int bytes, int64_t addend);
    int functionIndex(const std::string& name); ///< in the program; sees to it that the function is decoded

    // operations
    Op& emit(Handler run, OpClass kind, uint32_t flops = 0);
    Op& emitList(Handler run, OpClass kind, const std::vector<Row>& rows, size_t defined);
    Row lane(const std::string& name, int bytes, std::initializer_list<Row> sources); ///< into a fresh row
    void laneInto(const std::string& name, Row dst, std::initializer_list<Row> sources);
    uint32_t accessNumber() { return s.program.accesses++; }
    bool polls() const;
    void touches(Touch touch, const Address& at, int bytes); ///< of the operation emitted last
    void orders(const Address& at, bool before);             ///< others' accesses, where it has such modifiers
    std::vector<uint32_t> meetings;                          ///< of the function
    void findPollLoops(uint32_t base);

    // families
    void instruction(const Instruction& i);
    void laneOperation();
    std::string laneName() const;
    void convert();
    static std::string takeCombination(std::vector<std::string>& modifiers);
    void writePredicates(std::vector<std::pair<Operand, Row>> values);
    void compare(bool predicate);
    void writeTruth(Type result, bool pair, Row low, Row high);
    void logicOfThree();
    void move();
    void moveVector();
    void unpackInto(const std::vector<Operand>& parts, int whole, Row value);
    Row packed(const std::vector<Operand>& parts, int whole);
    void carry();
    void convertAddress();
    void isSpace();
    bool halvesOfWide(Type& type, int& elements) const;
    void load();
    void store();
    void atomic();
    void asyncCopy();
    void barrierOperation();
    void shuffleOperation();
    void voteOperation();
    void matchOperation();
    void reduceOperation();
    void branchOperation();
    void callOperation();
    void barrierObject();
    void matrix();
    void warpMatrix(); ///< wmma
    void loadOrStoreMatrix(bool load);

    std::vector<std::string> memoryModifiers(ptx::Space& space, int& elements, Type& type) const;
    void layOutSlots();
    Program::Function::Slot slot(const std::string& name) const;

    Shared& s;
    const ptx::Function fn;
    int index;
    Code code;
    const Instruction* now = nullptr;
    std::map<std::string, Program::Function::Slot> slots;
    std::map<std::string, int64_t> localOffsets;
    std::map<std::string, int64_t> parameterOffsets;
    int64_t localBytes = 0;
    Row carryFlag = noRow;
    std::map<int, Row> upperHalves; ///< of 128-bit registers, by index; the register's own row is the lower half
    struct Widening {
        Row from = noRow, to = noRow;
        std::string name;
    } widening;
    struct Branch {
        size_t op;
        std::string label; ///< empty: only where it meets
        int block;
    };
    std::vector<Branch> branches;
    struct TargetList {
        size_t index; ///< of Program::branchTargets
        std::vector<std::string> labels;
    };
    std::vector<TargetList> targetLists;
    int block = -1;
};

} // namespace warplight::vgpu
