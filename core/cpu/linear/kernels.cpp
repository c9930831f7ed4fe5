// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/linear/kernels.h"
#include "core/cpu/rounding.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/linear/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/attention/strip-inl.h"
#include "core/cpu/exp2-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {

/// e^x of any x: infinite where it has to be. exp2Vector ends at 2^127.
HWY_INLINE Vector expVector(Vector x) {
    const F d;
    const Vector log2e = hn::Set(d, 1.44269504f), most = hn::Set(d, 128.0f);
    Vector x2 = hn::Mul(x, log2e);
    x2 = hn::IfThenElse(hn::Gt(x2, most), most, x2);
    const Vector half = exp2Vector(d, hn::Sub(x2, hn::Set(d, 1.0f)));
    return hn::Add(half, half);
}

template <FeatureMap map>
HWY_INLINE Vector mapped(Vector x) {
    const F d;
    const Vector zero = hn::Zero(d);
    if constexpr (map == FeatureMap::Elu1) { // below 0, 2^x needs no care
        const Vector below = exp2Vector(d, hn::Mul(x, hn::Set(d, 1.44269504f)));
        return hn::IfThenElse(hn::Gt(x, zero), hn::Add(x, hn::Set(d, 1.0f)), below);
    } else if constexpr (map == FeatureMap::Relu || map == FeatureMap::Relu2) {
        const Vector above = hn::IfThenElse(hn::Lt(x, zero), zero, x); // NaN stays one
        return map == FeatureMap::Relu ? above : hn::Mul(above, above);
    } else if constexpr (map == FeatureMap::Exp) {
        return expVector(x);
    } else {
        return x;
    }
}

template <FeatureMap map>
void mapAll(const float* x, float root, int64_t count, float* y) {
    const F d;
    const Vector factor = hn::Set(d, root);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(mapped<map>(hn::Mul(hn::LoadU(d, x + i), factor)), d, y + i);
    if (i == count)
        return;
    float buffer[lanesOf] = {};
    std::copy_n(x + i, count - i, buffer);
    hn::StoreU(mapped<map>(hn::Mul(hn::LoadU(d, buffer), factor)), d, buffer);
    std::copy_n(buffer, count - i, y + i);
}

void mapEach(FeatureMap map, const float* x, float root, int64_t count, float* y) {
    switch (map) {
    case FeatureMap::Elu1:
        return mapAll<FeatureMap::Elu1>(x, root, count, y);
    case FeatureMap::Relu:
        return mapAll<FeatureMap::Relu>(x, root, count, y);
    case FeatureMap::Relu2:
        return mapAll<FeatureMap::Relu2>(x, root, count, y);
    case FeatureMap::Exp:
        return mapAll<FeatureMap::Exp>(x, root, count, y);
    default:
        return mapAll<FeatureMap::Identity>(x, root, count, y);
    }
}

void packOnePanel(const float* k, int64_t keys, int64_t features, float* panel) {
    packPanel(k, keys, features, panelKeys, panel);
}

/// c [rows ≤ stripRows, columns] (+)= a · b, whatever multiple of a vector `columns` is.
template <bool AddToC>
HWY_INLINE void product(int64_t rows, const float* a, Steps steps, const float* b, int64_t bStride, int64_t depth,
                        float* c, int64_t cStride, int64_t columns) {
    int64_t x = 0;
    for (; x + panelKeys <= columns; x += panelKeys)
        multiplyRows<panelVectors, AddToC>(rows, a, steps, b + x, bStride, depth, c + x, cStride);
    for (; x < columns; x += lanesOf)
        multiplyRows<1, AddToC>(rows, a, steps, b + x, bStride, depth, c + x, cStride);
}

void addOuter(const float* k, int64_t kStride, int64_t steps, int64_t features, const float* v, int64_t vStride,
              int64_t columns, bool add, float* t, float* z) {
    for (int64_t f = 0; f < features; f += stripRows) {
        const int64_t rows = std::min(stripRows, features - f);
        if (add)
            product<true>(rows, k + f, {1, kStride}, v, vStride, steps, t + f * columns, columns, columns);
        else
            product<false>(rows, k + f, {1, kStride}, v, vStride, steps, t + f * columns, columns, columns);
    }
    if (!z)
        return;
    const F d;
    int64_t f = 0;
    for (; f + lanesOf <= features; f += lanesOf) {
        Vector sum = add ? hn::LoadU(d, z + f) : hn::Zero(d);
        for (int64_t s = 0; s < steps; ++s)
            sum = hn::Add(sum, hn::LoadU(d, k + s * kStride + f));
        hn::StoreU(sum, d, z + f);
    }
    for (; f < features; ++f) {
        z[f] = add ? z[f] : 0;
        for (int64_t s = 0; s < steps; ++s)
            z[f] += k[s * kStride + f];
    }
}

