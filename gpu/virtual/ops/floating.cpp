// SPDX-License-Identifier: GPL-3.0-or-later
// f32 and f64 arithmetic to nearest, and the approximate functions (PTX ISA, 9.7.3).
#include "gpu/virtual/ops/families.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/floating.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

struct AddF {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return a + b;
    }
};
struct SubF {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return a - b;
    }
};
struct MulF {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return a * b;
    }
};
struct DivF {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return a / b;
    }
};
struct FmaF {
    static HWY_INLINE float apply(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
    static HWY_INLINE double apply(double a, double b, double c) { return __builtin_fma(a, b, c); }
};
struct SqrtF {
    static HWY_INLINE float apply(float a) { return __builtin_sqrtf(a); }
    static HWY_INLINE double apply(double a) { return __builtin_sqrt(a); }
};
struct RcpF {
    template <class T>
    static HWY_INLINE T apply(T a) {
        return T(1) / a;
    }
};
struct AbsF {
    static HWY_INLINE float apply(float a) { return floatOf(bitsOf(a) & 0x7fffffffu); }
    static HWY_INLINE double apply(double a) { return std::bit_cast<double>(bitsOf(a) & ~(uint64_t(1) << 63)); }
};
struct NegF {
    static HWY_INLINE float apply(float a) { return floatOf(bitsOf(a) ^ 0x80000000u); }
    static HWY_INLINE double apply(double a) { return std::bit_cast<double>(bitsOf(a) ^ uint64_t(1) << 63); }
};
struct CopysignF { ///< the sign of a, the size of b
    static HWY_INLINE float apply(float a, float b) {
        return floatOf((bitsOf(a) & 0x80000000u) | (bitsOf(b) & 0x7fffffffu));
    }
    static HWY_INLINE double apply(double a, double b) {
        const uint64_t sign = uint64_t(1) << 63;
        return std::bit_cast<double>((bitsOf(a) & sign) | (bitsOf(b) & ~sign));
    }
};

/// A NaN gives way to a number; -0 is below +0.
template <class T>
HWY_INLINE T smaller(T a, T b) {
    const T less = a < b ? a : b;
    const T ordered = a == b ? std::bit_cast<T>(bitsOf(a) | bitsOf(b)) : less;
    return a != a ? b : b != b ? a : ordered;
}
template <class T>
HWY_INLINE T larger(T a, T b) {
    const T more = a > b ? a : b;
    const T ordered = a == b ? std::bit_cast<T>(bitsOf(a) & bitsOf(b)) : more;
    return a != a ? b : b != b ? a : ordered;
}
struct MinF {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return smaller(a, b);
    }
    static HWY_INLINE float apply(float a, float b, float c) { return smaller(smaller(a, b), c); }
};
struct MaxF {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return larger(a, b);
    }
    static HWY_INLINE float apply(float a, float b, float c) { return larger(larger(a, b), c); }
};
/// .NaN: a NaN wins.
template <class F>
struct Propagate {
    static HWY_INLINE float apply(float a, float b) {
        return a != a || b != b ? std::numeric_limits<float>::quiet_NaN() : F::apply(a, b);
    }
};
/// .xorsign.abs: compares sizes; the result's sign is the product's.
template <class F>
struct XorSign {
    static HWY_INLINE float apply(float a, float b) {
        const uint32_t sign = (bitsOf(a) ^ bitsOf(b)) & 0x80000000u;
        return floatOf(bitsOf(F::apply(AbsF::apply(a), AbsF::apply(b))) | sign);
    }
};

