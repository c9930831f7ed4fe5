// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/algebra/decomposition.h"
#include "core/error.h"
#include "core/sparse/low_rank.h"

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace warplight::sparse {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// a · b, some rows at a time.
Matrix product(const Matrix& a, const Matrix& b, const std::atomic<bool>* cancel) {
    constexpr int64_t operations = 1 << 24; // some 10 ms
    Matrix c(a.rows(), b.cols());
    const int64_t step = std::max<int64_t>(1, operations / std::max<int64_t>(1, a.cols() * b.cols()));
    for (int64_t begin = 0; begin < a.rows(); begin += step) {
        checkCancelled(cancel);
        const int64_t rows = std::min<int64_t>(step, a.rows() - begin);
        c.middleRows(begin, rows).noalias() = a.middleRows(begin, rows) * b;
    }
    return c;
}

Matrix iterated(const Matrix& a, int iterations, const std::atomic<bool>* cancel) {
    const int64_t m = a.rows();
    const double columns = a.cwiseAbs().colwise().sum().maxCoeff(), rows = a.cwiseAbs().rowwise().sum().maxCoeff();
    const Matrix one = Matrix::Identity(m, m);
    Matrix z = a.transpose() / (columns * rows);
    for (int i = 0; i < iterations; ++i) {
        const Matrix az = product(a, z, cancel);
        const Matrix inner = 15 * one - product(az, 7 * one - az, cancel);
        z = 0.25 * product(z, 13 * one - product(az, inner, cancel), cancel);
    }
    return z;
}

} // namespace

std::vector<double> pseudoInverse(const std::vector<double>& a, int64_t m, int iterations,
                                  const std::atomic<bool>* cancel) {
    checkCancelled(cancel);
    if (m == 0)
        return {};
    if (!std::all_of(a.begin(), a.end(), [](double x) { return std::isfinite(x); })) // a decomposition may not end
        return std::vector<double>(a.size(), std::numeric_limits<double>::quiet_NaN());
    if (iterations == 0)
        return algebra::pseudoInverse(a, m);
    const Matrix z = iterated(Eigen::Map<const Matrix>(a.data(), m, m), iterations, cancel);
    return {z.data(), z.data() + z.size()};
}

} // namespace warplight::sparse
