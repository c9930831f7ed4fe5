// SPDX-License-Identifier: GPL-3.0-or-later
// The inner product of mma for formats that become f32, in registers of the host from end to end. Compiled once for
// each instruction set (hence no include guard).
//
// C lies right as it is: a register holds, for eight rows g, the four even or the four odd columns (tensor.cpp), so a
// vector of the host is a few rows of four sums. The factors are laid out to suit it: of A four elements of each of the
// same rows, one of which an instruction spreads over its row; of B the even columns, then the odd ones, repeated for
// each row.
#if defined(WARPLIGHT_VGPU_TENSOR_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_TENSOR_INL_H
#undef WARPLIGHT_VGPU_TENSOR_INL_H
#else
#define WARPLIGHT_VGPU_TENSOR_INL_H
#endif

#include "gpu/virtual/ops/transpose-inl.h"

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_MAX_BYTES >= 32

using Sums = hn::CappedTag<float, 16>;
constexpr int sumLanes = HWY_MAX_BYTES >= 64 ? 16 : 8;
constexpr int rowsEach = sumLanes / 4;       ///< rows in one vector
constexpr int rowGroups = 16 / rowsEach;     ///< of the 16 rows of A and C
constexpr int groupsPerHalf = rowGroups / 2; ///< a register has eight rows
using Sum = hn::Vec<Sums>;

/// Where element (row, i) of A lies, in vectors of four elements of each of a group's rows.
template <int k>
constexpr int placeOfA(int row, int i) {
    return (row / rowsEach * (k / 4) + i / 4) * sumLanes + row % rowsEach * 4 + i % 4;
}
/// Where element (i, column) of B lies: even columns first.
constexpr int placeOfB(int i, int column) { return 8 * i + 4 * (column & 1) + (column >> 1); }

/// What a 16-bit format is widened with.
struct WidenHalf {
    template <class V>
    static HWY_INLINE auto apply(V v) {
        return hn::PromoteTo(hn::Rebind<float, hn::DFromV<V>>(),
                             hn::BitCast(hn::Rebind<hwy::float16_t, hn::DFromV<V>>(), v));
    }
};
struct WidenBfloat {
    template <class V>
    static HWY_INLINE auto apply(V v) {
        const hn::Rebind<uint32_t, hn::DFromV<V>> wide;
        return hn::BitCast(hn::Rebind<float, hn::DFromV<V>>(), hn::ShiftLeft<16>(hn::PromoteTo(wide, v)));
    }
};

/// Elements 4·quad … 4·quad + 3 of the rows of a group, from registers of 16-bit elements: each holds eight of eight
/// rows, first rows 0 to 7 and 8 to 15, then the next eight elements.
template <class Widen>
struct HalvesOfA {
    const uint16_t* registers[4];

    HWY_INLINE Sum operator()(int group, int quad) const {
        const hn::FixedTag<uint16_t, 2 * sumLanes> d;
        const hn::Repartition<uint64_t, decltype(d)> quads;
        const uint16_t* from = registers[group / groupsPerHalf + (quad >> 1) * 2];
        const auto octets = hn::BitCast(quads, hn::Load(d, from + group % groupsPerHalf * rowsEach * 8));
        const auto chosen = quad & 1 ? hn::ConcatOdd(quads, octets, octets) : hn::ConcatEven(quads, octets, octets);
        return Widen::apply(hn::LowerHalf(hn::BitCast(d, chosen)));
    }
};

/// Elements that have been widened before, as placeOfA says.
template <int k>
struct FloatsOfA {
    const float* at;
    HWY_INLINE Sum operator()(int group, int quad) const {
        return hn::Load(Sums(), at + (group * (k / 4) + quad) * sumLanes);
    }
};

/// B of 16-bit elements: a register holds eight elements of each of eight columns, the second one the next eight.
template <class Widen>
HWY_INLINE void widenB(const uint16_t* first, const uint16_t* second, float* b) {
    const hn::FixedTag<uint16_t, 8> half;
    const hn::FixedTag<uint16_t, 16> d;
    const hn::FixedTag<float, 8> wide;
    transposeHalves(
        d,
        [&](int j) { // the even columns first
            const int column = 8 * (j < 4 ? 2 * j : 2 * j - 7);
            return hn::Combine(d, hn::Load(half, second + column), hn::Load(half, first + column));
        },
        [&](int i, auto v) {
            hn::Store(Widen::apply(hn::LowerHalf(half, v)), wide, b + 8 * i);
            hn::Store(Widen::apply(hn::UpperHalf(half, v)), wide, b + 8 * (i + 8));
        });
}
template <class Widen>
HWY_INLINE void widenB(const uint16_t* only, float* b) {
    const hn::FixedTag<uint16_t, 8> d;
    const hn::FixedTag<float, 8> wide;
    transposeHalves(
        d, [&](int j) { return hn::Load(d, only + 8 * (j < 4 ? 2 * j : 2 * j - 7)); },
        [&](int i, auto v) { hn::Store(Widen::apply(v), wide, b + 8 * i); });
}

