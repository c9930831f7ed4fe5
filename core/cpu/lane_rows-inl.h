// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of steps, one a channel, into vectors of channels, one a step, and back. Included once per target.
#if defined(WARPLIGHT_CPU_LANE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_LANE_ROWS_INL_H
#undef WARPLIGHT_CPU_LANE_ROWS_INL_H
#else
#define WARPLIGHT_CPU_LANE_ROWS_INL_H
#endif

#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
using Four = hn::FixedTag<float, 4>;

/// Columns of each 4 × 4 block of 128 bits.
template <class D>
HWY_INLINE void transposeBlocks(D d, hn::Vec<D> (&v)[4]) {
    const hn::RepartitionToWide<D> wide;
    const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, v[0], v[1])),
               high01 = hn::BitCast(wide, hn::InterleaveUpper(d, v[0], v[1])),
               low23 = hn::BitCast(wide, hn::InterleaveLower(d, v[2], v[3])),
               high23 = hn::BitCast(wide, hn::InterleaveUpper(d, v[2], v[3]));
    v[0] = hn::BitCast(d, hn::InterleaveLower(wide, low01, low23));
    v[1] = hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23));
    v[2] = hn::BitCast(d, hn::InterleaveLower(wide, high01, high23));
    v[3] = hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23));
}

/// Four numbers of every fourth row, one row a block of 128 bits.
template <class D>
HWY_INLINE hn::Vec<D> loadBlocks(D d, const float* rows, int64_t stride) {
    constexpr int64_t lanes = hn::MaxLanes(d);
    if constexpr (lanes == 4) {
        return hn::LoadU(d, rows);
    } else {
        const hn::Half<D> half;
        return hn::Combine(d, loadBlocks(half, rows + lanes / 2 * stride, stride), loadBlocks(half, rows, stride));
    }
}
template <class D>
HWY_INLINE void storeBlocks(D d, hn::Vec<D> v, float* rows, int64_t stride) {
    constexpr int64_t lanes = hn::MaxLanes(d);
    if constexpr (lanes == 4) {
        hn::StoreU(v, d, rows);
    } else {
        const hn::Half<D> half;
        storeBlocks(half, hn::LowerHalf(half, v), rows, stride);
        storeBlocks(half, hn::UpperHalf(half, v), rows + lanes / 2 * stride, stride);
    }
}
#endif

#if HWY_TARGET == HWY_AVX3
/// Sixteen vectors, column by column: those of 4 × 4 blocks of 128 bits, then those of the blocks.
HWY_INLINE void transposeSixteen(Vector (&v)[16]) {
    const F d;
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) {
        Vector four[4] = {v[4 * g], v[4 * g + 1], v[4 * g + 2], v[4 * g + 3]};
        transposeBlocks(d, four);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k)
            v[4 * g + k] = four[k];
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
        const __m512 low01 = _mm512_shuffle_f32x4(v[k].raw, v[4 + k].raw, 0x44),
                     high01 = _mm512_shuffle_f32x4(v[k].raw, v[4 + k].raw, 0xEE),
                     low23 = _mm512_shuffle_f32x4(v[8 + k].raw, v[12 + k].raw, 0x44),
                     high23 = _mm512_shuffle_f32x4(v[8 + k].raw, v[12 + k].raw, 0xEE);
        v[k] = Vector{_mm512_shuffle_f32x4(low01, low23, 0x88)};
        v[4 + k] = Vector{_mm512_shuffle_f32x4(low01, low23, 0xDD)};
        v[8 + k] = Vector{_mm512_shuffle_f32x4(high01, high23, 0x88)};
        v[12 + k] = Vector{_mm512_shuffle_f32x4(high01, high23, 0xDD)};
    }
}
#endif

/// As many rows as a vector has lanes, `stride` numbers apart, of `steps` numbers to [steps, lanes].
inline void intoLanes(const float* from, int64_t stride, int64_t steps, float* to) {
    int64_t t = 0;
#if HWY_TARGET == HWY_AVX3
    for (; t + 16 <= steps; t += 16) {
        Vector v[16];
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; ++i)
            v[i] = hn::LoadU(F(), from + i * stride + t);
        transposeSixteen(v);
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; ++i)
            hn::Store(v[i], F(), to + (t + i) * lanesOf);
    }
#endif
#if HWY_TARGET != HWY_SCALAR
    const F d;
    for (; t + 4 <= steps; t += 4) {
        Vector v[4];
        for (int64_t k = 0; k < 4; ++k)
            v[k] = loadBlocks(d, from + k * stride + t, stride);
        transposeBlocks(d, v);
        for (int64_t k = 0; k < 4; ++k)
            hn::Store(v[k], d, to + (t + k) * lanesOf);
    }
#endif
    for (; t < steps; ++t)
        for (int64_t lane = 0; lane < lanesOf; ++lane)
            to[t * lanesOf + lane] = from[lane * stride + t];
}

/// The way back.
inline void fromLanes(const float* from, float* to, int64_t stride, int64_t steps) {
    int64_t t = 0;
#if HWY_TARGET == HWY_AVX3
    for (; t + 16 <= steps; t += 16) {
        Vector v[16];
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; ++i)
            v[i] = hn::Load(F(), from + (t + i) * lanesOf);
        transposeSixteen(v);
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; ++i)
            hn::StoreU(v[i], F(), to + i * stride + t);
    }
#endif
#if HWY_TARGET != HWY_SCALAR
    const F d;
    for (; t + 4 <= steps; t += 4) {
        Vector v[4];
        for (int64_t k = 0; k < 4; ++k)
            v[k] = hn::Load(d, from + (t + k) * lanesOf);
        transposeBlocks(d, v);
        for (int64_t k = 0; k < 4; ++k)
            storeBlocks(d, v[k], to + k * stride + t, stride);
    }
#endif
    for (; t < steps; ++t)
        for (int64_t lane = 0; lane < lanesOf; ++lane)
            to[lane * stride + t] = from[t * lanesOf + lane];
}

/// [rows, steps], rows `stride` apart, to [steps, rows].
inline void transposeRows(const float* from, int64_t stride, int64_t rows, int64_t steps, float* to) {
    int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
    const Four four;
    for (; r + 4 <= rows; r += 4) {
        int64_t t = 0;
        for (; t + 4 <= steps; t += 4) {
            hn::Vec<Four> v[4];
            for (int k = 0; k < 4; ++k)
                v[k] = hn::LoadU(four, from + (r + k) * stride + t);
            transposeBlocks(four, v);
            for (int k = 0; k < 4; ++k)
                hn::StoreU(v[k], four, to + (t + k) * rows + r);
        }
        for (; t < steps; ++t)
            for (int64_t k = r; k < r + 4; ++k)
                to[t * rows + k] = from[k * stride + t];
    }
#endif
    for (; r < rows; ++r)
        for (int64_t t = 0; t < steps; ++t)
            to[t * rows + r] = from[r * stride + t];
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