void passOn(float* t, float* sum, float factor, int64_t count) {
    const F d;
    const Vector by = hn::Set(d, factor);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf) {
        const Vector before = hn::LoadU(d, sum + i);
        hn::StoreU(hn::MulAdd(by, before, hn::LoadU(d, t + i)), d, sum + i);
        hn::StoreU(before, d, t + i);
    }
    for (; i < count; ++i) {
        const float before = sum[i];
        sum[i] = factor * before + t[i];
        t[i] = before;
    }
}

void scaleAll(float* x, float factor, int64_t count) {
    const F d;
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, x + i);
    for (; i < count; ++i)
        x[i] *= factor;
}

HWY_INLINE float sumOf(const float* x, int64_t count) {
    const F d;
    Vector sums = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        sums = hn::Add(sums, hn::LoadU(d, x + i));
    float sum = hn::GetLane(hn::SumOfLanes(d, sums));
    for (; i < count; ++i)
        sum += x[i];
    return sum;
}

/// Scores of a strip against the first `keys` keys, in whole vectors of them.
HWY_INLINE void stripScores(const float* q, int64_t qStride, int64_t rows, int64_t features, const float* panels,
                            int64_t keys, float* s, int64_t sStride) {
    for (int64_t begin = 0; begin < keys; begin += panelKeys) {
        const float* panel = panels + begin * features;
        const int64_t vectors = std::min<int64_t>(panelVectors, (keys - begin + lanesOf - 1) / lanesOf);
        if (vectors == panelVectors)
            multiplyRows<panelVectors, false>(rows, q, {qStride}, panel, panelKeys, features, s + begin, sStride);
        else
            for (int64_t x = 0; x < vectors * lanesOf; x += lanesOf)
                multiplyRows<1, false>(rows, q, {qStride}, panel + x, panelKeys, features, s + begin + x, sStride);
    }
}

/// How the decays of the steps before a row stand: gamma[j] = Π of the factors of j+1 … row, whole = Π of all.
struct Fading {
    float* gamma;
    float whole;
};

HWY_INLINE Fading fadingBefore(const float* decay, int64_t row, float* gamma) { // up to row - 1
    float product = 1;
    for (int64_t j = row - 1; j >= 0; --j) {
        gamma[j] = product;
        product *= decay[j];
    }
    return {gamma, product};
}

/// One row further.
HWY_INLINE void fade(Fading& f, float factor, int64_t row) {
    scaleAll(f.gamma, factor, row);
    f.gamma[row] = 1;
    f.whole *= factor;
}

HWY_INLINE void multiply(const float* x, const float* by, int64_t count, float* y) {
    const F d;
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, by + i)), d, y + i);
    for (; i < count; ++i)
        y[i] = x[i] * by[i];
}

/// Six rows at most, as they go through the registers.
struct Strip {
    const float *q, *scores; ///< scores null: the rows see the state alone
    int64_t scoreStride, first;
    const float *whole, *divisors; ///< a row each; null: no decay, not divided
    float* o;
    int64_t outputStride;
};

/// Some columns of a strip of outputs, which never leave the registers between the state and the pairs. What lies
/// behind a row's mask never touches it: 0 · NaN would.
template <int Rows, int Vectors>
HWY_INLINE void readColumns(const ChunkRows& c, const Strip& strip, int64_t column) {
    const F d;
    Vector sums[Rows][Vectors];
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            sums[r][n] = hn::Zero(d);
    const auto add = [&](const float* a, int64_t aStride, const float* b, int from) HWY_ATTR {
        Vector x[Vectors];
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            x[n] = hn::LoadU(d, b + n * lanesOf);
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r)
            if (r >= from) {
                const Vector y = hn::Set(d, a[r * aStride]);
#pragma GCC unroll 4
                for (int n = 0; n < Vectors; ++n)
                    sums[r][n] = hn::MulAdd(y, x[n], sums[r][n]);
            }
    };
    if (c.state)
        for (int64_t f = 0; f < c.features; ++f)
            add(strip.q + f, c.qStride, c.state + f * c.columns + column, 0);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            if (strip.whole)
                sums[r][n] = hn::Mul(sums[r][n], hn::Set(d, strip.whole[r]));
    if (strip.scores) {
        const float* v = c.values + column;
        for (int64_t key = 0; key <= strip.first; ++key)
            add(strip.scores + key, strip.scoreStride, v + key * c.valueStride, 0);
#pragma GCC unroll 6
        for (int r = 1; r < Rows; ++r) // key first + r is seen by row r and those below
            add(strip.scores + strip.first + r, strip.scoreStride, v + (strip.first + r) * c.valueStride, r);
    }
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            const Vector x = strip.divisors ? hn::Div(sums[r][n], hn::Set(d, strip.divisors[r])) : sums[r][n];
            hn::StoreU(x, d, strip.o + r * strip.outputStride + column + n * lanesOf);
        }
}

