// SPDX-License-Identifier: GPL-3.0-or-later
// The two matrix products of attention on a strip of six rows. Included once per target.
#if defined(WARPLIGHT_CPU_ATTENTION_STRIP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_ATTENTION_STRIP_INL_H
#undef WARPLIGHT_CPU_ATTENTION_STRIP_INL_H
#else
#define WARPLIGHT_CPU_ATTENTION_STRIP_INL_H
#endif

#include "core/cpu/attention/kernels.h"
#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
constexpr int64_t panelKeys = panelVectors * lanesOf;
static_assert(blockKeys % panelKeys == 0);

inline void scores(const float* q, int64_t rows, int64_t headDim, const float* panels, int64_t keys, float* s,
                   int64_t sStride) {
    for (int64_t begin = 0; begin < keys; begin += panelKeys)
        multiplyRows<panelVectors, false>(rows, q, {headDim}, panels + begin * headDim, panelKeys, headDim, s + begin,
                                          sStride);
}

/// o [rows ≤ stripRows, columns] += p [rows, keys] · v [keys, columns].
inline void accumulate(const float* p, Steps pSteps, int64_t rows, const float* v, int64_t vStride, int64_t keys,
                       float* o, int64_t oStride, int64_t columns) {
    int64_t c = 0;
    for (; c + panelKeys <= columns; c += panelKeys)
        multiplyRows<panelVectors, true>(rows, p, pSteps, v + c, vStride, keys, o + c, oStride);
    for (; c < columns; c += lanesOf)
        multiplyRows<1, true>(rows, p, pSteps, v + c, vStride, keys, o + c, oStride);
}

/// The same for a strip whose row r sees the first firstSeen + r of the keys. What lies behind a row's mask never
/// touches it: 0 · NaN would.
inline void accumulateSeen(const float* p, int64_t pStride, int64_t rows, const float* v, int64_t vStride, int64_t keys,
                           int64_t firstSeen, float* o, int64_t oStride, int64_t columns) {
    const int64_t seenByAll = std::clamp<int64_t>(firstSeen, 0, keys);
    accumulate(p, {pStride}, rows, v, vStride, seenByAll, o, oStride, columns);
    for (int64_t key = seenByAll; key < keys; ++key) {
        const int64_t first = key - firstSeen + 1; // the first row that sees it
        if (first < rows)
            accumulate(p + first * pStride + key, {pStride}, rows - first, v + key * vStride, vStride, 1,
                       o + first * oStride, oStride, columns);
    }
}

HWY_INLINE float dot(const float* a, const float* b, int64_t count) {
    const F d;
    Vector sums = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        sums = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sums);
    float sum = hn::GetLane(hn::SumOfLanes(d, sums));
    for (; i < count; ++i)
        sum += a[i] * b[i];
    return sum;
}

#if HWY_TARGET != HWY_SCALAR
/// Four keys times four features at a time: a 4 × 4 transpose in 128-bit registers.
inline void transposeFour(const float* k, int64_t headDim, float* out, int64_t width) {
    const hn::FixedTag<float, 4> d4;
    const hn::RepartitionToWide<decltype(d4)> d2;
    const auto a = hn::LoadU(d4, k), b = hn::LoadU(d4, k + headDim), c = hn::LoadU(d4, k + 2 * headDim),
               e = hn::LoadU(d4, k + 3 * headDim);
    const auto ab0 = hn::BitCast(d2, hn::InterleaveLower(d4, a, b)),
               ab1 = hn::BitCast(d2, hn::InterleaveUpper(d4, a, b));
    const auto ce0 = hn::BitCast(d2, hn::InterleaveLower(d4, c, e)),
               ce1 = hn::BitCast(d2, hn::InterleaveUpper(d4, c, e));
    hn::StoreU(hn::BitCast(d4, hn::InterleaveLower(d2, ab0, ce0)), d4, out);
    hn::StoreU(hn::BitCast(d4, hn::InterleaveUpper(d2, ab0, ce0)), d4, out + width);
    hn::StoreU(hn::BitCast(d4, hn::InterleaveLower(d2, ab1, ce1)), d4, out + 2 * width);
    hn::StoreU(hn::BitCast(d4, hn::InterleaveUpper(d2, ab1, ce1)), d4, out + 3 * width);
}
#else
inline void transposeFour(const float* k, int64_t headDim, float* out, int64_t width) {
    for (int64_t i = 0; i < 4; ++i)
        for (int64_t f = 0; f < 4; ++f)
            out[f * width + i] = k[i * headDim + f];
}
#endif

/// Transposes up to `width` keys into a panel [headDim, width]; missing ones become zeros.
inline void packPanel(const float* k, int64_t keys, int64_t headDim, int64_t width, float* panel) {
    if (keys < width)
        std::memset(panel, 0, sizeof(float) * static_cast<size_t>(width * headDim));
    int64_t j = 0;
    for (; j + 4 <= keys; j += 4) { // panels of the scalar target are narrower: never taken there
        const float* rows = k + j * headDim;
        int64_t f = 0;
        for (; f + 4 <= headDim; f += 4)
            transposeFour(rows + f, headDim, panel + f * width + j, width);
        for (; f < headDim; ++f)
            for (int64_t i = 0; i < 4; ++i)
                panel[f * width + j + i] = rows[i * headDim + f];
    }
    for (; j < keys; ++j)
        for (int64_t f = 0; f < headDim; ++f)
            panel[f * width + j] = k[j * headDim + f];
}

inline void packKeys(const float* k, int64_t keys, int64_t headDim, float* panels) {
    for (int64_t begin = 0; begin < blockKeys; begin += panelKeys)
        packPanel(k + begin * headDim, std::clamp<int64_t>(keys - begin, 0, panelKeys), headDim, panelKeys,
                  panels + begin * headDim);
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
