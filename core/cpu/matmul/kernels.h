// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Rows of a strip of the product: with the vectors of a panel its sums fill the registers (microkernel-inl.h).
constexpr int64_t matmulStripRows = 6;

/// Building blocks of the matmul rungs, compiled once per instruction set.
struct MatmulKernels {
    int64_t panelColumns; ///< of a panel of packed B

    /// c [rows, columns] += a [rows, depth] · b [depth, columns], a row of B after the other. Any sizes.
    void (*addTile)(const float* a, int64_t aStride, int64_t rows, const float* b, int64_t bStride, int64_t depth,
                    float* c, int64_t cStride, int64_t columns);
    /// c [rows ≤ matmulStripRows, columns ≤ panelColumns] (+)= a · b for a strip whose rows are `rowStep` and whose
    /// columns `columnStep` apart (packed: 1 and matmulStripRows) and a panel packed [depth, panelColumns].
    void (*multiplyPacked)(const float* a, int64_t rowStep, int64_t columnStep, int64_t rows, const float* b,
                           int64_t depth, float* c, int64_t cStride, int64_t columns, bool addToC);
};

/// The best for this machine, or what useTarget() chose.
const MatmulKernels& matmulKernels();

} // namespace warplight::cpu
