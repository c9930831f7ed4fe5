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

/// -inf where row `row` of the tile sees no key.
void hideUnseen(const KeyGroup& group, int64_t row, float* s) {
    for (int64_t i = 0; i < group.spanCount; ++i) {
        const KeySpan& span = group.spans[static_cast<size_t>(i)];
        const int64_t seen = span.hidden ? 0 : std::clamp<int64_t>(span.firstHidden + row, 0, span.keys);
        const int64_t end =
            i + 1 < group.spanCount ? group.spans[static_cast<size_t>(i + 1)].column : group.panelCount * lanesOf;
        std::fill(s + span.column + seen, s + end, minusInfinity);
    }
}

void groupOfKeys(const KeyGroup& group, int64_t rowsOfTile, int64_t headDim, int64_t valueStride, float lazyThreshold,
                 const RowState& state) {
    HWY_ALIGN float s[stripRows * blockKeys];
    for (int64_t begin = 0; begin < rowsOfTile; begin += stripRows) {
        const int64_t rows = std::min(stripRows, rowsOfTile - begin);
        const bool any = std::any_of(group.spans.begin(), group.spans.begin() + group.spanCount, [&](const KeySpan& x) {
            return x.hidden || x.firstHidden + begin + rows - 1 > 0; // the last row of the strip sees most
        });
        if (!any)
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
