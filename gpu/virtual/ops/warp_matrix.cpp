// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/ops/warp_matrix.h"

#include "gpu/number/half.h"
#include "gpu/virtual/ops/access.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace warplight::vgpu {
namespace {

int elementBytes(const ptx::Type& type) { return type.bits / 8; }

/// Elements of a fragment that share a register.
int perRegister(const ptx::Type& type) { return type.bits >= 32 ? 1 : 32 / type.bits; }

int slots(const WarpMatrix::Part& part) { return part.rows * part.columns / warpSize; }

/// The bits of an element in a slot of a fragment.
uint64_t get(const Warp& w, const Row* rows, const ptx::Type& type, int slot, int lane) {
    if (type.bits == 64)
        return in<uint64_t>(w, rows[slot])[lane];
    const int each = perRegister(type);
    const uint32_t word = in<uint32_t>(w, rows[slot / each])[lane] >> (type.bits % 32 * (slot % each));
    return type.bits == 32 ? word : word & ((1u << type.bits) - 1);
}

void put(Warp& w, const Row* rows, const ptx::Type& type, int slot, int lane, uint64_t bits) {
    if (type.bits == 64) {
        out<uint64_t>(w, rows[slot])[lane] = bits;
        return;
    }
    const int each = perRegister(type), shift = type.bits % 32 * (slot % each);
    uint32_t& word = out<uint32_t>(w, rows[slot / each])[lane];
    const uint32_t mask = type.bits == 32 ? fullMask : ((1u << type.bits) - 1) << shift;
    word = (word & ~mask) | (static_cast<uint32_t>(bits) << shift & mask);
}

double number(const ptx::Type& type, uint64_t bits) {
    switch (type.kind) {
    case 'h':
        return number::bf16ToFloat(static_cast<uint16_t>(bits));
    case 't':
        return std::bit_cast<float>(static_cast<uint32_t>(bits) & 0xffffe000u);
    case 's':
        return type.bits == 8 ? static_cast<double>(static_cast<int8_t>(bits))
                              : static_cast<double>(static_cast<int32_t>(bits));
    case 'u':
        return static_cast<double>(bits);
    default:
        return type.bits == 16   ? static_cast<double>(number::f16ToFloat(static_cast<uint16_t>(bits)))
               : type.bits == 32 ? static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))
                                 : std::bit_cast<double>(bits);
    }
}

void wholeWarp(Warp& w, const Op* op) {
    if (w.mask != fullMask)
        w.block->fault(w, op, std::countr_zero(w.mask), "divergence",
                       "a matrix instruction that not all lanes of the warp execute,");
}

const WarpMatrix& matrixOf(const Warp& w, const Op* op) {
    const Program& p = *w.block->program;
    return p.warpMatrices[p.rows[op->detail + op->count - 1u]];
}

/// Calls move(host pointer, slot, lane) for each element.
template <class Move>
void forElements(Warp& w, const Op* op, AccessKind kind, Move move) {
    wholeWarp(w, op);
    const WarpMatrix& m = matrixOf(w, op);
    const WarpMatrix::Part& part = m.part;
    const int bytes = elementBytes(part.type);
    const uint64_t base =
        (op->bytes == 8 ? in<uint64_t>(w, op->a)[0] : in<uint32_t>(w, op->a)[0]) + static_cast<uint64_t>(op->imm);
    const uint64_t stride = in<uint32_t>(w, op->b)[0];
    const bool shared =
        m.space == ptx::Space::Shared || (m.space == ptx::Space::None && base >> 32 == sharedWindow >> 32);
    for (int slot = 0; slot < slots(part); ++slot) {
        uint64_t address[warpSize];
        int64_t offsets[warpSize];
        Pattern p;
        p.mask = fullMask;
        for (int lane = 0; lane < warpSize; ++lane) {
            const int e = slot * warpSize + lane, row = e / part.columns, column = e % part.columns;
            const uint64_t at = part.byColumns ? static_cast<uint64_t>(column) * stride + static_cast<uint64_t>(row)
                                               : static_cast<uint64_t>(row) * stride + static_cast<uint64_t>(column);
            address[lane] = base + at * static_cast<uint64_t>(bytes);
            if (shared)
                address[lane] &= 0xffffffffu;
        }
        for (int lane = 0; lane < warpSize; ++lane)
            p.delta[lane] = static_cast<int64_t>(address[lane] - address[0]);
        completePattern(p, address[0], bytes);
        const Place place = shared ? locateShared(w, op, p, address, address[0], bytes, kind)
                                   : locateGlobal(w, op, p, address, address[0], bytes, kind, offsets);
        for (int lane = 0; lane < warpSize; ++lane)
            move(place.host + place.offset[lane], slot, lane);
    }
}

} // namespace

