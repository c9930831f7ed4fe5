// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/attention/backward_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention/backward_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/attention/strip-inl.h"
#include "core/cpu/exp2-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
float dotOfRows(const float* a, const float* b, int64_t count) { return dot(a, b, count); }

void weights(float* s, int64_t count, float scale2, float lse2) {
    const F d;
    const Vector scale = hn::Set(d, scale2), shift = hn::Set(d, lse2);
    for (int64_t j = 0; j < count; j += lanesOf)
        hn::StoreU(exp2Vector(d, hn::MulSub(hn::LoadU(d, s + j), scale, shift)), d, s + j);
}

void scoreGradients(const float* p, float* dp, int64_t count, float rowSum) {
    const F d;
    const Vector shift = hn::Set(d, rowSum);
    for (int64_t j = 0; j < count; j += lanesOf)
        hn::StoreU(hn::Mul(hn::LoadU(d, p + j), hn::Sub(hn::LoadU(d, dp + j), shift)), d, dp + j);
}

void accumulateTransposed(const float* p, int64_t pStride, int64_t queries, int64_t keys, int64_t firstSeeing,
                          const float* x, int64_t xStride, float* out, int64_t outStride, int64_t columns) {
    for (int64_t key = 0; key < keys; key += stripRows) {
        const int64_t rows = std::min(stripRows, keys - key);
        float* to = out + key * outStride;
        // From here on queries see the whole strip of keys.
        const int64_t all = std::clamp<int64_t>(firstSeeing + key + rows - 1, 0, queries);
        accumulate(p + all * pStride + key, {1, pStride}, rows, x + all * xStride, xStride, queries - all, to,
                   outStride, columns);
        for (int64_t query = std::clamp<int64_t>(firstSeeing + key, 0, all); query < all; ++query)
            accumulate(p + query * pStride + key, {1, pStride}, query - firstSeeing - key + 1, x + query * xStride,
                       xStride, 1, to, outStride, columns);
    }
}

const BackwardKernels* backwardTable() {
    static const BackwardKernels ofTarget{dotOfRows, weights, scoreGradients, accumulateTransposed};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(backwardTable);
const BackwardKernels& backwardKernels() { return *HWY_DYNAMIC_DISPATCH(backwardTable)(); }
} // namespace warplight::cpu
#endif
