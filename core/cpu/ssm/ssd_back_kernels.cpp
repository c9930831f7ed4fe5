// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/ssm/ssd_back_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ssm/ssd_back_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE float sumOf(Vector x) { return hn::GetLane(hn::SumOfLanes(F(), x)); }

/// Some columns, whose x and dy stay in registers. Of rows, what columns before these gave is in dc.
template <int Vectors>
HWY_INLINE void againColumns(const SsdAgain& step, int64_t column) {
    const F d;
    Vector x[Vectors], dy[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        x[n] = hn::LoadU(d, step.x + column + n * lanesOf);
        dy[n] = step.dc ? hn::LoadU(d, step.dy + column + n * lanesOf) : hn::Zero(d);
    }
    const SsdAgain s = step; // what is stored cannot change it
    const Vector factor = hn::Set(d, s.factor);
    const float* before = s.before + column;
    float* after = s.after + column;
    for (int64_t r = 0; r < s.rows; ++r, before += s.columns, after += s.columns) {
        const Vector b = hn::Set(d, s.b[r]);
        Vector read = hn::Zero(d);
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            const Vector now = hn::MulAdd(b, x[n], hn::Mul(factor, hn::LoadU(d, before + n * lanesOf)));
            hn::StoreU(now, d, after + n * lanesOf);
            read = hn::MulAdd(now, dy[n], read);
        }
        if (s.dc)
            s.dc[r] = (column > 0 ? s.dc[r] : 0) + sumOf(read);
    }
}

void again(const SsdAgain& step) {
    int64_t column = 0;
    for (; column + 4 * lanesOf <= step.columns; column += 4 * lanesOf)
        againColumns<4>(step, column);
    for (; column < step.columns; column += lanesOf)
        againColumns<1>(step, column);
}

template <int Vectors>
HWY_INLINE float backColumns(const SsdBack& step, int64_t column) {
    const F d;
    Vector x[Vectors], dy[Vectors], dx[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        x[n] = hn::LoadU(d, step.x + column + n * lanesOf);
        dy[n] = hn::LoadU(d, step.dy + column + n * lanesOf);
        dx[n] = hn::Zero(d);
    }
    const SsdBack s = step; // what is stored cannot change it
    const Vector factor = hn::Set(d, s.factor);
    Vector inner = hn::Zero(d);
    float* gradient = s.gradient + column;
    const float* before = s.before + column;
    for (int64_t r = 0; r < s.rows; ++r, gradient += s.columns, before += s.columns) {
        const Vector b = hn::Set(d, s.b[r]), c = hn::Set(d, s.c[r]);
        Vector written = hn::Zero(d);
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            const Vector g = hn::MulAdd(c, dy[n], hn::Mul(factor, hn::LoadU(d, gradient + n * lanesOf)));
            hn::StoreU(g, d, gradient + n * lanesOf);
            dx[n] = hn::MulAdd(b, g, dx[n]);
            written = hn::MulAdd(g, x[n], written);
            inner = hn::MulAdd(g, hn::LoadU(d, before + n * lanesOf), inner);
        }
        s.db[r] = (column > 0 ? s.db[r] : 0) + sumOf(written);
    }
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n)
        hn::StoreU(dx[n], d, s.dx + column + n * lanesOf);
    return sumOf(inner);
}

void back(SsdBack& step) {
    constexpr int vectors = HWY_TARGET == HWY_AVX3 ? 4 : 2; // three registers each
    int64_t column = 0;
    step.inner = 0;
    for (; column + vectors * lanesOf <= step.columns; column += vectors * lanesOf)
        step.inner += backColumns<vectors>(step, column);
    for (; column < step.columns; column += lanesOf)
        step.inner += backColumns<1>(step, column);
}

template <bool Add>
HWY_INLINE void multiplyAll(const SsdProduct& p) {
    constexpr int64_t stripRows = 6, panel = panelVectors * lanesOf;
    for (int64_t r = 0; r < p.rows; r += stripRows) {
        const int64_t rows = std::min(stripRows, p.rows - r);
        const float* a = p.a + r * p.rowStep;
        float* c = p.c + r * p.cStride;
        int64_t x = 0;
        for (; x + panel <= p.columns; x += panel)
            multiplyRows<panelVectors, Add>(rows, a, {p.rowStep, p.columnStep}, p.b + x, p.bStride, p.depth, c + x,
                                            p.cStride);
        for (; x < p.columns; x += lanesOf)
            multiplyRows<1, Add>(rows, a, {p.rowStep, p.columnStep}, p.b + x, p.bStride, p.depth, c + x, p.cStride);
    }
}

void multiply(const SsdProduct& p) {
    if (p.add)
        multiplyAll<true>(p);
    else
        multiplyAll<false>(p);
}

void weigh(const SsdPairs& p) {
    const F d;
    const Vector factor = hn::Set(d, p.factor);
    for (int64_t j = 0; j < p.row; j += lanesOf)
        hn::StoreU(hn::Mul(factor, hn::LoadU(d, p.fading + j)), d, p.fading + j);
    p.fading[p.row] = 1;
    for (int64_t j = 0; j <= p.row; j += lanesOf) {
        const Vector fading = hn::LoadU(d, p.fading + j), w = hn::LoadU(d, p.w + j),
                     scores = hn::Mul(fading, hn::LoadU(d, p.s + j));
        hn::StoreU(scores, d, p.scores + j);
        hn::StoreU(hn::MulAdd(fading, w, hn::LoadU(d, p.weights + j)), d, p.weights + j);
        hn::StoreU(hn::Mul(scores, w), d, p.w + j);
    }
}

float sumPairs(const float* pairs, int64_t columns, float* sums) {
    const F d;
    Vector all = hn::Zero(d);
    int64_t j = 0;
    for (; j + lanesOf <= columns; j += lanesOf) {
        const Vector sum = hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, pairs + j));
        hn::StoreU(sum, d, sums + j);
        all = hn::Add(all, sum);
    }
    float sum = sumOf(all);
    for (; j < columns; ++j) {
        sums[j] += pairs[j];
        sum += sums[j];
    }
    return sum;
}

float addRow(const float* row, float weight, const float* by, int64_t count, float* to) {
    const F d;
    const Vector factor = hn::Set(d, weight);
    Vector sum = hn::Zero(d);
    for (int64_t i = 0; i < count; i += lanesOf) {
        const Vector x = hn::LoadU(d, row + i);
        sum = hn::MulAdd(x, hn::LoadU(d, by + i), sum);
        if (to)
            hn::StoreU(hn::MulAdd(factor, x, hn::LoadU(d, to + i)), d, to + i);
    }
    return sumOf(sum);
}

} // namespace

const SsdBackKernels* ssdBackTable() {
    static const SsdBackKernels ofTarget{lanesOf, again, back, multiply, weigh, sumPairs, addRow};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(ssdBackTable);
const SsdBackKernels& ssdBackKernels() { return *HWY_DYNAMIC_DISPATCH(ssdBackTable)(); }
} // namespace warplight::cpu
#endif
