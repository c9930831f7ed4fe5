// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/gau/kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/gau/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/attention/softmax-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
static_assert(gauBlockKeys == blockKeys, "softmaxInStrip takes rows of so many scores");

/// y[i] = of(x[i]...) for all i.
template <class Of, class... X>
HWY_INLINE void mapRow(float* y, int64_t count, Of of, const X*... x) {
    const F d;
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(of(hn::LoadU(d, x + i)...), d, y + i);
    if (i == count)
        return;
    const auto end = [&](const float* from) {
        HWY_ALIGN float rest[lanesOf] = {};
        std::copy_n(from + i, count - i, rest);
        return hn::Load(d, rest);
    };
    HWY_ALIGN float made[lanesOf];
    hn::Store(of(end(x)...), d, made);
    std::copy_n(made, count - i, y + i);
}

void silu(const float* x, float* y, int64_t count) {
    mapRow(
        y, count, [](Vector v) { return hn::Mul(v, sigmoidVector(F(), v)); }, x);
}

void siluBackward(const float* x, float* dy, int64_t count) {
    const F d;
    const Vector one = hn::Set(d, 1.0f);
    mapRow(
        dy, count,
        [&](Vector v, Vector g) {
            const Vector s = sigmoidVector(d, v);
            return hn::Mul(g, hn::Mul(s, hn::MulAdd(v, hn::Sub(one, s), one)));
        },
        x, static_cast<const float*>(dy));
}

void view(const float* x, const float* gamma, const float* beta, float scale, float* y, int64_t count) {
    const F d;
    const Vector factor = hn::Set(d, scale);
    mapRow(
        y, count, [&](Vector v, Vector g, Vector b) { return hn::Mul(hn::MulAdd(v, g, b), factor); }, x, gamma, beta);
}

void relu2(float* s, int64_t count) {
    const F d;
    mapRow(
        s, count,
        [&](Vector v) {
            const Vector positive = notBelow(hn::Zero(d), v); // a NaN stays one
            return hn::Mul(positive, positive);
        },
        static_cast<const float*>(s));
}

/// erfc(z) / 2 for z ≥ 0, relative error 4e-7: e^(-z²) · t · P(t) with t = 1 / (1 + 0.4 z), where P is a polynomial of
/// degree 9 on z from 0 to 10, fitted to e^(z²) erfc(z) / t by iteratively reweighted least squares (1e-8 off).
HWY_INLINE Vector halfErfc(Vector z) {
    const F d;
    const Vector one = hn::Set(d, 1.0f), t = hn::Div(one, hn::MulAdd(z, hn::Set(d, 0.4f), one));
    Vector p = hn::Set(d, -0.0295987302f);
    for (const float c : {0.198035876f, -0.498862305f, 0.547500367f, -0.284418723f, 0.272093324f, 0.129670458f,
                          0.214921027f, 0.224951792f, 0.225706921f})
        p = hn::MulAdd(p, t, hn::Set(d, c));
    const Vector power = hn::Mul(hn::Mul(z, z), hn::Set(d, -1.44269504f));
    return hn::Mul(hn::Mul(hn::Mul(p, t), hn::Set(d, 0.5f)), exp2Vector(d, power));
}

void laplace(float* s, int64_t count) {
    const F d;
    constexpr float mean = 0.707106781f, steepness = 2.50662827f; // √½ and √(2π) = 1 / (σ √2)
    mapRow(
        s, count,
        [&](Vector v) {
            const Vector below = hn::Mul(hn::Sub(hn::Set(d, mean), v), hn::Set(d, steepness));
            const Vector tail = halfErfc(hn::Abs(below));
            return hn::IfThenElse(hn::Lt(below, hn::Zero(d)), hn::Sub(hn::Set(d, 1.0f), tail), tail);
        },
        static_cast<const float*>(s));
}

void softmaxBlock(float* s, float lazyThreshold, float& max, float* sum, float* row, int64_t columns) {
    softmaxInStrip(s, lazyThreshold, max, sum, row, columns);
}

void scale(const float* x, float factor, float* y, int64_t count) {
    const F d;
    const Vector f = hn::Set(d, factor);
    mapRow(
        y, count, [&](Vector v) { return hn::Mul(v, f); }, x);
}

void multiplyRow(const float* x, const float* gate, float* y, int64_t count) {
    mapRow(
        y, count, [](Vector v, Vector g) { return hn::Mul(v, g); }, x, gate);
}

const GauKernels* gauTable() {
    static const GauKernels ofTarget{lanesOf, silu,         siluBackward, view,       relu2,
                                     laplace, softmaxBlock, scale,        multiplyRow};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(gauTable);
const GauKernels& gauKernels() { return *HWY_DYNAMIC_DISPATCH(gauTable)(); }
} // namespace warplight::cpu
#endif
