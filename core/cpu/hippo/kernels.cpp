// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/hippo/kernels.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/hippo/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using Vector = hn::Vec<F>;
constexpr int64_t lanesOf = HWY_LANES(float);

/// Rows of the new state from `row` on, in registers while they gather.
template <int Rows>
HWY_INLINE void denseRows(const float* matrix, int64_t n, const float* c, Vector u, float* next, int64_t row) {
    const F d;
    Vector sum[Rows];
    const float* b = matrix + n * n + row;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
        sum[r] = hn::Mul(hn::Set(d, b[r]), u);
    const float* column = matrix + row;
    for (int64_t k = 0; k < n; ++k, column += n) {
        const Vector x = hn::Load(d, c + k * lanesOf);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
            sum[r] = hn::MulAdd(hn::Set(d, column[r]), x, sum[r]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
        hn::Store(sum[r], d, next + (row + r) * lanesOf);
}

void dense(const float* matrix, int64_t n, const float* c, const float* u, float* next) {
    const Vector in = hn::Load(F(), u);
    int64_t row = 0;
    for (; row + 8 <= n; row += 8)
        denseRows<8>(matrix, n, c, in, next, row);
    for (; row < n; ++row)
        denseRows<1>(matrix, n, c, in, next, row);
}

void linear(const LegsLengths& lengths, const float* norms, float* factors, int64_t n, float* c, const float* u) {
    const F d;
    const int64_t stride = (n + lanesOf - 1) / lanesOf * lanesOf;
    float *p = factors, *q = p + stride, *g = q + stride, *ahead = g + stride, *behind = ahead + stride;
    const Vector one = hn::Set(d, 1.0f), before = hn::Set(d, lengths.ahead), after = hn::Set(d, lengths.behind);
    for (int64_t i = 0; i < n; i += lanesOf) {
        const Vector k = hn::Iota(d, static_cast<float>(i)), norm = hn::LoadU(d, norms + i);
        const Vector part = hn::Div(one, hn::MulAdd(after, hn::Add(k, one), one));
        hn::StoreU(hn::Mul(part, hn::MulAdd(before, k, one)), d, p + i);
        hn::StoreU(hn::Mul(part, norm), d, q + i);
        hn::StoreU(hn::Mul(part, hn::NegMulAdd(after, k, one)), d, g + i);
        hn::StoreU(hn::Mul(before, norm), d, ahead + i);
        hn::StoreU(hn::Mul(after, norm), d, behind + i);
    }
    // t = ahead Σ_(k <= n) √(2k+1) c_k - step u, and s = behind Σ_(k < n) √(2k+1) z_k of the new state z.
    Vector t = hn::Mul(hn::Set(d, -lengths.step), hn::Load(d, u)), s = hn::Zero(d);
    for (int64_t i = 0; i < n; ++i) {
        const Vector x = hn::Load(d, c + i * lanesOf), weight = hn::Set(d, q[i]);
        t = hn::MulAdd(hn::Set(d, ahead[i]), x, t);
        const Vector w = hn::NegMulAdd(weight, t, hn::Mul(hn::Set(d, p[i]), x));
        hn::Store(hn::NegMulAdd(weight, s, w), d, c + i * lanesOf);
        s = hn::MulAdd(hn::Set(d, g[i]), s, hn::Mul(hn::Set(d, behind[i]), w));
    }
}

const HippoKernels* hippoTable() {
    static const HippoKernels ofTarget{lanesOf, dense, linear};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(hippoTable);
const HippoKernels& hippoKernels() { return *HWY_DYNAMIC_DISPATCH(hippoTable)(); }
} // namespace warplight::cpu
#endif
