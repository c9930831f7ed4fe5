// SPDX-License-Identifier: GPL-3.0-or-later
// Decays, steps and gates of the selective scan as vectors. Included once per target.
#if defined(WARPLIGHT_CPU_SELECTIVE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_SELECTIVE_INL_H
#undef WARPLIGHT_CPU_SELECTIVE_INL_H
#else
#define WARPLIGHT_CPU_SELECTIVE_INL_H
#endif

#include "core/cpu/exp2-inl.h"
#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float log2e = 1.44269504f;

/// 2^x, for decays: also above 127, where it becomes infinite.
HWY_INLINE Vector decayOf(Vector x) {
    const F d;
#if HWY_TARGET == HWY_AVX3
    // x = n + f with n a multiple of 1/16 and |f| at most 1/32: 2^n is an entry of a table times a power of two, and
    // 2^f a polynomial of degree 3 (relative error 1e-8). That is one multiplication less than exp2Vector, of nine that
    // a state and step take, and multipliers are what this waits for.
    HWY_ALIGN static constexpr float sixteenths[16] = {
        1.0f,        1.04427378f, 1.09050773f, 1.13878863f, 1.18920712f, 1.24185781f, 1.29683955f, 1.35425555f,
        1.41421356f, 1.47682615f, 1.54221083f, 1.61049033f, 1.68179283f, 1.75625216f, 1.83400809f, 1.91520656f};
    const Vector magic = hn::Set(d, 0x1.8p19f); // a sum with it has n's sixteenths as its last bits
    const Vector shifted = hn::Add(x, magic), n = hn::Sub(shifted, magic), f = hn::Sub(x, n);
    const Vector power{_mm512_permutexvar_ps(_mm512_castps_si512(shifted.raw), hn::Load(d, sixteenths).raw)};
    Vector p = hn::MulAdd(hn::Set(d, 0.0555041087f), f, hn::Set(d, 0.240226507f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.693147181f));
    return Vector{_mm512_scalef_ps(hn::MulAdd(hn::Mul(power, f), p, power).raw, n.raw)};
#else
    const Vector most = hn::Set(d, 128.0f); // whose power is infinite; a NaN is not above it
    return exp2Vector(d, hn::IfThenElse(hn::Gt(x, most), most, x));
#endif
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), relative error 3e-7: the logarithm is 2 artanh(e / (2 + e)).
HWY_INLINE Vector softplus(Vector x) {
    const F d;
    const Vector below = notBelow(hn::Set(d, -100.0f), hn::Neg(hn::Abs(x)));
    // e^below in two parts, as a rounded below · log2(e) would be |below| roundings off.
    const Vector n = hn::Round(hn::Mul(below, hn::Set(d, log2e)));
    const Vector rest = hn::MulAdd(n, hn::Set(d, -1.42860677e-6f), hn::MulAdd(n, hn::Set(d, -0.693145752f), below));
    const Vector e = hn::Mul(exp2Vector(d, hn::Mul(rest, hn::Set(d, log2e))), exp2Vector(d, n));
    const Vector s = hn::Div(e, hn::Add(e, hn::Set(d, 2.0f))), s2 = hn::Mul(s, s);
    Vector p = hn::Set(d, 1.0f / 13);
    for (const float odd : {11.0f, 9.0f, 7.0f, 5.0f, 3.0f, 1.0f})
        p = hn::MulAdd(p, s2, hn::Set(d, 1 / odd));
    return hn::MulAdd(hn::Add(s, s), p, notBelow(hn::Zero(d), x));
}

HWY_INLINE Vector silu(Vector x) { return hn::Mul(x, sigmoidVector(F(), x)); }

/// Some lanes of a vector: those behind them are zero where they are loaded, and are not stored.
struct Part {
    int64_t count;

    HWY_INLINE Vector load(const float* from) const {
        if (count == lanesOf)
            return hn::LoadU(F(), from);
        HWY_ALIGN float edge[lanesOf] = {};
        std::copy_n(from, count, edge);
        return hn::Load(F(), edge);
    }
    HWY_INLINE void store(Vector v, float* to) const {
        if (count == lanesOf)
            return hn::StoreU(v, F(), to);
        HWY_ALIGN float edge[lanesOf];
        hn::Store(v, F(), edge);
        std::copy_n(edge, count, to);
    }
};

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
