// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/ssm/selective_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ssm/selective_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/lane_rows-inl.h"
#include "core/cpu/ssm/selective-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE void copyRow(const float* from, int64_t count, float* to) {
    const F d;
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(hn::LoadU(d, from + i), d, to + i);
    for (; i < count; ++i)
        to[i] = from[i];
}

/// `States` states from n on through all steps, in registers; y is begun (with D u) or added to.
template <int States, bool Begins>
HWY_INLINE void scanStates(const ScanTile& p, int64_t n, const float* HWY_RESTRICT size, const float* HWY_RESTRICT u,
                           float* HWY_RESTRICT y) {
    const F d;
    Vector h[States];
#pragma GCC unroll 16
    for (int i = 0; i < States; ++i)
        h[i] = hn::Load(d, p.h + (n + i) * lanesOf);
    const float *HWY_RESTRICT b = p.b + n, *HWY_RESTRICT c = p.c + n, *HWY_RESTRICT a = p.a + n * lanesOf;
    const int64_t lines = Begins ? p.aheadSteps * static_cast<int64_t>(sizeof(float)) / 64 : 0; // of a row
    int64_t line = 0, row = 0;
    for (int64_t t = 0; t < p.steps; ++t, b += p.state, c += p.state) {
        if (lines > 0 && row < p.aheadChannels) {
            const int64_t at = row * p.stride + line * 16;
            for (const float* rows : p.ahead)
                if (rows)
                    __builtin_prefetch(rows + at, 0, 2);
            __builtin_prefetch(p.aheadY + at, 1, 2);
            if (++line == lines)
                line = 0, ++row;
        }
        const Vector now = hn::Load(d, size + t * lanesOf), from = hn::Load(d, u + t * lanesOf),
                     in = hn::Mul(now, from);
        Vector sum[2] = {hn::Zero(d), hn::Zero(d)};
        if (!Begins)
            sum[0] = hn::Load(d, y + t * lanesOf);
        else if (p.d)
            sum[0] = hn::Mul(hn::Load(d, p.d), from);
#pragma GCC unroll 16
        for (int i = 0; i < States; ++i) {
            const Vector decay = decayOf(hn::Mul(now, hn::Load(d, a + i * lanesOf)));
            h[i] = hn::MulAdd(decay, h[i], hn::Mul(in, hn::Set(d, b[i])));
            sum[i % 2] = hn::MulAdd(h[i], hn::Set(d, c[i]), sum[i % 2]);
        }
        hn::Store(hn::Add(sum[0], sum[1]), d, y + t * lanesOf);
    }
#pragma GCC unroll 16
    for (int i = 0; i < States; ++i)
        hn::Store(h[i], d, p.h + (n + i) * lanesOf);
}

/// As many states at a time as registers hold.
template <int States>
HWY_NOINLINE void scanAll(const ScanTile& p, int64_t n, const float* size, const float* u, float* y) {
    for (; n + States <= p.state; n += States)
        n == 0 ? scanStates<States, true>(p, n, size, u, y) : scanStates<States, false>(p, n, size, u, y);
    if constexpr (States > 1)
        scanAll<States / 2>(p, n, size, u, y);
}

/// Steps of a tile's channels to [steps, lanes]. Pieces of rows are copied first: where rows lie a power of two apart,
/// a line of each at a time would find few places in the cache.
void loadTile(const ScanTile& p, const float* from, float* rows, float* to) {
    for (int64_t t = 0; t < p.steps; t += pieceSteps) {
        const int64_t steps = std::min(pieceSteps, p.steps - t);
        for (int64_t i = 0; i < p.channels; ++i)
            copyRow(from + i * p.stride + t, steps, rows + i * pieceStride);
        intoLanes(rows, pieceStride, steps, to + t * lanesOf);
    }
}
void storeTile(const ScanTile& p, const float* from, float* rows) {
    for (int64_t t = 0; t < p.steps; t += pieceSteps) {
        const int64_t steps = std::min(pieceSteps, p.steps - t);
        fromLanes(from + t * lanesOf, rows, pieceStride, steps);
        for (int64_t i = 0; i < p.channels; ++i)
            copyRow(rows + i * pieceStride, steps, p.y + i * p.stride + t);
    }
}

void scanTile(const ScanTile& p) {
    const F d;
    float *u = p.scratch, *size = u + scanSteps * lanesOf, *y = size + scanSteps * lanesOf,
          *rows = y + scanSteps * lanesOf;
    for (int64_t i = p.channels; i < lanesOf; ++i)
        std::fill_n(rows + i * pieceStride, pieceStride, 0.0f);
    loadTile(p, p.u, rows, u);
    loadTile(p, p.delta, rows, size);
    const Vector bias = hn::Load(d, p.bias);
    for (int64_t t = 0; t < p.steps; ++t) {
        const Vector now = hn::Add(hn::Load(d, size + t * lanesOf), bias);
        hn::Store(p.softplus ? softplus(now) : now, d, size + t * lanesOf);
    }
    scanAll<HWY_TARGET == HWY_AVX3 ? 16 : 8>(p, 0, size, u, y);
    if (p.z) {
        loadTile(p, p.z, rows, u);
        for (int64_t t = 0; t < p.steps; ++t)
            hn::Store(hn::Mul(silu(hn::Load(d, u + t * lanesOf)), hn::Load(d, y + t * lanesOf)), d, y + t * lanesOf);
    }
    storeTile(p, y, rows);
}

