// SPDX-License-Identifier: GPL-3.0-or-later
// mma of 8-bit integers with .satfinite: sums that leave 32 bits stay at their end. Elements lie as in tensor.cpp.
#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/tensor.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

namespace warplight::vgpu {
namespace {

template <class A, class B, int aRegisters>
const Op* multiplySaturating(Warp& w, const Op* op) {
    constexpr int bRegisters = aRegisters / 2, k = 16 * bRegisters;
    if (w.mask != fullMask)
        w.block->fault(w, op, std::countr_zero(w.mask), "divergence",
                       "a matrix instruction that not all lanes of the warp execute,");
    const Row* rows = w.block->program->rows.data() + op->detail; // 4 of D, then A, B, C
    A a[16][k];
    B b[8][k];
    for (int lane = 0; lane < warpSize; ++lane) {
        const int g = lane / 4, t = lane % 4;
        for (int e = 0; e < 4; ++e) {
            for (int i = 0; i < aRegisters; ++i)
                a[g + 8 * (i & 1)][4 * t + 16 * (i >> 1) + e] =
                    static_cast<A>(in<uint32_t>(w, rows[4 + i])[lane] >> (8 * e));
            for (int i = 0; i < bRegisters; ++i)
                b[g][4 * t + 16 * i + e] = static_cast<B>(in<uint32_t>(w, rows[4 + aRegisters + i])[lane] >> (8 * e));
        }
    }
    int32_t d[4][warpSize];
    for (int i = 0; i < 4; ++i)
        for (int lane = 0; lane < warpSize; ++lane) {
            int64_t sum = in<int32_t>(w, rows[4 + aRegisters + bRegisters + i])[lane];
            for (int j = 0; j < k; ++j)
                sum += int64_t(a[lane / 4 + 8 * (i >> 1)][j]) * b[2 * (lane % 4) + (i & 1)][j];
            d[i][lane] = static_cast<int32_t>(
                std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
        }
    for (int i = 0; i < 4; ++i)
        std::copy_n(d[i], warpSize, out<int32_t>(w, rows[i]));
    return op + 1;
}

template <class A, class B>
void add(std::map<std::string, MatrixOperation>& table, const std::string& types) {
    table["m16n8k32.row.col.s32." + types + ".s32"] = {&multiplySaturating<A, B, 4>, 4, 4, 2, 4, 4, 2 * 16 * 8 * 32};
    table["m16n8k16.row.col.s32." + types + ".s32"] = {&multiplySaturating<A, B, 2>, 4, 2, 1, 4, 4, 2 * 16 * 8 * 16};
}

} // namespace

MatrixOperation saturatingMatrixOperation(const std::string& name) {
    static const std::map<std::string, MatrixOperation> table = [] {
        std::map<std::string, MatrixOperation> t;
        add<int8_t, int8_t>(t, "s8.s8");
        add<int8_t, uint8_t>(t, "s8.u8");
        add<uint8_t, int8_t>(t, "u8.s8");
        add<uint8_t, uint8_t>(t, "u8.u8");
        return t;
    }();
    const auto found = table.find(name);
    return found == table.end() ? MatrixOperation{} : found->second;
}

} // namespace warplight::vgpu
