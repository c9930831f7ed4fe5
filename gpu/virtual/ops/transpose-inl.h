// SPDX-License-Identifier: GPL-3.0-or-later
// 8 × 8 matrices of 16-bit elements, rows and columns exchanged. Compiled once for each instruction set (hence no
// include guard).
#if defined(WARPLIGHT_VGPU_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_TRANSPOSE_INL_H
#undef WARPLIGHT_VGPU_TRANSPOSE_INL_H
#else
#define WARPLIGHT_VGPU_TRANSPOSE_INL_H
#endif

#include "hwy/highway.h"

#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_MAX_BYTES >= 32
/// One matrix in each block of 128 bits: `row(j)` is row j of all of them, `column(j, v)` takes column j. Three rounds
/// of interleaving the first half of the rows with the second.
template <class D, class LoadRow, class StoreColumn>
HWY_INLINE void transposeHalves(D d, LoadRow row, StoreColumn column) {
    const auto r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3), r4 = row(4), r5 = row(5), r6 = row(6), r7 = row(7);
    const auto s0 = hn::InterleaveLower(d, r0, r4), s1 = hn::InterleaveUpper(d, r0, r4),
               s2 = hn::InterleaveLower(d, r1, r5), s3 = hn::InterleaveUpper(d, r1, r5),
               s4 = hn::InterleaveLower(d, r2, r6), s5 = hn::InterleaveUpper(d, r2, r6),
               s6 = hn::InterleaveLower(d, r3, r7), s7 = hn::InterleaveUpper(d, r3, r7);
    const auto t0 = hn::InterleaveLower(d, s0, s4), t1 = hn::InterleaveUpper(d, s0, s4),
               t2 = hn::InterleaveLower(d, s1, s5), t3 = hn::InterleaveUpper(d, s1, s5),
               t4 = hn::InterleaveLower(d, s2, s6), t5 = hn::InterleaveUpper(d, s2, s6),
               t6 = hn::InterleaveLower(d, s3, s7), t7 = hn::InterleaveUpper(d, s3, s7);
    column(0, hn::InterleaveLower(d, t0, t4));
    column(1, hn::InterleaveUpper(d, t0, t4));
    column(2, hn::InterleaveLower(d, t1, t5));
    column(3, hn::InterleaveUpper(d, t1, t5));
    column(4, hn::InterleaveLower(d, t2, t6));
    column(5, hn::InterleaveUpper(d, t2, t6));
    column(6, hn::InterleaveLower(d, t3, t7));
    column(7, hn::InterleaveUpper(d, t3, t7));
}
#endif

/// `row(j)` says where row j lies, `column(j)` where column j goes.
template <class From, class To>
HWY_INLINE void transpose(From row, To column) {
#if HWY_MAX_BYTES >= 32
    const hn::FixedTag<uint16_t, 8> d;
    transposeHalves(
        d, [&](int j) { return hn::LoadU(d, row(j)); }, [&](int j, auto v) { hn::StoreU(v, d, column(j)); });
#else
    uint16_t turned[8][8];
    for (int r = 0; r < 8; ++r)
        for (int c = 0; c < 8; ++c)
            std::memcpy(&turned[c][r], row(r) + c, 2);
    for (int c = 0; c < 8; ++c)
        std::memcpy(column(c), turned[c], 16);
#endif
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