void stepSizes(const float* delta, const float* bias, bool isSoftplus, float* size, int64_t count) {
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Part part{std::min(lanesOf, count - i)};
        const Vector x = part.load(delta + i), now = bias ? hn::Add(x, part.load(bias + i)) : x;
        part.store(isSoftplus ? softplus(now) : now, size + i);
    }
}

void gate(const float* z, float* y, int64_t count) {
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Part part{std::min(lanesOf, count - i)};
        part.store(hn::Mul(silu(part.load(z + i)), part.load(y + i)), y + i);
    }
}

/// C · h of one channel after the step, lane by lane.
template <bool hasFirst, bool hasLast>
HWY_INLINE Vector stepOf(const ScanStep& p, float stepSize, int64_t e) {
    constexpr int64_t ahead = 512; // numbers, that are asked for now
    const F d;
    const int64_t state = p.state;
    const float *HWY_RESTRICT a = p.a + e * state, *HWY_RESTRICT b = p.b, *HWY_RESTRICT c = p.c;
    const Vector size = hn::Set(d, stepSize * log2e), input = hn::Set(d, stepSize * p.u[e]);
    Vector sum = hn::Zero(d);
    for (int64_t n = 0; n < state; n += lanesOf) {
        const Part part{std::min(lanesOf, state - n)};
        const float* first = p.first + e * state + n;
        float* last = p.last + e * state + n;
        Vector h = hn::Mul(input, part.load(b + n));
        __builtin_prefetch(a + n + ahead);
        if constexpr (hasFirst) {
            __builtin_prefetch(first + ahead);
            h = hn::MulAdd(decayOf(hn::Mul(size, part.load(a + n))), part.load(first), h);
        }
        if constexpr (hasLast) {
            __builtin_prefetch(last + ahead, 1);
            part.store(h, last);
        }
        if (part.count == lanesOf)
            sum = hn::MulAdd(h, part.load(c + n), sum);
        else // behind the last state an infinite input has made a NaN of zeros
            sum = hn::Add(
                sum, hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(part.count)), hn::Mul(h, part.load(c + n))));
    }
    return sum;
}

#if HWY_TARGET != HWY_SCALAR
/// The four numbers that all blocks of 128 bits have in common, added up.
template <class D>
HWY_INLINE hn::Vec<Four> sumOfBlocks(D d, hn::Vec<D> v) {
    if constexpr (hn::MaxLanes(d) == 4) {
        return v;
    } else {
        const hn::Half<D> half;
        return sumOfBlocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
    }
}
#endif

template <bool hasFirst, bool hasLast>
void stepAll(const ScanStep& p, const float* size) {
    const F d;
    int64_t e = 0;
#if HWY_TARGET != HWY_SCALAR
    for (; e + 4 <= p.channels; e += 4) {
        Vector sums[4];
        for (int64_t i = 0; i < 4; ++i)
            sums[i] = stepOf<hasFirst, hasLast>(p, size[e + i], e + i);
        transposeBlocks(d, sums);
        hn::StoreU(sumOfBlocks(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))), Four(), p.y + e);
    }
#endif
    for (; e < p.channels; ++e)
        p.y[e] = hn::GetLane(hn::SumOfLanes(d, stepOf<hasFirst, hasLast>(p, size[e], e)));
}

void scanStep(const ScanStep& p) {
    HWY_ALIGN float size[stepChannels];
    stepSizes(p.delta, p.bias, p.softplus, size, p.channels);
    if (p.first)
        p.last ? stepAll<true, true>(p, size) : stepAll<true, false>(p, size);
    else
        p.last ? stepAll<false, true>(p, size) : stepAll<false, false>(p, size);
    for (int64_t e = 0; p.d && e < p.channels; e += lanesOf) {
        const Part part{std::min(lanesOf, p.channels - e)};
        part.store(hn::MulAdd(part.load(p.d + e), part.load(p.u + e), part.load(p.y + e)), p.y + e);
    }
    if (p.z)
        gate(p.z, p.y, p.channels);
}

void exp2InPlace(float* x, int64_t count) {
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Part part{std::min(lanesOf, count - i)};
        part.store(decayOf(part.load(x + i)), x + i);
    }
}

void siluInPlace(float* x, int64_t count) {
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Part part{std::min(lanesOf, count - i)};
        part.store(silu(part.load(x + i)), x + i);
    }
}

void convolve(const float* x, const float* w, int64_t width, float bias, float* y, int64_t count) {
    const F d;
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Part part{std::min(lanesOf, count - i)};
        Vector sum = hn::Set(d, bias);
        for (int64_t k = 0; k < width; ++k)
            sum = hn::MulAdd(hn::Set(d, w[k]), part.load(x + i - width + 1 + k), sum);
        part.store(sum, y + i);
    }
}

} // namespace

const SelectiveKernels* selectiveTable() {
    static const SelectiveKernels ofTarget{lanesOf, scanTile,    scanStep,    transposeRows, stepSizes,
                                           gate,    exp2InPlace, siluInPlace, convolve};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(selectiveTable);
const SelectiveKernels& selectiveKernels() { return *HWY_DYNAMIC_DISPATCH(selectiveTable)(); }
} // namespace warplight::cpu
#endif
