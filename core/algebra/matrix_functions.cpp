// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/algebra/matrix_functions.h"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <limits>
#include <unsupported/Eigen/MatrixFunctions>

namespace warplight::algebra {
namespace {

using Complex = std::complex<double>;
template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using View = Eigen::Map<const RowMajor<T>>;

template <class T>
std::vector<T> rowsOf(const RowMajor<T>& matrix) {
    return {matrix.data(), matrix.data() + matrix.size()};
}

/// Whether everything above the diagonal, or everything below it, is zero.
bool isTriangular(std::span<const double> matrix, int64_t n) {
    bool lower = true, upper = true;
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            if (matrix[static_cast<size_t>(i * n + j)] != 0) {
                lower = lower && j <= i;
                upper = upper && j >= i;
            }
    return lower || upper;
}

template <class T>
std::vector<T> solved(std::span<const T> matrix, int64_t n, std::span<const T> right, int64_t columns) {
    const Eigen::PartialPivLU<RowMajor<T>> lu(View<T>(matrix.data(), n, n));
    return rowsOf<T>(lu.solve(View<T>(right.data(), n, columns)));
}

} // namespace

std::vector<double> exponential(std::span<const double> matrix, int64_t n) {
    const RowMajor<double> result = View<double>(matrix.data(), n, n).exp();
    return rowsOf(result);
}

std::vector<Complex> eigenvalues(std::span<const double> matrix, int64_t n) {
    std::vector<Complex> values(static_cast<size_t>(n), std::numeric_limits<double>::quiet_NaN());
    if (!std::all_of(matrix.begin(), matrix.end(), [](double x) { return std::isfinite(x); }))
        return values;
    if (isTriangular(matrix, n)) {
        for (int64_t i = 0; i < n; ++i)
            values[static_cast<size_t>(i)] = matrix[static_cast<size_t>(i * n + i)];
        return values;
    }
    const Eigen::EigenSolver<Eigen::MatrixXd> solver(View<double>(matrix.data(), n, n), false);
    std::copy(solver.eigenvalues().begin(), solver.eigenvalues().end(), values.begin());
    return values;
}

std::vector<double> solve(std::span<const double> matrix, int64_t n, std::span<const double> right, int64_t columns) {
    return solved(matrix, n, right, columns);
}

std::vector<Complex> solve(std::span<const Complex> matrix, int64_t n, std::span<const Complex> right,
                           int64_t columns) {
    return solved(matrix, n, right, columns);
}

std::vector<double> product(std::span<const double> a, std::span<const double> b, int64_t n) {
    const RowMajor<double> result = View<double>(a.data(), n, n) * View<double>(b.data(), n, n);
    return rowsOf(result);
}

SkewDecomposition decomposeSkew(std::span<const double> matrix, int64_t n) {
    const RowMajor<Complex> hermitian = View<double>(matrix.data(), n, n).cast<Complex>() * Complex(0, -1);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXcd> solver(hermitian);
    const RowMajor<Complex> vectors = solver.eigenvectors();
    return {{solver.eigenvalues().begin(), solver.eigenvalues().end()}, rowsOf(vectors)};
}

} // namespace warplight::algebra
