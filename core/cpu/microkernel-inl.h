// SPDX-License-Identifier: GPL-3.0-or-later
// A product of six rows with a panel of columns whose sums stay in registers: what all matrix products are made of.
// Included once per target.
#if defined(WARPLIGHT_CPU_MICROKERNEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_MICROKERNEL_INL_H
#undef WARPLIGHT_CPU_MICROKERNEL_INL_H
#else
#define WARPLIGHT_CPU_MICROKERNEL_INL_H
#endif

#include "hwy/highway.h"

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using Vector = hn::Vec<F>;
constexpr int64_t lanesOf = HWY_LANES(float);
#if HWY_TARGET == HWY_AVX3
constexpr int panelVectors = 4; // 6 × 4 sums + 4 columns + 1 broadcast = 29 of 32 registers
#else
constexpr int panelVectors = 2; // 6 × 2 sums + 2 columns + 1 broadcast = 15 of 16 registers
#endif

/// Where the elements of the left operand lie: a row and a column further.
struct Steps {
    int64_t row, column = 1;
};

/// c [Rows, Vectors·lanes] (+)= a [Rows, depth] · b [depth, Vectors·lanes]. Every rung's FLOPs happen here:
/// per step of `depth`, Vectors loads and Rows broadcasts feed Rows · Vectors fused multiply-adds.
template <int Rows, int Vectors, bool AddToC>
HWY_INLINE void multiplyStrip(const float* HWY_RESTRICT a, Steps aSteps, const float* HWY_RESTRICT b, int64_t bStride,
                              int64_t depth, float* HWY_RESTRICT c, int64_t cStride) {
    const F d;
    Vector sums[Rows][Vectors];
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            sums[r][n] = AddToC ? hn::LoadU(d, c + r * cStride + n * lanesOf) : hn::Zero(d);
    for (int64_t k = 0; k < depth; ++k) {
        Vector column[Vectors];
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            column[n] = hn::LoadU(d, b + k * bStride + n * lanesOf);
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r) {
            const Vector row = hn::Set(d, a[r * aSteps.row + k * aSteps.column]);
#pragma GCC unroll 4
            for (int n = 0; n < Vectors; ++n)
                sums[r][n] = hn::MulAdd(row, column[n], sums[r][n]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            hn::StoreU(sums[r][n], d, c + r * cStride + n * lanesOf);
}

/// Chooses the instance for 1 to 6 rows.
template <int Vectors, bool AddToC>
HWY_INLINE void multiplyRows(int64_t rows, const float* a, Steps aSteps, const float* b, int64_t bStride, int64_t depth,
                             float* c, int64_t cStride) {
    switch (rows) {
    case 6:
        return multiplyStrip<6, Vectors, AddToC>(a, aSteps, b, bStride, depth, c, cStride);
    case 5:
        return multiplyStrip<5, Vectors, AddToC>(a, aSteps, b, bStride, depth, c, cStride);
    case 4:
        return multiplyStrip<4, Vectors, AddToC>(a, aSteps, b, bStride, depth, c, cStride);
    case 3:
        return multiplyStrip<3, Vectors, AddToC>(a, aSteps, b, bStride, depth, c, cStride);
    case 2:
        return multiplyStrip<2, Vectors, AddToC>(a, aSteps, b, bStride, depth, c, cStride);
    default:
        return multiplyStrip<1, Vectors, AddToC>(a, aSteps, b, bStride, depth, c, cStride);
    }
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
