// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace warplight::labs::linear {

/// The singular values of a matrix [rows, columns], row-major, largest first; empty where it holds a NaN or an
/// infinity.
std::vector<double> singularValues(std::span<const double> matrix, int64_t rows, int64_t columns);

/// How many singular values matter: e to the entropy of their shares (Roy and Vetterli, "The effective rank", EUSIPCO
/// 2007). Between 1 and their number; 0 of a matrix of zeros.
double effectiveRank(std::span<const double> singularValues);

/// The root of the sum of squares.
double norm(std::span<const double> values);

} // namespace warplight::labs::linear
