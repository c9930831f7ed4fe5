// SPDX-License-Identifier: GPL-3.0-or-later
// Online softmax of one row of a strip. Included once per target.
#if defined(WARPLIGHT_CPU_SOFTMAX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_SOFTMAX_INL_H
#undef WARPLIGHT_CPU_SOFTMAX_INL_H
#else
#define WARPLIGHT_CPU_SOFTMAX_INL_H
#endif

#include "core/cpu/attention/strip-inl.h"
#include "core/cpu/exp2-inl.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
constexpr float minusInfinity = -std::numeric_limits<float>::infinity();

/// Multiplies what a row has gathered by 2^(old - new maximum): the rescaling of online softmax
/// (Milakov & Gimelshein 2018, algorithm 3; FlashAttention-2, algorithm 1, line 10).
HWY_INLINE void rescaleRow(float newMax, float& max, float* sum, float* output, int64_t columns) {
    const F d;
    const float factor = max == minusInfinity ? 0.0f : std::exp2(max - newMax);
    const Vector f = hn::Set(d, factor);
    hn::StoreU(hn::Mul(hn::LoadU(d, sum), f), d, sum);
    for (int64_t c = 0; c < columns; c += lanesOf)
        hn::StoreU(hn::Mul(hn::LoadU(d, output + c), f), d, output + c);
    max = newMax;
}

/// Turns one row of scores into probabilities in place. Most rows pay one max and one branch instead of a horizontal
/// maximum: as long as no score exceeds the maximum in use by more than the threshold, nothing is rescaled. The maximum
/// may or may not take notice of a NaN; its weight is NaN and so is the row's sum, which is what counts in the end. The
/// same goes for a score of +inf, whose weight is 2^(inf - inf).
HWY_INLINE void softmaxInStrip(float* s, float lazyThreshold, float& max, float* sum, float* output, int64_t columns) {
    const F d;
    Vector largest = hn::LoadU(d, s);
    for (int64_t j = lanesOf; j < blockKeys; j += lanesOf)
        largest = hn::Max(largest, hn::LoadU(d, s + j));
    if (!hn::AllTrue(d, hn::Le(largest, hn::Set(d, max + lazyThreshold))))
        rescaleRow(std::max(max, hn::GetLane(hn::MaxOfLanes(d, largest))), max, sum, output, columns);
    const Vector m = hn::Set(d, max == minusInfinity ? 0.0f : max); // no key seen yet: 2^-inf = 0
    Vector total = hn::LoadU(d, sum);
    for (int64_t j = 0; j < blockKeys; j += lanesOf) {
        const Vector p = exp2Vector(d, hn::Sub(hn::LoadU(d, s + j), m));
        hn::StoreU(p, d, s + j);
        total = hn::Add(total, p);
    }
    hn::StoreU(total, d, sum);
}
} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
