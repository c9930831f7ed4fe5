// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

/// Functions of square matrices [n, n] in f64, row-major; Eigen's, as those of decomposition.h.
namespace warplight::algebra {

/// e^M (Padé approximants with scaling and squaring).
std::vector<double> exponential(std::span<const double> matrix, int64_t n);

/// All n eigenvalues, in no particular order; those of a triangular matrix are its diagonal, to the bit. NaN where the
/// matrix holds a NaN or an infinity.
std::vector<std::complex<double>> eigenvalues(std::span<const double> matrix, int64_t n);

/// X of M X = R, where R and X are [n, columns] (LU with partial pivoting). Not finite where M has no inverse.
std::vector<double> solve(std::span<const double> matrix, int64_t n, std::span<const double> right, int64_t columns);
std::vector<std::complex<double>> solve(std::span<const std::complex<double>> matrix, int64_t n,
                                        std::span<const std::complex<double>> right, int64_t columns);

/// A B of two matrices.
std::vector<double> product(std::span<const double> a, std::span<const double> b, int64_t n);

/// S = V (i ω) V* of a skew-symmetric matrix.
struct SkewDecomposition {
    std::vector<double> frequencies;           ///< ω, ascending
    std::vector<std::complex<double>> vectors; ///< V [n, n], unitary: a column for each frequency
};
/// Reads the part below the diagonal.
SkewDecomposition decomposeSkew(std::span<const double> matrix, int64_t n);

} // namespace warplight::algebra
