// SPDX-License-Identifier: GPL-3.0-or-later
// Vectors of real and of complex numbers. Included once per target.
#if defined(WARPLIGHT_CPU_SCAN_NUMBER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_SCAN_NUMBER_INL_H
#undef WARPLIGHT_CPU_SCAN_NUMBER_INL_H
#else
#define WARPLIGHT_CPU_SCAN_NUMBER_INL_H
#endif

#include "hwy/highway.h"

#include <complex>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using Vector = hn::Vec<F>;
constexpr int64_t lanesOf = HWY_LANES(float);

/// A vector of numbers, real or complex.
struct Real {
    using Number = float;
    Vector x;
    static HWY_INLINE Real set(float value) { return {hn::Set(F(), value)}; }
    static HWY_INLINE Real load(const float* from) { return {hn::LoadU(F(), from)}; }
    HWY_INLINE void store(float* to) const { hn::StoreU(x, F(), to); }
    template <class Use>
    HWY_INLINE void forFloats(const Use& use) const {
        use(x);
    }
    template <class Move>
    HWY_INLINE Real moved(const Move& move) const {
        return {move(x)};
    }
    template <class Join>
    static HWY_INLINE Real joined(const Real& lower, const Real& upper, const Join& join) {
        return {join(upper.x, lower.x)};
    }
};
struct Complex {
    using Number = std::complex<float>;
    Vector re, im;
    static HWY_INLINE Complex set(Number value) { return {hn::Set(F(), value.real()), hn::Set(F(), value.imag())}; }
    static HWY_INLINE Complex load(const Number* from) {
        Complex c;
        hn::LoadInterleaved2(F(), reinterpret_cast<const float*>(from), c.re, c.im);
        return c;
    }
    HWY_INLINE void store(Number* to) const { hn::StoreInterleaved2(re, im, F(), reinterpret_cast<float*>(to)); }
    template <class Use>
    HWY_INLINE void forFloats(const Use& use) const {
        HWY_ALIGN float both[2 * lanesOf];
        hn::StoreInterleaved2(re, im, F(), both);
        use(hn::Load(F(), both));
        use(hn::Load(F(), both + lanesOf));
    }
    template <class Move>
    HWY_INLINE Complex moved(const Move& move) const {
        return {move(re), move(im)};
    }
    template <class Join>
    static HWY_INLINE Complex joined(const Complex& lower, const Complex& upper, const Join& join) {
        return {join(upper.re, lower.re), join(upper.im, lower.im)};
    }
};

HWY_INLINE Real mul(const Real& a, const Real& x) { return {hn::Mul(a.x, x.x)}; }
HWY_INLINE Real mulAdd(const Real& a, const Real& x, const Real& b) { return {hn::MulAdd(a.x, x.x, b.x)}; }
HWY_INLINE Complex mul(const Complex& a, const Complex& x) {
    return {hn::NegMulAdd(a.im, x.im, hn::Mul(a.re, x.re)), hn::MulAdd(a.im, x.re, hn::Mul(a.re, x.im))};
}
HWY_INLINE Complex mulAdd(const Complex& a, const Complex& x, const Complex& b) {
    return {hn::NegMulAdd(a.im, x.im, hn::MulAdd(a.re, x.re, b.re)),
            hn::MulAdd(a.im, x.re, hn::MulAdd(a.re, x.im, b.im))};
}

/// Four vectors of floats that follow each other, so that each lane has four neighbours, and the other way round. Lane
/// 4 j + k gets those of vector k from 4 j on.
HWY_INLINE void transpose([[maybe_unused]] Vector (&x)[4]) {
#if HWY_TARGET != HWY_SCALAR
    const F d;
    const hn::Repartition<double, F> d64;
    const auto lower = [&](Vector a, Vector b) HWY_ATTR {
        return hn::BitCast(d, hn::InterleaveLower(d64, hn::BitCast(d64, a), hn::BitCast(d64, b)));
    };
    const auto upper = [&](Vector a, Vector b) HWY_ATTR {
        return hn::BitCast(d, hn::InterleaveUpper(d64, hn::BitCast(d64, a), hn::BitCast(d64, b)));
    };
    const Vector low01 = hn::InterleaveLower(d, x[0], x[1]), high01 = hn::InterleaveUpper(d, x[0], x[1]),
                 low23 = hn::InterleaveLower(d, x[2], x[3]), high23 = hn::InterleaveUpper(d, x[2], x[3]);
    x[0] = lower(low01, low23), x[1] = upper(low01, low23);
    x[2] = lower(high01, high23), x[3] = upper(high01, high23);
#endif
}
HWY_INLINE void transpose(Real (&x)[4]) {
    Vector v[4] = {x[0].x, x[1].x, x[2].x, x[3].x};
    transpose(v);
    for (int i = 0; i < 4; ++i)
        x[i].x = v[i];
}
HWY_INLINE void transpose(Complex (&x)[4]) {
    Vector re[4] = {x[0].re, x[1].re, x[2].re, x[3].re}, im[4] = {x[0].im, x[1].im, x[2].im, x[3].im};
    transpose(re);
    transpose(im);
    for (int i = 0; i < 4; ++i)
        x[i] = {re[i], im[i]};
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