HWY_INLINE void storeSum(Sum sum, float* to) {
    const Sums d;
    const auto canonical = hn::BitCast(d, hn::Set(hn::Repartition<uint32_t, Sums>(), 0x7fffffffu));
    hn::Store(hn::IfThenElse(hn::IsNaN(sum), canonical, sum), d, to);
}

template <int element>
HWY_INLINE void addProducts(const float* b, Sum a0, Sum a1, Sum a2, Sum a3, Sum& even0, Sum& even1, Sum& even2,
                            Sum& even3, Sum& odd0, Sum& odd1, Sum& odd2, Sum& odd3) {
    const Sums d;
    const Sum even = hn::LoadDup128(d, b + 8 * element), odd = hn::LoadDup128(d, b + 8 * element + 4);
    const Sum x0 = hn::Broadcast<element>(a0), x1 = hn::Broadcast<element>(a1), x2 = hn::Broadcast<element>(a2),
              x3 = hn::Broadcast<element>(a3);
    even0 = hn::MulAdd(x0, even, even0);
    odd0 = hn::MulAdd(x0, odd, odd0);
    even1 = hn::MulAdd(x1, even, even1);
    odd1 = hn::MulAdd(x1, odd, odd1);
    even2 = hn::MulAdd(x2, even, even2);
    odd2 = hn::MulAdd(x2, odd, odd2);
    even3 = hn::MulAdd(x3, even, even3);
    odd3 = hn::MulAdd(x3, odd, odd3);
}

/// d = a · b + c, k ascending, each product by one fused multiply-add. `c` and `d`: the rows of the four registers.
template <int k, class A>
HWY_INLINE void multiplyFloats(A a, const float* b, const float* const c[4], float* const d[4]) {
    const Sums t;
#pragma GCC unroll 2
    for (int group = 0; group < rowGroups; group += 4) { // four groups of sums stay in registers
        const auto place = [](int g) { return g % groupsPerHalf * sumLanes; };
        const auto pair = [](int g) { return g / groupsPerHalf * 2; };
        const int g0 = group, g1 = group + 1, g2 = group + 2, g3 = group + 3;
        Sum even0 = hn::Load(t, c[pair(g0)] + place(g0)), odd0 = hn::Load(t, c[pair(g0) + 1] + place(g0)),
            even1 = hn::Load(t, c[pair(g1)] + place(g1)), odd1 = hn::Load(t, c[pair(g1) + 1] + place(g1)),
            even2 = hn::Load(t, c[pair(g2)] + place(g2)), odd2 = hn::Load(t, c[pair(g2) + 1] + place(g2)),
            even3 = hn::Load(t, c[pair(g3)] + place(g3)), odd3 = hn::Load(t, c[pair(g3) + 1] + place(g3));
#pragma GCC unroll 8
        for (int quad = 0; quad < k / 4; ++quad) {
            const Sum a0 = a(g0, quad), a1 = a(g1, quad), a2 = a(g2, quad), a3 = a(g3, quad);
            const float* from = b + 32 * quad;
            addProducts<0>(from, a0, a1, a2, a3, even0, even1, even2, even3, odd0, odd1, odd2, odd3);
            addProducts<1>(from, a0, a1, a2, a3, even0, even1, even2, even3, odd0, odd1, odd2, odd3);
            addProducts<2>(from, a0, a1, a2, a3, even0, even1, even2, even3, odd0, odd1, odd2, odd3);
            addProducts<3>(from, a0, a1, a2, a3, even0, even1, even2, even3, odd0, odd1, odd2, odd3);
        }
        storeSum(even0, d[pair(g0)] + place(g0));
        storeSum(odd0, d[pair(g0) + 1] + place(g0));
        storeSum(even1, d[pair(g1)] + place(g1));
        storeSum(odd1, d[pair(g1) + 1] + place(g1));
        storeSum(even2, d[pair(g2)] + place(g2));
        storeSum(odd2, d[pair(g2) + 1] + place(g2));
        storeSum(even3, d[pair(g3)] + place(g3));
        storeSum(odd3, d[pair(g3) + 1] + place(g3));
    }
}

#endif

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
