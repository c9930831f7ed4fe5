// SPDX-License-Identifier: GPL-3.0-or-later
// The formulas of low-rank attention, head by head and some rows at a time, in f32 or f64. Products are Eigen's.
#include "core/sparse/low_rank_formula.h"

#include "core/cpu/parallel.h"
#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace warplight::sparse {
namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatView = Eigen::Map<const Matrix<float>>;

constexpr int64_t rowsAtOnce = 64; ///< of the longer side; their scores are at hand

/// Softmax along the rows. Weights of -inf are 0.
template <class T>
void softmaxRows(Matrix<T>& s) {
    for (int64_t i = 0; i < s.rows(); ++i) {
        const T max = s.row(i).maxCoeff();
        s.row(i) = (s.row(i).array() - max).exp();
        s.row(i) /= s.row(i).sum();
    }
}

/// Σ over rows of `matrix` [rank, rows] times the rows x [rows, columns].
template <class T>
Matrix<T> project(const float* matrix, int64_t rank, const float* x, int64_t rows, int64_t columns,
                  const std::atomic<bool>* cancel) {
    Matrix<T> out = Matrix<T>::Zero(rank, columns);
    const FloatView all(matrix, rank, rows), from(x, rows, columns);
    for (int64_t begin = 0; begin < rows; begin += rowsAtOnce) {
        checkCancelled(cancel);
        const int64_t many = std::min(rowsAtOnce, rows - begin);
        out.noalias() +=
            all.middleCols(begin, many).template cast<T>() * from.middleRows(begin, many).template cast<T>();
    }
    return out;
}

template <class T>
Matrix<T> meansOf(const float* x, int64_t rows, int64_t columns, int64_t segments) {
    Matrix<T> out = Matrix<T>::Zero(segments, columns);
    const FloatView from(x, rows, columns);
    for (int64_t s = 0; s < segments; ++s) {
        const int64_t begin = segmentBegin(s, segments, rows), end = segmentBegin(s + 1, segments, rows);
        out.row(s) =
            from.middleRows(begin, end - begin).template cast<T>().colwise().sum() / static_cast<T>(end - begin);
    }
    return out;
}

/// softmax(scale · q kᵀ) v for few k and v, into o.
template <class T>
void attendToFew(const cpu::AttentionProblem& p, int64_t head, const Matrix<T>& k, const Matrix<T>& v,
                 const std::atomic<bool>* cancel) {
    const FloatView q(p.q + head * p.queryLen * p.headDim, p.queryLen, p.headDim);
    Eigen::Map<Matrix<float>> o(p.o + head * p.queryLen * p.headDim, p.queryLen, p.headDim);
    for (int64_t begin = 0; begin < p.queryLen; begin += rowsAtOnce) {
        checkCancelled(cancel);
        const int64_t many = std::min(rowsAtOnce, p.queryLen - begin);
        Matrix<T> s = static_cast<T>(p.scale) * (q.middleRows(begin, many).template cast<T>() * k.transpose());
        softmaxRows(s);
        const Matrix<T> rows = s * v;
        o.middleRows(begin, many) = rows.template cast<float>();
    }
}

/// softmax(scale · q Kᵀ) V for few q, online over the keys: what has been gathered is rescaled as the maximum moves.
template <class T>
Matrix<T> attendFromFew(const cpu::AttentionProblem& p, const Matrix<T>& q, const float* k, const float* v,
                        const std::atomic<bool>* cancel) {
    using Column = Eigen::Array<T, Eigen::Dynamic, 1>;
    const FloatView keys(k, p.keyLen, p.headDim), values(v, p.keyLen, p.headDim);
    Matrix<T> out = Matrix<T>::Zero(q.rows(), p.headDim);
    Column max = Column::Constant(q.rows(), -std::numeric_limits<T>::infinity()), sum = Column::Zero(q.rows());
    for (int64_t begin = 0; begin < p.keyLen; begin += rowsAtOnce) {
        checkCancelled(cancel);
        const int64_t many = std::min(rowsAtOnce, p.keyLen - begin);
        Matrix<T> s = static_cast<T>(p.scale) * (q * keys.middleRows(begin, many).template cast<T>().transpose());
        const Column before = max;
        max = max.max(s.rowwise().maxCoeff().array());
        const Column factor = (before == -std::numeric_limits<T>::infinity()).select(T(0), (before - max).exp());
        s = (s.array().colwise() - max).exp();
        sum = sum * factor + s.rowwise().sum().array();
        out.array().colwise() *= factor;
        out.noalias() += s * values.middleRows(begin, many).template cast<T>();
    }
    out.array().colwise() /= sum;
    return out;
}

