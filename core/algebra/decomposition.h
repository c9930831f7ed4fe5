// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Decompositions of dense matrices in f64, row-major; Eigen's. In one place, for they take long to compile.
namespace warplight::algebra {

/// The singular values of a matrix [rows, columns], largest first; empty where it holds a NaN or an infinity.
std::vector<double> singularValues(std::span<const double> matrix, int64_t rows, int64_t columns);

/// The Moore-Penrose inverse of a finite matrix [m, m], by its singular values: those below m · 2⁻⁵² of the largest
/// count as zero.
std::vector<double> pseudoInverse(std::span<const double> matrix, int64_t m);

/// Makes the `count` <= `dim` rows of a matrix [count, dim] orthonormal: of normal numbers, uniformly so among all that
/// are (Mezzadri 2007: the signs of R's diagonal).
void orthonormaliseRows(double* rows, int64_t count, int64_t dim);

} // namespace warplight::algebra
