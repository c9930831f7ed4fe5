// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/linear/method_map.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace warplight::labs::linear {

/// A map that is a product of two thin matrices, A = L Rᵀ, and is never held: of a block of any size the mean follows
/// from the sums of its rows of L and R, so that a coarse tile costs no more than a fine one.
class FactorMap : public MethodMap {
  public:
    /// left [rows, rank], right [columns, rank]. Causal: row i sees columns 0 to i; rows and columns are as many then.
    /// A row of `left` that holds a NaN or an infinity has no values.
    FactorMap(std::vector<float> left, std::vector<float> right, int64_t rank, bool causal);

    int64_t rows() const { return rowCount; }
    int64_t columns() const { return columnCount; }
    double at(int64_t row, int64_t column) const override;
    void means(int64_t rowBegin, int64_t columnBegin, int64_t rows, int64_t columns, int64_t cell, std::span<float> out,
               const std::atomic<bool>* cancel) const override;
    /// The mean over a block's cells inside the map, masked ones as 0; NaN where all are masked or a row has no values.
    double mean(int64_t rowBegin, int64_t rowEnd, int64_t columnBegin, int64_t columnEnd) const;
    /// f64 and f32 numbers that a map of this size holds.
    static int64_t heldBytes(int64_t rows, int64_t columns, int64_t rank);

  private:
    int64_t rowCount, columnCount, rank;
    bool causal;
    std::vector<float> left, right;
    std::vector<double> leftSums, rightSums; ///< [rows + 1, rank]: of all rows before
    std::vector<int64_t> undefined;          ///< [rows + 1]: rows without values before
};

} // namespace warplight::labs::linear
