// SPDX-License-Identifier: GPL-3.0-or-later
// 2^x and the logistic function for Highway vectors. Included once per target.
#if defined(WARPLIGHT_CPU_EXP2_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_EXP2_INL_H
#undef WARPLIGHT_CPU_EXP2_INL_H
#else
#define WARPLIGHT_CPU_EXP2_INL_H
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The larger of both, and x where x is NaN.
template <class V>
HWY_INLINE V notBelow(V floor, V x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
    return hn::Max(floor, x); // x86's max gives its second operand where one is NaN
#else
    return hn::IfThenElse(hn::Lt(x, floor), floor, x);
#endif
}

/// 2^x for x ≤ 127, relative error about 1e-7; -inf and everything whose result is subnormal may give 0, NaN gives NaN.
/// x = n + f with n the nearest integer; 2^f by a minimax polynomial of degree 5 on
/// [-½, ½] whose constant is exactly 1 (relative error 9.2e-8, fitted by iteratively reweighted least squares).
/// Highway's own Exp costs about four times as much.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2Vector(D d, V x) {
#if HWY_TARGET == HWY_AVX3
    const V n = hn::Round(x);
#else
    // Added to 1.5 · 2^23 + 127, x loses its fraction, and the sum's last bits are n + 127: the exponent of 2^n, and 0
    // for n = -127.
    const V magic = hn::Set(d, 12583039.0f);
    x = notBelow(hn::Set(d, -127.0f), x);
    const V shifted = hn::Add(x, magic);
    const V n = hn::Sub(shifted, magic);
#endif
    const V f = hn::Sub(x, n);
    V p = hn::Set(d, 0.00132647273f);
    p = hn::MulAdd(p, f, hn::Set(d, 0.00967151299f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.0555073358f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.240222424f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.693147004f));
    p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
#if HWY_TARGET == HWY_AVX3
    return V{_mm512_scalef_ps(p.raw, n.raw)};
#else
    const hn::RebindToSigned<D> di; // a product, since a sum of exponents could turn a NaN into a number
    return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
#endif
}

/// 1 / (1 + e^-x). From 2^126 on the power counts as that, and the quotient as 0 in f32's sums.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoidVector(D d, V x) {
    const V one = hn::Set(d, 1.0f), power = hn::Min(hn::Mul(x, hn::Set(d, -1.44269504f)), hn::Set(d, 126.0f));
    return hn::Div(one, hn::Add(one, exp2Vector(d, power)));
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