/// 2^x with at most 1 ulp of error: whole and fraction apart, a Taylor polynomial of e^(f·ln 2) on |f| <= 1/2.
/// The PTX manual allows 2 ulp (9.7.3.21). Results below the normal range are scaled in two steps.
struct Ex2 {
    static HWY_INLINE float apply(float x) {
        const float bounded = x > 130.0f ? 130.0f : x < -160.0f ? -160.0f : x;
        const float shifted = bounded + 12582912.0f; // 1.5 · 2^23: the fraction's last bit counts whole numbers
        const float whole = shifted - 12582912.0f;
        const float f = bounded - whole;
        float p = 1.525273380405984e-5f; // ln(2)^k / k!
        p = FmaF::apply(p, f, 1.540353039338161e-4f);
        p = FmaF::apply(p, f, 1.333355814642844e-3f);
        p = FmaF::apply(p, f, 9.618129107628477e-3f);
        p = FmaF::apply(p, f, 5.550410866482158e-2f);
        p = FmaF::apply(p, f, 2.402265069591007e-1f);
        p = FmaF::apply(p, f, 6.931471805599453e-1f);
        p = FmaF::apply(p, f, 1.0f);
        const auto n = static_cast<int32_t>(whole);
        const int32_t first = n >> 1, second = n - first;
        const float result =
            p * floatOf(static_cast<uint32_t>(first + 127) << 23) * floatOf(static_cast<uint32_t>(second + 127) << 23);
        return x != x ? x : result;
    }
};
/// log2 in double: fraction on [1/√2, √2), atanh series of s = (m-1)/(m+1).
struct Lg2 {
    static HWY_INLINE float apply(float value) {
        const auto x = static_cast<double>(value);
        const uint64_t bits = bitsOf(x);
        const auto exponent = static_cast<int64_t>((bits - 0x3fe6a09e667f3bcdu)) >> 52;
        const double m = std::bit_cast<double>(bits - (static_cast<uint64_t>(exponent) << 52));
        const double s = (m - 1) / (m + 1), s2 = s * s;
        double p = 1.0 / 15;
        p = p * s2 + 1.0 / 13;
        p = p * s2 + 1.0 / 11;
        p = p * s2 + 1.0 / 9;
        p = p * s2 + 1.0 / 7;
        p = p * s2 + 1.0 / 5;
        p = p * s2 + 1.0 / 3;
        p = p * s2 + 1.0;
        // 1.5 · 2^52 turns a whole number into a double without a conversion instruction.
        const double n =
            std::bit_cast<double>(static_cast<uint64_t>(exponent + 0x0008000000000000) + 0x4330000000000000u) -
            6755399441055744.0;
        const auto result = static_cast<float>(n + 2.8853900817779268 * s * p);
        const float infinity = std::numeric_limits<float>::infinity();
        const float special = value == 0          ? -infinity
                              : value == infinity ? infinity
                                                  : std::numeric_limits<float>::quiet_NaN();
        return value > 0 && value < infinity ? result : special;
    }
};
struct RsqrtF {
    static HWY_INLINE float apply(float a) { return static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(a))); }
    static HWY_INLINE double apply(double a) { return 1.0 / __builtin_sqrt(a); }
};
/// rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 keep the upper 32 bits of the result.
template <class F>
struct UpperHalf {
    static HWY_INLINE double apply(double a) {
        const double flushed = AbsF::apply(a) < 2.2250738585072014e-308 ? CopysignF::apply(a, 0.0) : a;
        return std::bit_cast<double>(bitsOf(F::apply(flushed)) & 0xffffffff00000000u);
    }
};
struct SinF {
    static HWY_INLINE float apply(float a) { return static_cast<float>(std::sin(static_cast<double>(a))); }
};
struct CosF {
    static HWY_INLINE float apply(float a) { return static_cast<float>(std::cos(static_cast<double>(a))); }
};
struct TanhF {
    static HWY_INLINE float apply(float a) { return static_cast<float>(std::tanh(static_cast<double>(a))); }
};
/// div.approx: for 2^126 < |b| < 2^128 the manual gives 0 (of the quotient's sign), NaN for an infinite a.
struct DivApprox {
    static HWY_INLINE float apply(float a, float b) { return a / b; }
};

template <class T, int test>
struct Testp {
    static HWY_INLINE bool apply(T a) {
        const T size = AbsF::apply(a), infinity = std::numeric_limits<T>::infinity();
        switch (test) {
        case 0:
            return size < infinity;
        case 1:
            return size == infinity;
        case 2:
            return a == a;
        case 3:
            return a != a;
        case 4:
            return size >= std::numeric_limits<T>::min() && size < infinity;
        default:
            return size < std::numeric_limits<T>::min() && size > 0;
        }
    }
};

/// name.f32, name.ftz.f32, name.sat.f32, name.ftz.sat.f32
template <class F, class... S>
void addFloat(HandlerTable& t, const std::string& name, OpClass kind, uint32_t flops) {
    add<Canonical<F>, float, S...>(t, name + ".f32", kind, flops);
    add<Canonical<Ftz<F>>, float, S...>(t, name + ".ftz.f32", kind, flops);
    add<Sat<F>, float, S...>(t, name + ".sat.f32", kind, flops);
    add<Sat<Ftz<F>>, float, S...>(t, name + ".ftz.sat.f32", kind, flops);
}
template <class F, class... S>
void addPlain(HandlerTable& t, const std::string& name, OpClass kind, uint32_t flops) {
    add<Canonical<F>, float, S...>(t, name + ".f32", kind, flops);
    add<Canonical<Ftz<F>>, float, S...>(t, name + ".ftz.f32", kind, flops);
}

