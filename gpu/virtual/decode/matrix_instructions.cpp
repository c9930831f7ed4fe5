// SPDX-License-Identifier: GPL-3.0-or-later
// mma, wmma, ldmatrix and stmatrix.
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/ops/tensor.h"
#include "gpu/virtual/ops/warp_matrix.h"

#include <cstdint>
#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace warplight::vgpu {

using ptx::Space;

namespace {

/// By the names of the types of A and D.
TensorRate tensorRate(const std::string& input, const std::string& sums) {
    if (input == "f16" || input == "bf16")
        return sums == "f16" ? TensorRate::HalfWithHalfSums : TensorRate::Half;
    return input == "tf32" ? TensorRate::Tf32 : input == "f64" ? TensorRate::Double : TensorRate::Byte;
}

/// The same of a wmma.
TensorRate tensorRate(const WarpMatrix& matrix) {
    const auto name = [](const ptx::Type& type) {
        return type.kind == 't' ? "tf32" : type.bits == 64 ? "f64" : type.bits == 16 ? "f16" : "byte";
    };
    return tensorRate(name(matrix.inputA), name(matrix.sumD));
}

} // namespace

void FunctionDecoder::matrix() {
    std::string name;
    std::vector<std::string> words; // shape, layouts of A and B, types of D, A, B and C
    for (const std::string& m : now->modifiers)
        if (m != "sync" && m != "aligned" && m != "kind::f8f6f4" && m != "satfinite") {
            name += (name.empty() ? "" : ".") + m;
            words.push_back(m);
        }
    const MatrixOperation operation =
        hasModifier("satfinite") ? saturatingMatrixOperation(name) : matrixOperation(name);
    if (!operation.run)
        refuse("the virtual GPU does not know this matrix product");
    const int expected[] = {operation.dRows, operation.aRows, operation.bRows, operation.cRows};
    std::vector<Row> rows;
    const Type type{'b', operation.rowBytes * 8};
    for (size_t i = 0; i < 4; ++i) {
        const Operand& o = operand(i);
        const std::vector<Operand> parts = o.kind == Operand::Kind::Vector ? o.parts : std::vector<Operand>{o};
        if (static_cast<int>(parts.size()) != expected[i])
            refuse(fmt::format("expected {} registers in operand {}", expected[i], i + 1));
        for (const Operand& part : parts)
            rows.push_back(i == 0 ? registerRow(part) : source(part, type));
    }
    Op& op = emitList(operation.run, OpClass::Tensor, rows, static_cast<size_t>(operation.dRows));
    (void)op;
    code.origins.back().flops = operation.flops;
    code.origins.back().tensorRate = tensorRate(words[4], words[3]); // of a product that is known there are seven
}

void FunctionDecoder::loadOrStoreMatrix(bool loads) {
    const int count = hasModifier("x4") ? 4 : hasModifier("x2") ? 2 : 1;
    if (!hasModifier("m8n8") || !hasModifier("b16"))
        refuse("the virtual GPU does not know this matrix shape");
    const Operand& list = operand(loads ? 0 : 1);
    const std::vector<Operand> parts = list.kind == Operand::Kind::Vector ? list.parts : std::vector<Operand>{list};
    if (static_cast<int>(parts.size()) != count)
        refuse(fmt::format("expected {} registers", count));
    const Address at = address(operand(loads ? 1 : 0), Space::Shared);
    std::vector<Row> rows;
    for (const Operand& part : parts)
        rows.push_back(loads ? registerRow(part) : sourceOfBytes(part, 4));
    Op& op =
        emitList(loads ? loadMatrixHandler() : storeMatrixHandler(), OpClass::Matrix, rows, loads ? rows.size() : 0);
    op.a = at.row;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(at.bytes);
    op.negated = hasModifier("trans");
    op.access = accessNumber();
}

namespace {

/// "m16n16k16"
bool readShape(const std::string& text, WarpMatrix& matrix) {
    return std::sscanf(text.c_str(), "m%dn%dk%d", &matrix.m, &matrix.n, &matrix.k) == 3 && matrix.m > 0 &&
           matrix.n > 0 && matrix.k > 0 && matrix.m * matrix.n <= 256 && matrix.m * matrix.k <= 512 &&
           matrix.k * matrix.n <= 512;
}

} // namespace