/// A⁺ w for one head.
template <class T>
Matrix<T> solve(const LowRankProblem& x, const Matrix<T>& q, const Matrix<T>& k, const Matrix<T>& w,
                const std::atomic<bool>* cancel) {
    constexpr int iterations = 6;
    Matrix<T> a = static_cast<T>(x.attention.scale) * (q * k.transpose());
    softmaxRows(a);
    const std::vector<double> z = pseudoInverse({a.data(), a.data() + a.size()}, x.rank,
                                                x.method == LowRankMethod::Nystrom ? 0 : iterations, cancel);
    const Eigen::Map<const Matrix<double>> inverse(z.data(), x.rank, x.rank);
    return (inverse * w.template cast<double>()).template cast<T>();
}

template <class T>
void oneHead(const LowRankProblem& x, int64_t head, const std::atomic<bool>* cancel) {
    const cpu::AttentionProblem& p = x.attention;
    const int64_t offset = keyHeadOf(p, head) * p.keyLen * p.headDim;
    const float *k = p.k + offset, *v = p.v + offset;
    if (x.method == LowRankMethod::Linformer)
        return attendToFew<T>(p, head, project<T>(x.e, x.rank, k, p.keyLen, p.headDim, cancel),
                              project<T>(x.f, x.rank, v, p.keyLen, p.headDim, cancel), cancel);
    const Matrix<T> keys = meansOf<T>(k, p.keyLen, p.headDim, x.rank);
    if (x.method == LowRankMethod::Pooling)
        return attendToFew<T>(p, head, keys, meansOf<T>(v, p.keyLen, p.headDim, x.rank), cancel);
    const Matrix<T> queries = meansOf<T>(p.q + head * p.queryLen * p.headDim, p.queryLen, p.headDim, x.rank);
    const Matrix<T> landmarks = attendFromFew<T>(p, queries, k, v, cancel);
    attendToFew<T>(p, head, keys, solve<T>(x, queries, keys, landmarks, cancel), cancel);
}

template <class T>
cpu::RunCost byFormula(const LowRankProblem& x, const cpu::RunOptions& options) {
    const int workers = cpu::workerCount(options.threads);
    cpu::parallelItems(x.attention.batch * x.attention.queryHeads, workers, options.cancel,
                       [&](int64_t head, int) { oneHead<T>(x, head, options.cancel); });
    return {formulaBytes(x, sizeof(T) == sizeof(double)) * workers, workers};
}

} // namespace

cpu::RunCost byFormulaInDouble(const LowRankProblem& x, const cpu::RunOptions& options) {
    return byFormula<double>(x, options);
}
cpu::RunCost byFormulaInSingle(const LowRankProblem& x, const cpu::RunOptions& options) {
    return byFormula<float>(x, options);
}

int64_t formulaBytes(const LowRankProblem& x, bool inDouble) {
    const int64_t small = saturatedProduct(x.rank, 5 * x.attention.headDim + rowsAtOnce * 2),
                  rows = rowsAtOnce * 4 * x.attention.headDim;
    return saturatedProduct(saturatedSum(small, rows), inDouble ? 8 : 4);
}

int64_t pseudoInverseBytes(int64_t rank) {
    constexpr int64_t matrices = 12; // A, its copies, U, V, what they are made from, and the result
    return saturatedProduct(matrices * static_cast<int64_t>(sizeof(double)), saturatedProduct(rank, rank));
}

std::vector<float> means(const float* rows, int64_t heads, int64_t count, int64_t columns, int64_t segments,
                         const cpu::RunOptions& options) {
    std::vector<float> out(static_cast<size_t>(heads * segments * columns));
    cpu::parallelItems(heads * segments, cpu::workerCount(options.threads), options.cancel, [&](int64_t item, int) {
        const int64_t head = item / segments, begin = segmentBegin(item % segments, segments, count),
                      end = segmentBegin(item % segments + 1, segments, count);
        std::vector<double> sums(static_cast<size_t>(columns));
        for (int64_t i = begin; i < end; ++i) {
            if (i % 1024 == 0)
                checkCancelled(options.cancel);
            const float* row = rows + (head * count + i) * columns;
            for (int64_t c = 0; c < columns; ++c)
                sums[static_cast<size_t>(c)] += static_cast<double>(row[c]);
        }
        for (int64_t c = 0; c < columns; ++c)
            out[static_cast<size_t>(item * columns + c)] =
                static_cast<float>(sums[static_cast<size_t>(c)] / static_cast<double>(end - begin));
    });
    return out;
}

void throughLandmarks(const LowRankProblem& x, const float* queries, const float* keys, const float* landmarks,
                      float* values, const std::atomic<bool>* cancel) {
    const int64_t d = x.attention.headDim;
    const auto in = [&](const float* from) { return Matrix<double>(FloatView(from, x.rank, d).cast<double>()); };
    const Matrix<double> found = solve<double>(x, in(queries), in(keys), in(landmarks), cancel);
    Eigen::Map<Matrix<float>>(values, x.rank, d) = found.cast<float>();
}

} // namespace warplight::sparse
