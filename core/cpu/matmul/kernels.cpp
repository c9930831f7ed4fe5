// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/matmul/kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/matmul/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
constexpr int64_t panelColumns = panelVectors * lanesOf;

void addTile(const float* a, int64_t aStride, int64_t rows, const float* b, int64_t bStride, int64_t depth, float* c,
             int64_t cStride, int64_t columns) {
    const F d;
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t k = 0; k < depth; ++k) {
            const float x = a[r * aStride + k];
            const float* row = b + k * bStride;
            float* to = c + r * cStride;
            int64_t j = 0;
            for (; j + lanesOf <= columns; j += lanesOf)
                hn::StoreU(hn::MulAdd(hn::Set(d, x), hn::LoadU(d, row + j), hn::LoadU(d, to + j)), d, to + j);
            for (; j < columns; ++j)
                to[j] += x * row[j];
        }
}

template <bool AddToC>
HWY_INLINE void multiplyPanel(const float* a, Steps steps, int64_t rows, const float* b, int64_t depth, float* c,
                              int64_t cStride, int64_t columns) {
    if (columns == panelColumns)
        return multiplyRows<panelVectors, AddToC>(rows, a, steps, b, panelColumns, depth, c, cStride);
    HWY_ALIGN float whole[matmulStripRows * panelColumns] = {}; // C ends within the panel
    for (int64_t r = 0; AddToC && r < rows; ++r)
        std::copy_n(c + r * cStride, columns, whole + r * panelColumns);
    multiplyRows<panelVectors, AddToC>(rows, a, steps, b, panelColumns, depth, whole, panelColumns);
    for (int64_t r = 0; r < rows; ++r)
        std::copy_n(whole + r * panelColumns, columns, c + r * cStride);
}

void multiplyPacked(const float* a, int64_t rowStep, int64_t columnStep, int64_t rows, const float* b, int64_t depth,
                    float* c, int64_t cStride, int64_t columns, bool addToC) {
    if (addToC)
        multiplyPanel<true>(a, {rowStep, columnStep}, rows, b, depth, c, cStride, columns);
    else
        multiplyPanel<false>(a, {rowStep, columnStep}, rows, b, depth, c, cStride, columns);
}

const MatmulKernels* matmulTable() {
    static const MatmulKernels ofTarget{panelColumns, addTile, multiplyPacked};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(matmulTable);
const MatmulKernels& matmulKernels() { return *HWY_DYNAMIC_DISPATCH(matmulTable)(); }
} // namespace warplight::cpu
#endif
