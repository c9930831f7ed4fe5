// SPDX-License-Identifier: GPL-3.0-or-later
// What smaller floating-point formats keep of f32 numbers, for Highway vectors. Included once per target.
#if defined(WARPLIGHT_CPU_SMALL_FLOAT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_SMALL_FLOAT_INL_H
#undef WARPLIGHT_CPU_SMALL_FLOAT_INL_H
#else
#define WARPLIGHT_CPU_SMALL_FLOAT_INL_H
#endif

#include "core/cpu/small_float.h"
#include "hwy/highway.h"

#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// To nearest, ties to even, as f32. Normal numbers by adding half of what is cut off to the bits, so that a carry
/// moves into the exponent; below those by adding a number whose last place is the format's own.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V keptOf(D d, V x, const SmallFloat& format) {
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::BitCast(du, x), sign = hn::And(bits, hn::Set(du, 0x80000000u)), size = hn::Xor(bits, sign);
    const uint32_t unit = 1u << format.droppedBits;
    const auto odd = hn::And(hn::ShiftRightSame(size, format.droppedBits), hn::Set(du, 1u));
    const auto up = hn::Add(hn::Add(size, hn::Set(du, unit / 2 - 1)), odd);
    const V normal = hn::BitCast(d, hn::And(up, hn::Set(du, ~(unit - 1))));
    const V s = hn::BitCast(d, size), shift = hn::Set(d, format.shift);
    const V small = hn::Sub(hn::Add(s, shift), shift);
    V kept = hn::IfThenElse(hn::Lt(s, hn::Set(d, format.leastNormal)), small, normal);
    kept = hn::IfThenElse(hn::Gt(kept, hn::Set(d, format.largest)), hn::Set(d, format.beyond), kept);
    const V infinite = hn::Set(d, std::numeric_limits<float>::infinity());
    kept = hn::IfThenElse(hn::Eq(s, infinite), hn::Set(d, format.infinity), kept);
    kept = hn::IfThenElse(hn::Eq(s, s), kept, s); // NaN
    return hn::BitCast(d, hn::Or(hn::BitCast(du, kept), sign));
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
