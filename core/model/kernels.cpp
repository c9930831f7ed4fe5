// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/model/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/model/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/exp2-inl.h"
#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::model::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using cpu::HWY_NAMESPACE::exp2Vector;
using cpu::HWY_NAMESPACE::F;
using cpu::HWY_NAMESPACE::lanesOf;
using cpu::HWY_NAMESPACE::Vector;

/// The last numbers of a row, with `fill` behind them.
HWY_INLINE Vector loadEnd(const float* x, int64_t count, float fill = 0) {
    const F d;
    HWY_ALIGN float end[lanesOf];
    std::fill_n(end, lanesOf, fill);
    std::copy_n(x, count, end);
    return hn::Load(d, end);
}

HWY_INLINE void storeEnd(Vector v, float* y, int64_t count) {
    const F d;
    HWY_ALIGN float end[lanesOf];
    hn::Store(v, d, end);
    std::copy_n(end, count, y);
}

/// y[i] = of(x[i]...) for all i.
template <class Of, class... X>
HWY_INLINE void map(float* y, int64_t count, Of of, const X*... x) {
    const F d;
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(of(hn::LoadU(d, x + i)...), d, y + i);
    if (i < count)
        storeEnd(of(loadEnd(x + i, count - i)...), y + i, count - i);
}

/// Σ of(x[i], ...); of(0, ...) is 0.
template <class Of, class... X>
HWY_INLINE float sum(int64_t count, Of of, const X*... x) {
    const F d;
    Vector even = hn::Zero(d), odd = even;
    int64_t i = 0;
    for (; i + 2 * lanesOf <= count; i += 2 * lanesOf) {
        even = hn::Add(even, of(hn::LoadU(d, x + i)...));
        odd = hn::Add(odd, of(hn::LoadU(d, x + i + lanesOf)...));
    }
    for (; i + lanesOf <= count; i += lanesOf)
        even = hn::Add(even, of(hn::LoadU(d, x + i)...));
    if (i < count)
        odd = hn::Add(odd, of(loadEnd(x + i, count - i)...));
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
}

void add(const float* a, const float* b, float* y, int64_t count) {
    map(
        y, count, [](Vector x, Vector z) { return hn::Add(x, z); }, a, b);
}

void addThree(const float* a, const float* b, const float* c, float* y, int64_t count) {
    map(
        y, count, [](Vector x, Vector z, Vector w) { return hn::Add(hn::Add(x, z), w); }, a, b, c);
}

float dot(const float* a, const float* b, int64_t count) {
    return sum(
        count, [](Vector x, Vector z) { return hn::Mul(x, z); }, a, b);
}

/// Four rows of the matrix at a time: what adds up is loaded and stored once for all of them.
void rowTimesColumns(const float* x, int64_t depth, const float* rows, int64_t stride, float* y, int64_t count) {
    const F d;
    std::fill_n(y, count, 0.0f);
    for (int64_t k = 0; k < depth; k += 4) {
        const float* from[4];
        Vector factor[4];
        for (int64_t n = 0; n < 4; ++n) {
            from[n] = rows + std::min(k + n, depth - 1) * stride;
            factor[n] = hn::Set(d, k + n < depth ? x[k + n] : 0.0f);
        }
        map(
            y, count,
            [&](Vector so, Vector a, Vector b, Vector c, Vector e) {
                const Vector two = hn::MulAdd(factor[1], b, hn::MulAdd(factor[0], a, so));
                return hn::MulAdd(factor[3], e, hn::MulAdd(factor[2], c, two));
            },
            static_cast<const float*>(y), from[0], from[1], from[2], from[3]);
    }
}

void moments(const float* x, int64_t count, float epsilon, float& mean, float& scale) {
    const F d;
    mean = sum(
               count, [](Vector v) { return v; }, x) /
           static_cast<float>(count);
    const Vector middle = hn::Set(d, mean);
    Vector squares = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf) {
        const Vector off = hn::Sub(hn::LoadU(d, x + i), middle);
        squares = hn::MulAdd(off, off, squares);
    }
    if (i < count) {
        const Vector off = hn::Sub(loadEnd(x + i, count - i, mean), middle);
        squares = hn::MulAdd(off, off, squares);
    }
    scale = 1 / std::sqrt(hn::GetLane(hn::SumOfLanes(d, squares)) / static_cast<float>(count) + epsilon);
}

void normalise(const float* x, int64_t count, float mean, float scale, const float* weight, const float* bias,
               float* y) {
    const F d;
    const Vector middle = hn::Set(d, mean), factor = hn::Set(d, scale);
    map(
        y, count, [&](Vector v, Vector w, Vector b) { return hn::MulAdd(hn::Mul(hn::Sub(v, middle), factor), w, b); },
        x, weight, bias);
}