template <int Rows>
HWY_INLINE void readStrip(const ChunkRows& c, const Strip& strip) {
    int64_t column = 0;
    for (; column + panelKeys <= c.columns; column += panelKeys)
        readColumns<Rows, panelVectors>(c, strip, column);
    for (; column < c.columns; column += lanesOf)
        readColumns<Rows, 1>(c, strip, column);
}

void readStripOf(int64_t rows, const ChunkRows& c, const Strip& strip) {
    switch (rows) {
    case 6:
        return readStrip<6>(c, strip);
    case 5:
        return readStrip<5>(c, strip);
    case 4:
        return readStrip<4>(c, strip);
    case 3:
        return readStrip<3>(c, strip);
    case 2:
        return readStrip<2>(c, strip);
    default:
        return readStrip<1>(c, strip);
    }
}

void scoreRows(const ChunkRows& c, float* scores, int64_t stride) {
    for (int64_t r = 0; r < c.rows; r += stripRows) {
        const int64_t rows = std::min(stripRows, c.rows - r);
        stripScores(c.q + r * c.qStride, c.qStride, rows, c.features, c.panels, c.first + r + rows, scores + r * stride,
                    stride);
    }
}

void readRows(const ChunkRows& c) {
    const bool pairs = c.panels || c.scores;
    const int64_t keysAtMost = pairs ? c.first + c.rows : 0, ownStride = roundUp(keysAtMost, panelKeys);
    float *padded = c.scratch, *s = padded + stripRows * c.columns, *gamma = s + stripRows * ownStride;
    const bool pads = c.columns != c.valueDim;
    Fading fading = c.decay ? fadingBefore(c.decay, c.first, gamma) : Fading{gamma, 1};
    for (int64_t r = 0; r < c.rows; r += stripRows) {
        const int64_t rows = std::min(stripRows, c.rows - r), first = c.first + r;
        const float* q = c.q + r * c.qStride;
        float denominators[stripRows] = {}, whole[stripRows];
        const float* made = c.scores ? c.scores + r * c.scoreStride : s;
        const int64_t madeStride = c.scores ? c.scoreStride : ownStride;
        if (!c.scores && c.panels)
            stripScores(q, c.qStride, rows, c.features, c.panels, first + rows, s, ownStride);
        for (int64_t i = 0; i < rows; ++i) {
            if (c.z)
                denominators[i] = dot(q + i * c.qStride, c.z, c.features);
            if (c.decay) {
                fade(fading, c.decay[first + i], first + i);
                multiply(made + i * madeStride, gamma, first + i + 1, s + i * ownStride);
                denominators[i] *= c.z ? fading.whole : 1;
                whole[i] = fading.whole;
            }
            if (pairs && c.normalise)
                denominators[i] += sumOf((c.decay ? s + i * ownStride : made + i * madeStride), first + i + 1);
        }
        float* o = c.o + r * c.outputStride;
        readStripOf(rows, c,
                    {q,
                     !pairs    ? nullptr
                     : c.decay ? s
                               : made,
                     c.decay ? ownStride : madeStride, first, c.decay && c.state ? whole : nullptr,
                     c.normalise ? denominators : nullptr, pads ? padded : o, pads ? c.columns : c.outputStride});
        for (int64_t i = 0; pads && i < rows; ++i)
            std::copy_n(padded + i * c.columns, c.valueDim, o + i * c.outputStride);
    }
}

const LinearKernels* linearTable() {
    static const LinearKernels ofTarget{lanesOf, panelKeys, mapEach,   packOnePanel, addOuter,
                                        passOn,  scaleAll,  scoreRows, readRows};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(linearTable);
const LinearKernels& linearKernels() { return *HWY_DYNAMIC_DISPATCH(linearTable)(); }

int64_t scratchFloats(int64_t keys, int64_t columns) {
    constexpr int64_t mostPanelKeys = 64;
    return roundUp(stripRows * columns + (stripRows + 1) * roundUp(keys, mostPanelKeys), 16);
}
} // namespace warplight::cpu
#endif
