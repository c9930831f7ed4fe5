// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/algebra/decomposition.h"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>

namespace warplight::algebra {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::BDCSVD<Matrix> decomposed(std::span<const double> matrix, int64_t rows, int64_t columns, unsigned options) {
    return Eigen::BDCSVD<Matrix>(Eigen::Map<const RowMajor>(matrix.data(), rows, columns), options);
}

} // namespace

std::vector<double> singularValues(std::span<const double> matrix, int64_t rows, int64_t columns) {
    if (!std::all_of(matrix.begin(), matrix.end(), [](double x) { return std::isfinite(x); }))
        return {};
    const auto svd = decomposed(matrix, rows, columns, 0);
    return {svd.singularValues().begin(), svd.singularValues().end()};
}

std::vector<double> pseudoInverse(std::span<const double> matrix, int64_t m) {
    const auto svd = decomposed(matrix, m, m, Eigen::ComputeFullU | Eigen::ComputeFullV);
    const Eigen::VectorXd& values = svd.singularValues();
    const double least = values(0) * static_cast<double>(m) * std::numeric_limits<double>::epsilon();
    const Eigen::VectorXd inverse = values.unaryExpr([&](double x) { return x > least ? 1 / x : 0.0; });
    const Matrix transposed = svd.matrixU() * inverse.asDiagonal() * svd.matrixV().transpose();
    return {transposed.data(), transposed.data() + transposed.size()}; // its columns are the inverse's rows
}

void orthonormaliseRows(double* rows, int64_t count, int64_t dim) {
    Eigen::Map<Matrix> columns(rows, dim, count); // what is row-major is the transpose, column-major
    const Eigen::HouseholderQR<Matrix> qr(columns);
    Matrix q = qr.householderQ() * Matrix::Identity(dim, count);
    for (int64_t i = 0; i < count; ++i)
        if (qr.matrixQR()(i, i) < 0)
            q.col(i) *= -1;
    columns = q;
}

} // namespace warplight::algebra