void normaliseBackward(const float* x, const float* dy, int64_t count, float mean, float scale, const float* weight,
                       float* dx) {
    const F d;
    const Vector middle = hn::Set(d, mean), factor = hn::Set(d, scale);
    const auto inner = [](Vector g, Vector w) { return hn::Mul(g, w); };
    const auto outer = [&](Vector g, Vector w, Vector v) {
        return hn::Mul(hn::Mul(g, w), hn::Mul(hn::Sub(v, middle), factor));
    };
    const Vector meanInner = hn::Set(d, sum(count, inner, dy, weight) / static_cast<float>(count));
    const Vector meanOuter = hn::Set(d, sum(count, outer, dy, weight, x) / static_cast<float>(count));
    map(
        dx, count,
        [&](Vector g, Vector w, Vector v, Vector before) {
            const Vector normal = hn::Mul(hn::Sub(v, middle), factor);
            const Vector straight = hn::Sub(hn::Mul(g, w), meanInner);
            return hn::MulAdd(hn::NegMulAdd(normal, meanOuter, straight), factor, before);
        },
        dy, weight, x, static_cast<const float*>(dx));
}

void normaliseColumns(const float* x, const float* dy, int64_t count, float mean, float scale, float* dWeight,
                      float* dBias) {
    const F d;
    const Vector middle = hn::Set(d, mean), factor = hn::Set(d, scale);
    map(
        dWeight, count,
        [&](Vector v, Vector g, Vector before) { return hn::MulAdd(hn::Mul(hn::Sub(v, middle), factor), g, before); },
        x, dy, static_cast<const float*>(dWeight));
    add(dBias, dy, dBias, count);
}

/// 1 + tanh(u) is 2 / (1 + e^(-2u)): gelu(x) is x · s with s that quotient's half. Sets s, and du/dx · 2.
HWY_INLINE Vector halfOfTanh(Vector x) {
    const F d;
    constexpr float root = 0.797884561f, cube = 0.044715f, log2OfE = 1.44269504f;
    const Vector one = hn::Set(d, 1.0f), square = hn::Mul(x, x);
    const Vector u = hn::Mul(x, hn::MulAdd(square, hn::Set(d, cube), one));
    // Above 2^126 the quotient is as good as 0, and beyond 2^127 the power would not be one.
    const Vector power = hn::Min(hn::Mul(u, hn::Set(d, -2 * root * log2OfE)), hn::Set(d, 126.0f));
    return hn::Div(one, hn::Add(one, exp2Vector(d, power)));
}

void gelu(const float* x, int64_t count, float* y) {
    map(
        y, count, [](Vector v) { return hn::Mul(v, halfOfTanh(v)); }, x);
}

void geluBackward(const float* x, int64_t count, float* dy) {
    const F d;
    constexpr float root = 0.797884561f, cube = 0.044715f;
    map(
        dy, count,
        [&](Vector v, Vector g) {
            const Vector one = hn::Set(d, 1.0f), s = halfOfTanh(v);
            const Vector slope = hn::MulAdd(hn::Mul(v, v), hn::Set(d, 6 * cube * root), hn::Set(d, 2 * root));
            const Vector rest = hn::Mul(hn::Mul(s, hn::Sub(one, s)), hn::Mul(v, slope));
            return hn::Mul(g, hn::Add(s, rest));
        },
        x, static_cast<const float*>(dy));
}

void adamW(const AdamWStep& step, const float* gradients, int64_t count, float* weights, float* first, float* second) {
    const F d;
    const Vector beta1 = hn::Set(d, step.beta1), rest1 = hn::Set(d, 1 - step.beta1);
    const Vector beta2 = hn::Set(d, step.beta2), rest2 = hn::Set(d, 1 - step.beta2);
    const Vector clip = hn::Set(d, step.gradientScale), keep = hn::Set(d, step.keep), rate = hn::Set(d, step.rate);
    const Vector secondScale = hn::Set(d, step.secondScale), epsilon = hn::Set(d, step.epsilon);
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Vector g = hn::Mul(hn::LoadU(d, gradients + i), clip);
        const Vector m = hn::MulAdd(beta1, hn::LoadU(d, first + i), hn::Mul(rest1, g));
        const Vector v = hn::MulAdd(beta2, hn::LoadU(d, second + i), hn::Mul(rest2, hn::Mul(g, g)));
        const Vector root = hn::MulAdd(hn::Sqrt(v), secondScale, epsilon);
        const Vector weight = hn::Mul(hn::LoadU(d, weights + i), keep);
        hn::StoreU(m, d, first + i);
        hn::StoreU(v, d, second + i);
        hn::StoreU(hn::NegMulAdd(rate, hn::Div(m, root), weight), d, weights + i);
    }
}

const ModelKernels* modelTable() {
    static const ModelKernels ofTarget{
        add,  addThree,     dot,  rowTimesColumns, moments, normalise, normaliseBackward, normaliseColumns,
        gelu, geluBackward, adamW};
    return &ofTarget;
}

} // namespace warplight::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::model {
HWY_EXPORT(modelTable);
const ModelKernels& modelKernels() { return *HWY_DYNAMIC_DISPATCH(modelTable)(); }
} // namespace warplight::model
#endif
