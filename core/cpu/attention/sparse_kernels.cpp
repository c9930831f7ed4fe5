// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/attention/sparse_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention/sparse_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/attention/softmax-inl.h"
#include "core/cpu/attention/strip-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
void packLanes(const float* k, int64_t keys, int64_t headDim, float* panel) {
    packPanel(k, keys, headDim, lanesOf, panel);
}

/// multiplyStrip for panels of one vector each that may lie anywhere.
template <int Rows, int Vectors>
HWY_INLINE void multiplyPanels(const float* HWY_RESTRICT a, int64_t aStride, const float* const* panels, int64_t depth,
                               float* HWY_RESTRICT c) {
    const F d;
    Vector sums[Rows][Vectors];
    const float* b[Vectors];
    for (int n = 0; n < Vectors; ++n)
        b[n] = panels[n];
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            sums[r][n] = hn::Zero(d);
    for (int64_t k = 0; k < depth; ++k) {
        Vector column[Vectors];
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            column[n] = hn::LoadU(d, b[n] + k * lanesOf);
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r) {
            const Vector row = hn::Set(d, a[r * aStride + k]);
#pragma GCC unroll 4
            for (int n = 0; n < Vectors; ++n)
                sums[r][n] = hn::MulAdd(row, column[n], sums[r][n]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            hn::StoreU(sums[r][n], d, c + r * blockKeys + n * lanesOf);
}

template <int Vectors>
HWY_INLINE void multiplyPanelRows(int64_t rows, const float* a, int64_t aStride, const float* const* panels,
                                  int64_t depth, float* c) {
    switch (rows) {
    case 6:
        return multiplyPanels<6, Vectors>(a, aStride, panels, depth, c);
    case 5:
        return multiplyPanels<5, Vectors>(a, aStride, panels, depth, c);
    case 4:
        return multiplyPanels<4, Vectors>(a, aStride, panels, depth, c);
    case 3:
        return multiplyPanels<3, Vectors>(a, aStride, panels, depth, c);
    case 2:
        return multiplyPanels<2, Vectors>(a, aStride, panels, depth, c);
    default:
        return multiplyPanels<1, Vectors>(a, aStride, panels, depth, c);
    }
}

/// s [rows, blockKeys] = q kᵀ for the group's panels, -inf behind them.
void scoresOfGroup(const KeyGroup& group, const float* q, int64_t rows, int64_t headDim, float* s) {
    int64_t panel = 0;
    for (; panel + panelVectors <= group.panelCount; panel += panelVectors)
        multiplyPanelRows<panelVectors>(rows, q, headDim, &group.panels[static_cast<size_t>(panel)], headDim,
                                        s + panel * lanesOf);
    for (; panel < group.panelCount; ++panel)
        multiplyPanelRows<1>(rows, q, headDim, &group.panels[static_cast<size_t>(panel)], headDim, s + panel * lanesOf);
    for (int64_t r = 0; r < rows; ++r)
        std::fill(s + r * blockKeys + group.panelCount * lanesOf, s + (r + 1) * blockKeys, minusInfinity);
}

/// The bits of a vector's keys from key `key` of a span on.
HWY_INLINE uint64_t lanesSeen(const KeySpan& span, int64_t row, int64_t key) {
    const int64_t bit = span.firstBit + key;
    return span.bits[row * span.bitWords + bit / 64] >> (bit % 64) & ((uint64_t{1} << lanesOf) - 1);
}

/// -inf where the span's bits hide keys from row `row` of the tile. `s` is where its scores begin.
HWY_INLINE void hidePairs(const KeySpan& span, int64_t row, float* s) {
    const F d;
    const Vector hidden = hn::Set(d, minusInfinity);
    for (int64_t key = 0; key < span.keys; key += lanesOf) {
        const uint64_t seen = lanesSeen(span, row, key);
        const auto isSeen = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&seen));
        hn::StoreU(hn::IfThenElse(isSeen, hn::LoadU(d, s + key), hidden), d, s + key);
    }
}

