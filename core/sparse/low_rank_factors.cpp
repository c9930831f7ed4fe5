// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sparse/low_rank_factors.h"

#include "core/error.h"
#include "core/sparse/low_rank_formula.h"
#include "core/tensor/random.h"
#include "gpu/host/memory_budget.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace warplight::sparse {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrixOf(const float* x, int64_t rows, int64_t columns) {
    return Eigen::Map<const FloatMatrix>(x, rows, columns).cast<double>();
}

std::vector<float> numbersOf(const Matrix& x) {
    std::vector<float> numbers(static_cast<size_t>(x.size()));
    std::copy(x.data(), x.data() + x.size(), numbers.begin());
    return numbers;
}

/// softmax(scale · a bᵀ) along its rows.
Matrix weights(const Matrix& a, const Matrix& b, double scale, const std::atomic<bool>* cancel) {
    Matrix s(a.rows(), b.rows());
    constexpr int64_t atOnce = 256;
    for (int64_t i = 0; i < a.rows(); i += atOnce) {
        checkCancelled(cancel);
        const int64_t many = std::min(atOnce, a.rows() - i);
        s.middleRows(i, many).noalias() = scale * a.middleRows(i, many) * b.transpose();
    }
    for (int64_t i = 0; i < s.rows(); ++i) {
        s.row(i) = (s.row(i).array() - s.row(i).maxCoeff()).exp();
        s.row(i) /= s.row(i).sum();
    }
    return s;
}

} // namespace

Factors factorsOf(const LowRankProblem& x, const std::atomic<bool>* cancel) {
    check(x);
    const cpu::AttentionProblem& p = x.attention;
    const int64_t n = p.queryLen, m = p.keyLen, d = p.headDim, r = x.rank;
    const auto scale = static_cast<double>(p.scale);
    const cpu::RunOptions options{1, cancel};
    const Matrix q = matrixOf(p.q, n, d), k = matrixOf(p.k, m, d);
    if (x.method == LowRankMethod::Linformer)
        return {numbersOf(weights(q, matrixOf(x.e, r, m) * k, scale, cancel)),
                numbersOf(matrixOf(x.f, r, m).transpose())};
    const Matrix keys = matrixOf(means(p.k, 1, m, d, r, options).data(), r, d), near = weights(q, keys, scale, cancel);
    if (x.method == LowRankMethod::Pooling) {
        Matrix right = Matrix::Zero(m, r);
        for (int64_t s = 0; s < r; ++s) {
            const int64_t begin = segmentBegin(s, r, m), end = segmentBegin(s + 1, r, m);
            right.block(begin, s, end - begin, 1).setConstant(1.0 / static_cast<double>(end - begin));
        }
        return {numbersOf(near), numbersOf(right)};
    }
    constexpr int iterations = 6;
    const Matrix queries = matrixOf(means(p.q, 1, n, d, r, options).data(), r, d),
                 a = weights(queries, keys, scale, cancel);
    const std::vector<double> inverse =
        pseudoInverse({a.data(), a.data() + a.size()}, r, x.method == LowRankMethod::Nystrom ? 0 : iterations, cancel);
    return {numbersOf(near * Eigen::Map<const Matrix>(inverse.data(), r, r)),
            numbersOf(weights(queries, k, scale, cancel).transpose())};
}

void fillProjection(std::span<float> matrix, Projection which, int64_t rank, uint64_t seed,
                    const std::atomic<bool>* cancel) {
    constexpr uint64_t firstStream = 5; // Q, K, V and masks take those before
    tensor::fillGaussian(matrix, seed, firstStream + (which == Projection::OfValues ? 1 : 0),
                         static_cast<float>(1 / std::sqrt(static_cast<double>(rank))), cancel);
}

int64_t factorBytes(int64_t queryLen, int64_t keyLen, int64_t headDim, int64_t rank) {
    const int64_t rows = saturatedSum(queryLen, keyLen);
    return saturatedProduct(rows, saturatedProduct(8, headDim + 4 * rank));
}

} // namespace warplight::sparse
