// 2^x for Highway vectors. Included once per target.
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

/// 2^x for x ≤ 127, relative error about 1e-7; -inf and everything whose result is subnormal may give 0.
/// x = n + f with n the nearest integer; 2^f by a minimax polynomial of degree 5 on
/// [-½, ½] whose constant is exactly 1 (relative error 9.2e-8, fitted by iteratively reweighted least squares);
/// 2^n goes straight into the exponent. Highway's own Exp costs about four times as much.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2Vector(D d, V x) {
    const V n = hn::Round(x);
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
    const hn::RebindToSigned<D> di;
    const V inRange = hn::Max(n, hn::Set(d, -126.0f)); // also keeps -inf out of the conversion
    const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, inRange));
    const V scaled = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0f)), scaled);
#endif
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
