// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/s4/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/s4/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void diagonal(const T* factors, T* state, int64_t states, const T* u, T* y, int64_t steps) {
    const hn::ScalableTag<T> d;
    constexpr int64_t lanes = HWY_LANES(T);
    std::fill_n(y, steps * lanes, T{0});
    for (int64_t s = 0; s < states; s += 2) { // two at a time: their chains of additions overlap
        const T *f = factors + s * 4 * lanes, *g = f + 4 * lanes;
        T* x = state + s * 2 * lanes;
        const auto aRe = hn::Load(d, f), aIm = hn::Load(d, f + lanes), wRe = hn::Load(d, f + 2 * lanes),
                   wIm = hn::Load(d, f + 3 * lanes);
        const auto bRe = hn::Load(d, g), bIm = hn::Load(d, g + lanes), vRe = hn::Load(d, g + 2 * lanes),
                   vIm = hn::Load(d, g + 3 * lanes);
        auto re = hn::Load(d, x), im = hn::Load(d, x + lanes), re2 = hn::Load(d, x + 2 * lanes),
             im2 = hn::Load(d, x + 3 * lanes);
        for (int64_t t = 0; t < steps; ++t) {
            const auto in = hn::Load(d, u + t * lanes);
            const auto next = hn::MulAdd(aRe, re, hn::NegMulAdd(aIm, im, hn::Mul(wRe, in)));
            im = hn::MulAdd(aRe, im, hn::MulAdd(aIm, re, hn::Mul(wIm, in)));
            re = next;
            const auto next2 = hn::MulAdd(bRe, re2, hn::NegMulAdd(bIm, im2, hn::Mul(vRe, in)));
            im2 = hn::MulAdd(bRe, im2, hn::MulAdd(bIm, re2, hn::Mul(vIm, in)));
            re2 = next2;
            hn::Store(hn::Add(hn::Load(d, y + t * lanes), hn::Add(re, re2)), d, y + t * lanes);
        }
        hn::Store(re, d, x);
        hn::Store(im, d, x + lanes);
        hn::Store(re2, d, x + 2 * lanes);
        hn::Store(im2, d, x + 3 * lanes);
    }
}

template <class T>
void legs(const T* factors, const T* norms, T* state, int64_t n, const T* u, T* y, int64_t steps) {
    const hn::ScalableTag<T> d;
    constexpr int64_t lanes = HWY_LANES(T);
    for (int64_t t = 0; t < steps; ++t) {
        auto sum = hn::Mul(hn::Set(d, T{-2}), hn::Load(d, u + t * lanes)), ahead = hn::Zero(d), out = hn::Zero(d);
        for (int64_t i = 0; i < n; ++i) {
            const T* f = factors + i * 4 * lanes;
            T* c = state + i * lanes;
            const auto norm = hn::Set(d, norms[i]), q = hn::Load(d, f + lanes), x = hn::Load(d, c);
            sum = hn::MulAdd(norm, x, sum);
            const auto part = hn::NegMulAdd(q, sum, hn::Mul(hn::Load(d, f), x));
            const auto z = hn::NegMulAdd(q, ahead, part);
            ahead = hn::MulAdd(hn::Load(d, f + 2 * lanes), ahead, hn::Mul(norm, part));
            out = hn::MulAdd(hn::Load(d, f + 3 * lanes), z, out);
            hn::Store(z, d, c);
        }
        hn::Store(out, d, y + t * lanes);
    }
}

constexpr int64_t floatLanes = HWY_LANES(float);
constexpr int64_t outputVectors = 8;

void convolve(const float* kernel, int64_t length, const float* u, int64_t begin, float* y) {
    const hn::ScalableTag<float> d;
    using Vector = hn::Vec<decltype(d)>;
    Vector y0 = hn::Zero(d), y1 = y0, y2 = y0, y3 = y0, y4 = y0, y5 = y0, y6 = y0, y7 = y0;
    const int64_t end = std::min(length, begin + outputVectors * floatLanes);
    const float* at = u + begin;
    for (int64_t j = 0; j < end; ++j, --at) {
        const Vector k = hn::Set(d, kernel[j]);
        y0 = hn::MulAdd(k, hn::LoadU(d, at), y0);
        y1 = hn::MulAdd(k, hn::LoadU(d, at + floatLanes), y1);
        y2 = hn::MulAdd(k, hn::LoadU(d, at + 2 * floatLanes), y2);
        y3 = hn::MulAdd(k, hn::LoadU(d, at + 3 * floatLanes), y3);
        y4 = hn::MulAdd(k, hn::LoadU(d, at + 4 * floatLanes), y4);
        y5 = hn::MulAdd(k, hn::LoadU(d, at + 5 * floatLanes), y5);
        y6 = hn::MulAdd(k, hn::LoadU(d, at + 6 * floatLanes), y6);
        y7 = hn::MulAdd(k, hn::LoadU(d, at + 7 * floatLanes), y7);
    }
    const Vector all[] = {y0, y1, y2, y3, y4, y5, y6, y7};
    for (int64_t i = 0; i < outputVectors; ++i)
        hn::StoreU(all[i], d, y + i * floatLanes);
}

const S4Kernels* s4Table() {
    static const S4Kernels ofTarget{{floatLanes, diagonal<float>, legs<float>},
                                    {HWY_LANES(double), diagonal<double>, legs<double>},
                                    outputVectors * floatLanes,
                                    convolve};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {

LegsFactors legsFactors(int64_t n, double lambda) {
    const auto k = static_cast<double>(n);
    const double under = 1 + lambda * (k + 1), norm = std::sqrt(2 * k + 1);
    return {(1 + lambda * k) / under, lambda * norm / under, (1 - lambda * k) / under};
}

HWY_EXPORT(s4Table);
const S4Kernels& s4Kernels() { return *HWY_DYNAMIC_DISPATCH(s4Table)(); }

} // namespace warplight::cpu
#endif