/// wmma.load, wmma.store and wmma.mma.
void FunctionDecoder::warpMatrix() {
    WarpMatrix matrix;
    std::vector<Type> types;
    std::vector<std::string> layouts;
    bool shaped = false;
    for (const std::string& m : now->modifiers) {
        if (const Type type = ptx::typeByName(m); type.kind != 0)
            types.push_back(type);
        else if (m == "row" || m == "col")
            layouts.push_back(m);
        else if (m == "shared" || m == "shared::cta" || m == "global")
            matrix.space = m == "global" ? Space::Global : Space::Shared;
        else if (m == "satfinite")
            matrix.saturates = true;
        else
            shaped = shaped || readShape(m, matrix);
    }
    const std::string what = now->modifiers.empty() ? "" : now->modifiers[0];
    if (!shaped || types.empty() || layouts.empty())
        refuse("the virtual GPU does not know this matrix instruction");
    std::vector<Row> rows;
    const auto fragment = [&](const Operand& o, int registers, const Type& type, bool written) {
        if (o.kind != Operand::Kind::Vector || static_cast<int>(o.parts.size()) != registers)
            refuse(fmt::format("expected {} registers", registers));
        for (const Operand& part : o.parts)
            rows.push_back(written ? registerRow(part) : source(part, {'b', type.bits == 64 ? 64 : 32}));
    };
    const auto finish = [&](Handler run, OpClass kind, size_t written) -> Op& {
        rows.push_back(static_cast<Row>(s.program.warpMatrices.size()));
        s.program.warpMatrices.push_back(matrix);
        Op& op = emitList(run, kind, rows, written);
        code.rowIsNumber[op.detail + op.count - 1u] = true;
        return op;
    };
    if (what == "mma") {
        // f16 inputs go unsaid: .dtype.ctype; else .dtype.atype.btype.ctype.
        const Type half{'f', 16};
        const bool said = types.size() == 4;
        if (types.size() != 2 && !said)
            refuse("expected two or four types");
        matrix.sumD = types[0];
        matrix.inputA = said ? types[1] : half;
        matrix.inputB = said ? types[2] : half;
        matrix.sumC = types.back();
        const auto registers = [&](int r, int c, const Type& type, char which) {
            WarpMatrix one = matrix;
            one.part = {r, c, false, type};
            return fragmentRegisters(one, which);
        };
        matrix.registers[0] = registers(matrix.m, matrix.n, matrix.sumD, 'd');
        matrix.registers[1] = registers(matrix.m, matrix.k, matrix.inputA, 'a');
        matrix.registers[2] = registers(matrix.k, matrix.n, matrix.inputB, 'b');
        matrix.registers[3] = registers(matrix.m, matrix.n, matrix.sumC, 'c');
        const Type* of[] = {&matrix.sumD, &matrix.inputA, &matrix.inputB, &matrix.sumC};
        for (size_t i = 0; i < 4; ++i)
            fragment(operand(i), matrix.registers[i], *of[i], i == 0);
        finish(&multiplyWarpMatrices, OpClass::Tensor, static_cast<size_t>(matrix.registers[0]));
        code.origins.back().flops = static_cast<uint32_t>(2 * matrix.m * matrix.n * matrix.k);
        code.origins.back().tensorRate = tensorRate(matrix);
        return;
    }
    const bool loads = what == "load";
    const char which = now->modifiers.size() > 1 ? now->modifiers[1][0] : ' ';
    if ((!loads && what != "store") || (which != 'a' && which != 'b' && which != 'c' && which != 'd'))
        refuse("the virtual GPU does not know this matrix instruction");
    const int r = which == 'b' ? matrix.k : matrix.m, c = which == 'a' ? matrix.k : matrix.n;
    matrix.part = {r, c, layouts[0] == "col", types[0]};
    fragment(operand(loads ? 0 : 1), fragmentRegisters(matrix, which), types[0], loads);
    const Address at = address(operand(loads ? 1 : 0), matrix.space);
    const Row stride = now->operands.size() > 2 ? sourceOfBytes(operand(2), 4)
                                                : constant(static_cast<uint64_t>(matrix.part.byColumns ? r : c), 4);
    const size_t written = loads ? rows.size() : 0;
    Op& op = finish(loads ? &loadWarpMatrix : &storeWarpMatrix,
                    matrix.space == Space::Shared ? OpClass::Shared : OpClass::Global, written);
    op.a = at.row;
    op.b = stride;
    op.imm = at.offset;
    op.bytes = static_cast<uint8_t>(at.bytes);
    op.access = accessNumber();
}

} // namespace warplight::vgpu
