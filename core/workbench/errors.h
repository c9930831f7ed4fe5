// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/tensor/tensor.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace warplight::workbench {

/// How far a tensor is from the exact one.
struct Errors {
    double largest = 0, mean = 0, rootMeanSquare = 0; ///< absolute; largest is NaN where one of the two is
    int64_t worstRow = 0;                             ///< along the last axis
    int64_t worst = 0;                                ///< index of the element
    std::vector<double> histogram; ///< elements by log10 of error over the row's largest |exact|; not finite: the last
};

/// Relative to the largest |exact| of the row: an output that cancels to nearly nothing is no error of its own.
/// Infinities of the same sign agree. Throws Cancelled.
Errors compareRows(const tensor::Tensor& made, const tensor::Tensor& exact, const std::atomic<bool>* cancel);

/// An empty histogram with the edges that Errors::histogram counts by.
lab::Histogram emptyErrorHistogram();

} // namespace warplight::workbench