template <class F>
void addExtremes(HandlerTable& t, const std::string& name) {
    addPlain<F, float, float>(t, name, OpClass::Fp32, 0);
    addPlain<F, float, float, float>(t, name + "3", OpClass::Fp32, 0);
    add<Canonical<Propagate<F>>, float, float, float>(t, name + ".NaN.f32", OpClass::Fp32);
    add<Canonical<Ftz<Propagate<F>>>, float, float, float>(t, name + ".ftz.NaN.f32", OpClass::Fp32);
    add<Canonical<XorSign<F>>, float, float, float>(t, name + ".xorsign.abs.f32", OpClass::Fp32);
    add<Canonical<Ftz<XorSign<F>>>, float, float, float>(t, name + ".ftz.xorsign.abs.f32", OpClass::Fp32);
    add<F, double, double, double>(t, name + ".f64", OpClass::Fp64);
}

template <class T>
void addTests(HandlerTable& t, const std::string& type) {
    add<Testp<T, 0>, Predicate, T>(t, "testp.finite." + type, OpClass::Compare);
    add<Testp<T, 1>, Predicate, T>(t, "testp.infinite." + type, OpClass::Compare);
    add<Testp<T, 2>, Predicate, T>(t, "testp.number." + type, OpClass::Compare);
    add<Testp<T, 3>, Predicate, T>(t, "testp.notanumber." + type, OpClass::Compare);
    add<Testp<T, 4>, Predicate, T>(t, "testp.normal." + type, OpClass::Compare);
    add<Testp<T, 5>, Predicate, T>(t, "testp.subnormal." + type, OpClass::Compare);
}

void addFloats(HandlerTable& t) {
    addFloat<AddF, float, float>(t, "add", OpClass::Fp32, 1);
    addFloat<SubF, float, float>(t, "sub", OpClass::Fp32, 1);
    addFloat<MulF, float, float>(t, "mul", OpClass::Fp32, 1);
    addFloat<FmaF, float, float, float>(t, "fma", OpClass::Fp32, 2);
    addPlain<DivF, float, float>(t, "div", OpClass::Special, 1);
    addPlain<DivApprox, float, float>(t, "div.approx", OpClass::Special, 1);
    addPlain<SqrtF, float>(t, "sqrt", OpClass::Special, 1);
    addPlain<RcpF, float>(t, "rcp", OpClass::Special, 1);
    addPlain<RsqrtF, float>(t, "rsqrt", OpClass::Special, 1);
    addPlain<Ex2, float>(t, "ex2", OpClass::Special, 1);
    addPlain<Lg2, float>(t, "lg2", OpClass::Special, 1);
    addPlain<SinF, float>(t, "sin", OpClass::Special, 1);
    addPlain<CosF, float>(t, "cos", OpClass::Special, 1);
    addPlain<TanhF, float>(t, "tanh", OpClass::Special, 1);
    add<AbsF, float, float>(t, "abs.f32", OpClass::Fp32);
    add<Ftz<AbsF>, float, float>(t, "abs.ftz.f32", OpClass::Fp32);
    add<NegF, float, float>(t, "neg.f32", OpClass::Fp32);
    add<Ftz<NegF>, float, float>(t, "neg.ftz.f32", OpClass::Fp32);
    add<CopysignF, float, float, float>(t, "copysign.f32", OpClass::Fp32);
    addExtremes<MinF>(t, "min");
    addExtremes<MaxF>(t, "max");

    add<AddF, double, double, double>(t, "add.f64", OpClass::Fp64, 1);
    add<SubF, double, double, double>(t, "sub.f64", OpClass::Fp64, 1);
    add<MulF, double, double, double>(t, "mul.f64", OpClass::Fp64, 1);
    add<FmaF, double, double, double, double>(t, "fma.f64", OpClass::Fp64, 2);
    add<DivF, double, double, double>(t, "div.f64", OpClass::Fp64, 1);
    add<SqrtF, double, double>(t, "sqrt.f64", OpClass::Fp64, 1);
    add<RcpF, double, double>(t, "rcp.f64", OpClass::Fp64, 1);
    add<RsqrtF, double, double>(t, "rsqrt.f64", OpClass::Fp64, 1);
    add<UpperHalf<RcpF>, double, double>(t, "rcp.ftz.f64", OpClass::Fp64, 1);
    add<UpperHalf<RsqrtF>, double, double>(t, "rsqrt.ftz.f64", OpClass::Fp64, 1);
    add<AbsF, double, double>(t, "abs.f64", OpClass::Fp64);
    add<NegF, double, double>(t, "neg.f64", OpClass::Fp64);
    add<CopysignF, double, double, double>(t, "copysign.f64", OpClass::Fp64);
    addTests<float>(t, "f32");
    addTests<double>(t, "f64");
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addFloats);
void addFloatOperations(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addFloats)(table); }
} // namespace warplight::vgpu
#endif
