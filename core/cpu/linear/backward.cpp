// SPDX-License-Identifier: GPL-3.0-or-later
// The backward pass of rule add as four sums of the forward's kind. With a column of ones behind V, n_i = Σ_j≤i (φq_i ·
// φk_j) v_j holds the denominator D_i as its last number, and the gradient of n is g_i = [dO_i/D_i, -(dO_i · o_i)/D_i].
// Then dφq_i = Σ_j≤i (g_i · v_j) φk_j is linear attention of g, V and φK, and dφk_j = Σ_i≥j (v_j · g_i) φq_i and
// dv_j = Σ_i≥j (φk_j · φq_i) g_i are that of V, g, φQ and of φK, φQ, g, with time running backwards.
#include "core/cpu/linear/backward.h"

#include "core/cpu/linear/feature_map.h"
#include "core/cpu/linear/forms.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<LinearForm>, 4> infos{{
    {LinearForm::Reference, "reference", "double precision, step by step",
     "nothing: this is the formula that every other form is judged by"},
    {LinearForm::Parallel, "parallel", "all pairs of steps, four times", "rows are independent; pays with n² scores"},
    {LinearForm::Recurrent, "recurrent", "two states forth and two back, step by step",
     "n instead of n² work, and no state of a step is kept for the way back"},
    {LinearForm::Chunked, "chunked", "pairs within a chunk, states between chunks, forth and back",
     "matrix products again: four sums of the forward's kind"},
}};

constexpr int64_t rowsOfItem = 16;

/// The sum that all four are: no map, no division.
LinearShape sumOf(const LinearShape& s, int64_t queries, int64_t keys, int64_t dim, int64_t columns) {
    LinearShape sum = s;
    sum.map = FeatureMap::Identity;
    sum.scale = 1;
    sum.normalise = false;
    sum.queryLen = queries;
    sum.keyLen = keys;
    sum.headDim = dim;
    sum.valueDim = columns;
    return sum;
}

template <class T>
class Backward {
  public:
    Backward(LinearForm f, const LinearShape& shape, const LinearTensors<T>& tensors,
             const LinearGradients<T>& gradients, const RunOptions& o)
        : form(f), s(shape), t(tensors), g(gradients), options(o), map(shape), prepared(shape, tensors, o, space) {}

    RunCost run() {
        const int64_t queries = heads * s.queryLen, keys = heads * s.keyLen;
        const T *q = prepared.head(0).q, *k = prepared.head(0).k, *v = prepared.head(0).v;
        T *sums = space.take<T>(queries * c), *dn = space.take<T>(queries * c);
        add(sumOf(s, s.queryLen, s.keyLen, d, c), q, k, v, sums);
        rows(s.queryLen, [&](int64_t row, int64_t count) {
            for (int64_t r = row; r < row + count; ++r)
                gradientOfSum(sums + r * c, g.dOut + r * s.valueDim, dn + r * c);
        });
        T *dFeatures = space.take<T>(std::max(queries, keys) * d), *dValues = space.take<T>(keys * c);
        add(sumOf(s, s.queryLen, s.keyLen, c, d), dn, v, k, dFeatures);
        rows(s.queryLen, [&](int64_t row, int64_t count) {
            map.queryGradient(t.q + row * s.headDim, q + row * d, dFeatures + row * d, count, g.dq + row * s.headDim);
        });
        if (s.causal) { // a key is read by what comes after it
            q = reversed(q, s.queryLen, d);
            dn = reversed(dn, s.queryLen, c);
            k = reversed(k, s.keyLen, d);
            v = reversed(v, s.keyLen, c);
        }
        add(sumOf(s, s.keyLen, s.queryLen, c, d), v, dn, q, dFeatures);
        add(sumOf(s, s.keyLen, s.queryLen, d, c), k, q, dn, dValues);
        if (s.causal) {
            turn(dFeatures, s.keyLen, d);
            turn(dValues, s.keyLen, c);
            k = prepared.head(0).k;
        }
        writeKeys(k, dFeatures);
        rows(s.keyLen, [&](int64_t row, int64_t count) {
            for (int64_t r = row; r < row + count; ++r)
                std::copy_n(dValues + r * c, s.valueDim, g.dv + r * s.valueDim);
        });
        return {space.bytes() + most, prepared.workers};
    }

  private:
    void add(const LinearShape& shape, const T* q, const T* k, const T* v, T* o) {
        LinearTensors<T> of;
        of.q = q;
        of.k = k;
        of.v = v;
        of.o = o;
        most = std::max(most, runForm(form, shape, of, options).extraBytes);
    }

    template <class Work>
    void rows(int64_t length, const Work& work) const {
        const int64_t all = heads * length, items = ceilDiv(all, rowsOfItem);
        parallelItems(items, prepared.workers, options.cancel, [&](int64_t item, int) {
            work(item * rowsOfItem, std::min(rowsOfItem, all - item * rowsOfItem));
        });
    }

    /// g of a row, from its sums with the denominator behind them.
    void gradientOfSum(const T* sums, const T* dOut, T* to) const {
        const int64_t columns = s.valueDim;
        if (!s.normalise) {
            std::copy_n(dOut, columns, to);
            return;
        }
        const T divisor = sums[columns];
        T along = 0;
        for (int64_t x = 0; x < columns; ++x) {
            to[x] = dOut[x] / divisor;
            along += to[x] * (sums[x] / divisor);
        }
        to[columns] = -along;
    }

