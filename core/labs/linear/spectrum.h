// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>

namespace warplight::labs::linear {

/// How many singular values matter: e to the entropy of their shares (Roy and Vetterli, "The effective rank", EUSIPCO
/// 2007). Between 1 and their number; 0 of a matrix of zeros.
double effectiveRank(std::span<const double> singularValues);

/// The root of the sum of squares.
double norm(std::span<const double> values);

} // namespace warplight::labs::linear