/// -inf where row `row` of the tile sees no key.
void hideUnseen(const KeyGroup& group, int64_t row, float* s) {
    for (int64_t i = 0; i < group.spanCount; ++i) {
        const KeySpan& span = group.spans[static_cast<size_t>(i)];
        const int64_t seen = span.hidden ? 0 : std::clamp<int64_t>(span.firstHidden + row, 0, span.keys);
        const int64_t end =
            i + 1 < group.spanCount ? group.spans[static_cast<size_t>(i + 1)].column : group.panelCount * lanesOf;
        if (span.bits)
            hidePairs(span, row, s + span.column);
        std::fill(s + span.column + seen, s + end, minusInfinity);
    }
}

/// Whether any of some rows sees any key of a span.
bool seesAny(const KeySpan& span, int64_t firstRow, int64_t rows) {
    if (!span.hidden && span.firstHidden + firstRow + rows - 1 <= 0) // the last row of the strip sees most
        return false;
    if (!span.bits)
        return true;
    for (int64_t r = firstRow; r < firstRow + rows; ++r)
        for (int64_t key = 0; key < span.keys; key += lanesOf)
            if (lanesSeen(span, r, key))
                return true;
    return false;
}

/// Output of a span whose values may be no numbers: pair by pair, where a row sees a key.
void accumulatePairs(const KeySpan& span, int64_t firstRow, int64_t rows, const float* p, int64_t valueStride,
                     float* output, int64_t outputStride) {
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t key = 0; key < std::min(span.keys, span.firstHidden + firstRow + r); ++key) {
            const int64_t bit = span.firstBit + key;
            if (span.bits[(firstRow + r) * span.bitWords + bit / 64] >> (bit % 64) & 1)
                accumulate(p + r * blockKeys + key, {blockKeys}, 1, span.values + key * valueStride, valueStride, 1,
                           output + r * outputStride, outputStride, outputStride);
        }
}

void groupOfKeys(const KeyGroup& group, int64_t rowsOfTile, int64_t headDim, int64_t valueStride, float lazyThreshold,
                 const RowState& state) {
    HWY_ALIGN float s[stripRows * blockKeys];
    for (int64_t begin = 0; begin < rowsOfTile; begin += stripRows) {
        const int64_t rows = std::min(stripRows, rowsOfTile - begin);
        const auto isSeen = [&](const KeySpan& span) { return seesAny(span, begin, rows); };
        if (std::none_of(group.spans.begin(), group.spans.begin() + group.spanCount, isSeen))
            continue;
        float* output = state.output + begin * state.outputStride;
        scoresOfGroup(group, state.query + begin * headDim, rows, headDim, s);
        for (int64_t r = 0; r < rows; ++r) {
            hideUnseen(group, begin + r, s + r * blockKeys);
            softmaxInStrip(s + r * blockKeys, lazyThreshold, state.max[begin + r], state.sum + (begin + r) * lanesOf,
                           output + r * state.outputStride, state.outputStride);
        }
        for (int64_t i = 0; i < group.spanCount; ++i) {
            const KeySpan& span = group.spans[static_cast<size_t>(i)];
            if (span.bits && !isSeen(span))
                continue;
            if (span.bits && !span.finite) {
                accumulatePairs(span, begin, rows, s + span.column, valueStride, output, state.outputStride);
                continue;
            }
            accumulateSeen(s + span.column, blockKeys, rows, span.values, valueStride, span.keys,
                           span.hidden ? span.keys : span.firstHidden + begin, output, state.outputStride,
                           state.outputStride);
        }
    }
}

const SparseKernels* sparseTable() {
    static const SparseKernels ofTarget{packLanes, groupOfKeys};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(sparseTable);
const SparseKernels& sparseKernels() { return *HWY_DYNAMIC_DISPATCH(sparseTable)(); }
} // namespace warplight::cpu
#endif