    void writeKeys(const T* k, const T* dFeatures) const {
        if (map.joinsKeys()) {
            parallelItems(heads, prepared.workers, options.cancel, [&](int64_t h, int) {
                const int64_t row = h * s.keyLen;
                map.keyGradient(t.k + row * s.headDim, k + row * d, dFeatures + row * d, s.keyLen,
                                g.dk + row * s.headDim);
            });
            return;
        }
        rows(s.keyLen, [&](int64_t row, int64_t count) {
            map.keyGradient(t.k + row * s.headDim, k + row * d, dFeatures + row * d, count, g.dk + row * s.headDim);
        });
    }

    T* reversed(const T* x, int64_t length, int64_t width) {
        T* to = space.take<T>(heads * length * width);
        rows(length, [&](int64_t row, int64_t count) {
            for (int64_t r = row; r < row + count; ++r) {
                const int64_t first = r / length * length;
                std::copy_n(x + r * width, width, to + (first + length - 1 - (r - first)) * width);
            }
        });
        return to;
    }
    void turn(T* x, int64_t length, int64_t width) const {
        for (int64_t h = 0; h < heads; ++h) {
            checkCancelled(options.cancel);
            for (int64_t a = 0, b = length - 1; a < b; ++a, --b)
                std::swap_ranges(x + (h * length + a) * width, x + (h * length + a + 1) * width,
                                 x + (h * length + b) * width);
        }
    }

    const LinearForm form;
    const LinearShape& s;
    const LinearTensors<T>& t;
    const LinearGradients<T>& g;
    const RunOptions& options;
    const Features<T> map;
    Workspace space;
    const Prepared<T> prepared;
    const int64_t heads = s.batch * s.heads, d = prepared.features, c = prepared.columns;
    int64_t most = 0;
};

/// In double precision, rounded once.
RunCost inDouble(const LinearShape& s, const LinearTensors<float>& t, const LinearGradients<float>& g,
                 const RunOptions& options) {
    Workspace space;
    const int64_t heads = s.batch * s.heads, q = heads * s.queryLen * s.headDim, k = heads * s.keyLen * s.headDim,
                  v = heads * s.keyLen * s.valueDim, o = heads * s.queryLen * s.valueDim;
    const auto widened = [&](const float* from, int64_t count) {
        double* to = space.take<double>(count);
        std::copy_n(from, count, to);
        return to;
    };
    LinearTensors<double> wide;
    wide.q = widened(t.q, q);
    wide.k = widened(t.k, k);
    wide.v = widened(t.v, v);
    const LinearGradients<double> made{widened(g.dOut, o), space.take<double>(q), space.take<double>(k),
                                       space.take<double>(v)};
    RunCost cost = Backward<double>(LinearForm::Recurrent, s, wide, made, options).run();
    const auto narrowed = [](const double* from, int64_t count, float* to) {
        std::transform(from, from + count, to, [](double x) { return static_cast<float>(x); });
    };
    narrowed(made.dq, q, g.dq);
    narrowed(made.dk, k, g.dk);
    narrowed(made.dv, v, g.dv);
    cost.extraBytes += space.bytes();
    return cost;
}

} // namespace

std::span<const RungInfo<LinearForm>> linearBackwardForms() { return infos; }

void checkBackwardShape(const LinearShape& s) {
    checkShape(s);
    if (s.rule != LinearRule::Add)
        throw InputError(fmt::format("there are no gradients of rule {}, expected rule add",
                                     linearRules()[static_cast<size_t>(s.rule)].name));
}

RunCost linearAttentionBackward(LinearForm form, const LinearShape& s, const LinearTensors<float>& t,
                                const LinearGradients<float>& g, const RunOptions& options) {
    checkBackwardShape(s);
    return form == LinearForm::Reference ? inDouble(s, t, g, options) : Backward<float>(form, s, t, g, options).run();
}

RunCost linearAttentionBackward(LinearForm form, const LinearShape& s, const LinearTensors<double>& t,
                                const LinearGradients<double>& g, const RunOptions& options) {
    checkBackwardShape(s);
    return Backward<double>(form, s, t, g, options).run();
}

int64_t backwardBytesAtMost(LinearForm form, const LinearShape& s, int threads) {
    const bool isReference = form == LinearForm::Reference;
    const LinearForm inner = isReference ? LinearForm::Recurrent : form;
    const int64_t heads = s.batch * s.heads, d = featureCount(s), c = s.valueDim + 1;
    const int64_t queries = saturatedProduct(heads, s.queryLen), keys = saturatedProduct(heads, s.keyLen);
    const auto sum = [&](int64_t dim, int64_t columns) {
        return std::max(extraBytesAtMost(inner, sumOf(s, s.queryLen, s.keyLen, dim, columns), threads),
                        extraBytesAtMost(inner, sumOf(s, s.keyLen, s.queryLen, dim, columns), threads));
    };
    const int64_t largest = std::max(sum(d, c), sum(c, d));
    const int64_t rows = s.causal ? 2 : 1; // and reversed
    const int64_t kept =
        buffers({floats(saturatedProduct(rows, queries), d + c), floats(saturatedProduct(rows, keys), d + c),
                 floats(queries, c), floats(std::max(queries, keys), d), floats(keys, c), largest,
                 isReference ? floats(queries + keys, 2 * s.headDim + s.valueDim) : 0});
    return isReference ? saturatedProduct(2, kept) : kept;
}

double backwardFlopsOf(LinearForm form, const LinearShape& s) {
    const LinearForm inner = form == LinearForm::Reference ? LinearForm::Recurrent : form;
    return 2 * flopsOf(inner, s) + 2 * flopsOf(inner, sumOf(s, s.keyLen, s.queryLen, featureCount(s), s.valueDim));
}

} // namespace warplight::cpu
