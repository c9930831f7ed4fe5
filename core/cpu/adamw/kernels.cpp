// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/adamw/kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/adamw/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/small_float-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {

using F = hn::ScalableTag<float>;
using Vector = hn::Vec<F>;
constexpr int64_t lanesOf = HWY_LANES(float);

/// AdamwConstants::update of a vector of parameters.
HWY_INLINE void update(const gpu::AdamwConstants<float>& c, Vector& w, Vector g, Vector& m, Vector& v) {
    const F d;
    g = hn::Mul(g, hn::Set(d, c.gradientFactor));
    w = hn::Mul(w, hn::Set(d, c.decay));
    m = hn::Add(m, hn::Mul(hn::Sub(g, m), hn::Set(d, c.ofGradient)));
    v = hn::Add(hn::Mul(v, hn::Set(d, c.beta2)), hn::Mul(hn::Set(d, c.ofSquare), hn::Mul(g, g)));
    const Vector under = hn::Add(hn::Mul(hn::Sqrt(v), hn::Set(d, c.rootFactor)), hn::Set(d, c.epsilon));
    w = hn::Sub(w, hn::Mul(hn::Set(d, c.stepSize), hn::Div(m, under)));
}

/// Where the numbers of some parameters lie.
struct Place {
    const float *w, *g, *m, *v;
    float *wNew, *mNew, *vNew, *copy;
};

HWY_INLINE void updateAt(const Place& at, const gpu::AdamwConstants<float>& c, const SmallFloat* copied) {
    const F d;
    Vector w = hn::LoadU(d, at.w), m = hn::LoadU(d, at.m), v = hn::LoadU(d, at.v);
    update(c, w, hn::LoadU(d, at.g), m, v);
    hn::StoreU(w, d, at.wNew);
    hn::StoreU(m, d, at.mNew);
    hn::StoreU(v, d, at.vNew);
    hn::StoreU(copied ? keptOf(d, w, *copied) : w, d, at.copy);
}

void step(const AdamwProblem& p, const gpu::AdamwConstants<float>& c, const SmallFloat* copied, int64_t begin,
          int64_t end) {
    int64_t i = begin;
    for (; i + lanesOf <= end; i += lanesOf)
        updateAt({p.w + i, p.g + i, p.m + i, p.v + i, p.wNew + i, p.mNew + i, p.vNew + i, p.copy + i}, c, copied);
    if (i == end)
        return;
    float in[4][lanesOf] = {}, out[4][lanesOf];
    const float* from[] = {p.w, p.g, p.m, p.v};
    float* to[] = {p.wNew, p.mNew, p.vNew, p.copy};
    for (int which = 0; which < 4; ++which)
        std::copy(from[which] + i, from[which] + end, in[which]);
    updateAt({in[0], in[1], in[2], in[3], out[0], out[1], out[2], out[3]}, c, copied);
    for (int which = 0; which < 4; ++which)
        std::copy_n(out[which], end - i, to[which] + i);
}

const AdamwKernels* adamwTable() {
    static const AdamwKernels ofTarget{step};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(adamwTable);
const AdamwKernels& adamwKernels() { return *HWY_DYNAMIC_DISPATCH(adamwTable)(); }
} // namespace warplight::cpu
#endif
