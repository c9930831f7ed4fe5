// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/ptx/syntax.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <vector>

namespace warplight::vgpu {

/// Rows are moved 64 bytes at a time; none shall cross a cache line.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}
    T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64))); }
    void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
    bool operator==(const AlignedAllocator&) const { return true; }
};
using Bytes = std::vector<std::byte, AlignedAllocator<std::byte>>;

constexpr int warpSize = 32;
constexpr uint32_t fullMask = 0xffffffffu;

struct Warp;
struct Op;

/// Executes one operation for the active lanes of a warp and returns the next one, or null when the warp has to wait
/// or has ended.
using Handler = const Op* (*)(Warp&, const Op*);

/// A row holds one value a lane, lane-contiguous: 32 × 2, 4 or 8 bytes; a predicate's row is one 32-bit mask. A row
/// reference is a byte offset into the frame of the running function, or, with bit 0 set, into the constants.
using Row = uint32_t;
constexpr Row noRow = 0xffffffffu;

/// A decoded instruction: everything looked up, nothing left to interpret.
struct Op {
    Handler run = nullptr;
    Row dst = noRow, a = noRow, b = noRow, c = noRow, d = noRow;
    uint32_t predicate = noRow; ///< row of the guarding predicate; `inner` then runs under its mask
    int64_t imm = 0;            ///< offset of an address, target of a branch, selector …
    Handler inner = nullptr;
    uint32_t detail = 0;       ///< first index into Program::rows, or what the handler says
    uint16_t count = 0;        ///< rows in that list
    bool negated = false;      ///< of an operand: a complemented predicate, a transposed matrix …
    bool guardNegated = false; ///< of the guarding predicate
    uint8_t bytes = 0;         ///< of a memory element
    uint32_t access = 0;       ///< number of this memory operation among all of them
    uint32_t index = 0;        ///< of this operation
};

/// What an instruction occupies on a real GPU; the unit of the instruction statistics and of the time model.
enum class OpClass : uint8_t {
    Move,
    Integer,
    Fp32,
    Fp64,
    Fp16,
    Special,
    Convert,
    Compare,
    Control,
    Barrier,
    Exchange,
    Global,
    Shared,
    Local,
    Parameter,
    Constant,
    Atomic,
    AsyncCopy,
    Matrix,
    Tensor,
    Other,
    Join
};
constexpr int opClasses = static_cast<int>(OpClass::Join) + 1;
const char* opClassName(OpClass c);

/// What an operation has to do with memory that other threads see: a loop that changes none and reads the same again
/// only waits.
enum class Touch : uint8_t {
    Nothing,
    Reads,
    Updates, ///< stores and atomics: they change nothing where they write what was there
    Changes, ///< everything else that others may notice: barriers, copies, printf …
    Clock    ///< its result changes by itself
};

/// Matrix products by what the rate of tensor cores depends on: the type of A and B, and of the sums.
enum class TensorRate : uint8_t { Half, HalfWithHalfSums, Tf32, Byte, Double };

/// What is known of an operation besides how to run it.
struct OpOrigin {
    uint32_t instruction = 0; ///< index into Program::instructions
    OpClass kind = OpClass::Other;
    uint32_t flops = 0; ///< floating-point operations a thread (a warp for Tensor)
    TensorRate tensorRate = TensorRate::Half;
    Touch touch = Touch::Nothing;
    ptx::Space space = ptx::Space::None; ///< that it reads or updates, at Op::a + imm
    uint8_t addressBytes = 8;            ///< of a lane's address
    uint8_t bytes = 0;                   ///< a lane reads or updates
    bool polls = false;                  ///< such reads are there to see what other threads do
    bool strong = false;                 ///< volatile, relaxed, acquire or release: no race with others like it
};

struct Parameter {
    std::string name;
    ptx::Type type;
    int64_t offset = 0, bytes = 0;
    bool array = false; ///< a struct passed by value
};

/// What a wmma instruction works on.
struct WarpMatrix {
    struct Part { ///< of a load or store
        int rows = 0, columns = 0;
        bool byColumns = false;
        ptx::Type type;
    } part;
    ptx::Space space = ptx::Space::None;
    int m = 0, n = 0, k = 0;
    ptx::Type inputA, inputB, sumC, sumD; ///< of a product
    int registers[4] = {};                ///< of D, A, B, C
    bool saturates = false;
};

/// A kernel and every function it can call, decoded.
struct Program {
    std::string file, kernel;
    std::vector<Op> ops;
    std::vector<OpOrigin> origins;
    std::vector<Row> rows; ///< operand lists of the operations with many
    Bytes constants;
    uint32_t entry = 0;
    uint32_t frameBytes = 0;        ///< of the kernel's own frame
    uint32_t accesses = 0;          ///< memory operations
    std::vector<uint32_t> meetings; ///< operations by which threads of a warp or block exchange values or meet
    std::vector<std::pair<uint32_t, uint32_t>> backward; ///< branches: from, to
    uint32_t pollLoops = 0; ///< backward branches around reads that poll: Op::bytes is 1, Op::access their number

    struct Function {
        std::string name;
        uint32_t entry = 0;      ///< index of its first operation
        uint32_t frameBytes = 0; ///< registers and parameters, all lanes
        uint32_t localBytes = 0; ///< a thread
        struct Slot {
            uint32_t offset, bytes;
        }; ///< per-lane storage in the frame: [lane][bytes]
        std::vector<Slot> parameters, returns;
    };
    std::vector<Function> functions; ///< 0 is the kernel
    std::vector<int> functionOf;     ///< by number in the module, what a function's address says; -1: not decoded

    struct Call {
        int function = -1;                              ///< -1: by the value of a register
        std::vector<Function::Slot> arguments, returns; ///< in the caller's frame
        std::string builtin;
    };
    std::vector<Call> calls;
    std::vector<WarpMatrix> warpMatrices;
    std::vector<std::vector<uint32_t>> branchTargets; ///< of indirect branches

    std::vector<Parameter> parameters;
    int64_t parameterBytes = 0;
    int64_t sharedBytes = 0; ///< static
    int64_t sharedAlign = 16;
    int maxThreads = 1024;
    int registersPerThread = 0; ///< 32-bit, live at one time: what the virtual GPU itself needs
    bool ordered = false;       ///< results or counts depend on the order of its blocks: atomics, polling
    bool usesClock = false;

    struct Instruction {
        std::string text;
        std::string function;
        int line = 0;
        ptx::SourceLine source;
    };
    std::vector<Instruction> instructions;
    std::vector<std::string> files;
};

} // namespace warplight::vgpu