int fragmentRegisters(const WarpMatrix& m, char which) {
    const WarpMatrix::Part& part = m.part;
    const int have = slots(part) / perRegister(part.type);
    // f16 fragments of A and B have eight registers whatever the shape (tables of 9.7.15.3).
    return (which == 'a' || which == 'b') && part.type.kind == 'f' && part.type.bits == 16 ? 8 : have;
}

const Op* loadWarpMatrix(Warp& w, const Op* op) {
    const Row* rows = w.block->program->rows.data() + op->detail;
    const WarpMatrix::Part& part = matrixOf(w, op).part;
    const int bytes = elementBytes(part.type), all = (op->count - 1) * perRegister(part.type);
    forElements(w, op, AccessKind::Read, [&](const std::byte* from, int slot, int lane) {
        uint64_t bits = 0;
        std::memcpy(&bits, from, static_cast<size_t>(bytes));
        for (int s = slot; s < all; s += slots(part))
            put(w, rows, part.type, s, lane, bits);
    });
    return op + 1;
}

const Op* storeWarpMatrix(Warp& w, const Op* op) {
    const Row* rows = w.block->program->rows.data() + op->detail;
    const WarpMatrix::Part& part = matrixOf(w, op).part;
    const int bytes = elementBytes(part.type);
    forElements(w, op, AccessKind::Write, [&](std::byte* to, int slot, int lane) {
        const uint64_t bits = get(w, rows, part.type, slot, lane);
        std::memcpy(to, &bits, static_cast<size_t>(bytes));
    });
    return op + 1;
}

const Op* multiplyWarpMatrices(Warp& w, const Op* op) {
    wholeWarp(w, op);
    const WarpMatrix& m = matrixOf(w, op);
    const Row* rows = w.block->program->rows.data() + op->detail;
    const Row *d = rows, *a = d + m.registers[0], *b = a + m.registers[1], *c = b + m.registers[2];
    const auto element = [&](const Row* fragment, const ptx::Type& type, int e) {
        return number(type, get(w, fragment, type, e / warpSize, e % warpSize));
    };
    std::vector<double> x(static_cast<size_t>(m.m * m.k)), y(static_cast<size_t>(m.k * m.n));
    for (int e = 0; e < m.m * m.k; ++e)
        x[static_cast<size_t>(e)] = element(a, m.inputA, e);
    for (int e = 0; e < m.k * m.n; ++e)
        y[static_cast<size_t>(e)] = element(b, m.inputB, e);
    std::vector<uint64_t> result(static_cast<size_t>(m.m * m.n));
    for (int e = 0; e < m.m * m.n; ++e) {
        const int row = e / m.n, column = e % m.n;
        const auto product = [&](int k) {
            return std::pair(x[static_cast<size_t>(row * m.k + k)], y[static_cast<size_t>(k * m.n + column)]);
        };
        const double start = element(c, m.sumC, e);
        uint64_t bits = 0;
        if (m.sumD.kind == 's') {
            auto sum = static_cast<int64_t>(start);
            for (int k = 0; k < m.k; ++k)
                sum += static_cast<int64_t>(product(k).first * product(k).second);
            if (m.saturates)
                sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
            bits = static_cast<uint32_t>(sum);
        } else if (m.sumD.bits == 64) {
            double sum = start;
            for (int k = 0; k < m.k; ++k)
                sum = std::fma(product(k).first, product(k).second, sum);
            bits = std::bit_cast<uint64_t>(sum);
        } else {
            auto sum = static_cast<float>(start);
            for (int k = 0; k < m.k; ++k)
                sum = std::fma(static_cast<float>(product(k).first), static_cast<float>(product(k).second), sum);
            bits = m.sumD.bits == 16 ? number::floatToF16(sum) : std::bit_cast<uint32_t>(sum);
        }
        result[static_cast<size_t>(e)] = bits;
    }
    for (int e = 0; e < m.m * m.n; ++e)
        put(w, d, m.sumD, e / warpSize, e % warpSize, result[static_cast<size_t>(e)]);
    return op + 1;
}

} // namespace warplight::vgpu
