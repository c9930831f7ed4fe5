// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/softmax/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/softmax/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/exp2-inl.h"
#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
constexpr float lowest = -std::numeric_limits<float>::infinity(), log2OfE = 1.44269504f;

/// e^(x - max), of numbers up to max.
struct BelowMaximum {
    Vector max;
    HWY_INLINE Vector operator()(Vector x) const {
        const F d;
        return exp2Vector(d, hn::Mul(hn::Sub(x, max), hn::Set(d, log2OfE)));
    }
};
/// e^x, infinite from the logarithm of the largest number on.
struct AsItStands {
    HWY_INLINE Vector operator()(Vector x) const {
        const F d;
        const Vector exponent = hn::Mul(x, hn::Set(d, log2OfE)), most = hn::Set(d, 128.0f);
        const auto isLarge = hn::Gt(exponent, hn::Set(d, 127.0f)); // beyond exp2Vector: half of it, twice
        const Vector half = hn::Sub(hn::IfThenElse(hn::Gt(exponent, most), most, exponent), hn::Set(d, 1.0f));
        const Vector y = exp2Vector(d, hn::IfThenElse(isLarge, half, exponent));
        return hn::IfThenElse(isLarge, hn::Add(y, y), y);
    }
};

/// The last elements of a row, with `fill` behind them.
HWY_INLINE Vector loadEnd(const float* x, int64_t count, float fill) {
    const F d;
    HWY_ALIGN float end[lanesOf];
    std::fill_n(end, lanesOf, fill);
    std::copy_n(x, count, end);
    return hn::Load(d, end);
}

float maximum(const float* x, int64_t count) {
    const F d;
    Vector most[4];
    for (Vector& m : most)
        m = hn::Set(d, lowest);
    int64_t i = 0;
    for (; i + 4 * lanesOf <= count; i += 4 * lanesOf)
        for (int n = 0; n < 4; ++n)
            most[n] = hn::Max(most[n], hn::LoadU(d, x + i + n * lanesOf));
    for (; i + lanesOf <= count; i += lanesOf)
        most[0] = hn::Max(most[0], hn::LoadU(d, x + i));
    if (i < count)
        most[1] = hn::Max(most[1], loadEnd(x + i, count - i, lowest));
    return hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(most[0], most[1]), hn::Max(most[2], most[3]))));
}

double sumOfLanes(Vector sums) {
    const F d;
    HWY_ALIGN float lane[lanesOf];
    hn::Store(sums, d, lane);
    double sum = 0;
    for (const float x : lane)
        sum += static_cast<double>(x);
    return sum;
}

/// Sums of lanes go into double precision after so many elements: what f32 rounds away does not grow with the row.
constexpr int64_t elementsPerSum = 2048;

template <class Exponential>
double sumOfSome(const float* x, int64_t count, const Exponential& exponential) {
    const F d;
    Vector even = hn::Zero(d), odd = hn::Zero(d);
    int64_t i = 0;
    for (; i + 2 * lanesOf <= count; i += 2 * lanesOf) {
        even = hn::Add(even, exponential(hn::LoadU(d, x + i)));
        odd = hn::Add(odd, exponential(hn::LoadU(d, x + i + lanesOf)));
    }
    if (i + lanesOf <= count) {
        even = hn::Add(even, exponential(hn::LoadU(d, x + i)));
        i += lanesOf;
    }
    if (i < count)
        odd = hn::Add(odd, exponential(loadEnd(x + i, count - i, lowest))); // -inf weighs nothing
    return sumOfLanes(hn::Add(even, odd));
}

template <class Exponential>
double sumOf(const float* x, int64_t count, const Exponential& exponential) {
    double all = 0;
    for (int64_t i = 0; i < count; i += elementsPerSum)
        all += sumOfSome(x + i, std::min(elementsPerSum, count - i), exponential);
    return all;
}

double sum(const float* x, int64_t count, float max) { return sumOf(x, count, BelowMaximum{hn::Set(F(), max)}); }
double sumAsItStands(const float* x, int64_t count) { return sumOf(x, count, AsItStands()); }

/// Sixteen vectors at a time: their maximum is compared with the running one once, and the sums are rescaled only when
/// it rises.
void maximumAndSum(const float* x, int64_t count, float& max, double& all) {
    const F d;
    constexpr int64_t strip = 16 * lanesOf, stripsPerSum = 8;
    max = lowest;
    all = 0;
    Vector even = hn::Zero(d), odd = hn::Zero(d);
    const auto rise = [&](float to) {
        const double factor = max == lowest ? 0 : std::exp(static_cast<double>(max) - static_cast<double>(to));
        all *= factor;
        even = hn::Mul(even, hn::Set(d, static_cast<float>(factor)));
        odd = hn::Mul(odd, hn::Set(d, static_cast<float>(factor)));
        max = to;
    };
    const auto empty = [&] {
        all += sumOfLanes(hn::Add(even, odd));
        even = odd = hn::Zero(d);
    };
    const auto base = [&] { return max == lowest ? 0.0f : max; }; // nothing but -inf so far: weights of 0
    int64_t i = 0;
    for (int64_t strips = 1; i + strip <= count; i += strip, ++strips) {
        Vector most = hn::LoadU(d, x + i);
        for (int64_t n = lanesOf; n < strip; n += lanesOf)
            most = hn::Max(most, hn::LoadU(d, x + i + n));
        const float next = hn::GetLane(hn::MaxOfLanes(d, most));
        if (next > max)
            rise(next);
        const BelowMaximum exponential{hn::Set(d, base())};
        for (int64_t n = 0; n < strip; n += 2 * lanesOf) {
            even = hn::Add(even, exponential(hn::LoadU(d, x + i + n)));
            odd = hn::Add(odd, exponential(hn::LoadU(d, x + i + n + lanesOf)));
        }
        if (strips % stripsPerSum == 0)
            empty();
    }
    if (i < count) {
        const float next = maximum(x + i, count - i);
        if (next > max)
            rise(next);
        all += sumOfSome(x + i, count - i, BelowMaximum{hn::Set(d, base())});
    }
    empty();
}

template <class Exponential>
void scaleBy(const float* x, float* y, int64_t count, float factor, const Exponential& exponential) {
    const F d;
    const Vector f = hn::Set(d, factor);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(hn::Mul(exponential(hn::LoadU(d, x + i)), f), d, y + i);
    if (i < count) {
        HWY_ALIGN float end[lanesOf];
        hn::Store(hn::Mul(exponential(loadEnd(x + i, count - i, 0)), f), d, end);
        std::copy_n(end, count - i, y + i);
    }
}

void scale(const float* x, float* y, int64_t count, float max, float factor) {
    scaleBy(x, y, count, factor, BelowMaximum{hn::Set(F(), max)});
}
void scaleAsItStands(const float* x, float* y, int64_t count, float factor) {
    scaleBy(x, y, count, factor, AsItStands());
}

const SoftmaxKernels* softmaxTable() {
    static const SoftmaxKernels ofTarget{maximum, sum, maximumAndSum, scale, sumAsItStands, scaleAsItStands};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(softmaxTable);
const SoftmaxKernels& softmaxKernels() { return *HWY_DYNAMIC_DISPATCH(softmaxTable)(); }
} // namespace warplight::cpu
#endif
