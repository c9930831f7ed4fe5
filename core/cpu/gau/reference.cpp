// SPDX-License-Identifier: GPL-3.0-or-later
// The unit in double precision, as plain loops. The linear part across chunks is written as weights of pairs, as its
// sums say, not as a state.
#include "core/cpu/gau/gau.h"
#include "core/cpu/gau/rungs.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace warplight::cpu {
namespace {

/// Of one sequence: gates, values, and all views of Z.
class Sequence {
  public:
    Sequence(const GauProblem& problem, const RunOptions& o, Workspace& workspace)
        : g(problem), p(problem.shape), options(o), workers(workerCount(o.threads)) {
        u = workspace.take<double>(p.length * p.expanded);
        v = workspace.take<double>(p.length * p.expanded);
        z = workspace.take<double>(p.length * p.shared);
        views = workspace.take<double>(p.length * p.views() * p.shared);
    }

    void project(int64_t sequence) {
        const float* x = g.x + sequence * p.length * p.features;
        const auto rows = [&](const float* w, int64_t out, double* to) {
            parallelItems(p.length, workers, options.cancel, [&](int64_t t, int) {
                for (int64_t i = 0; i < out; ++i) {
                    double sum = 0;
                    for (int64_t k = 0; k < p.features; ++k)
                        sum += static_cast<double>(x[t * p.features + k]) * static_cast<double>(w[k * out + i]);
                    to[t * out + i] = sum / (1 + std::exp(-sum));
                }
            });
        };
        rows(g.wu, p.expanded, u);
        rows(g.wv, p.expanded, v);
        rows(g.wz, p.shared, z);
        for (int64_t t = 0; t < p.length; ++t)
            for (int64_t i = 0; i < p.views() * p.shared; ++i)
                views[t * p.views() * p.shared + i] =
                    z[t * p.shared + i % p.shared] * static_cast<double>(g.gamma[i]) + static_cast<double>(g.beta[i]);
    }

    /// Row t of A, all of `length` numbers; how many of the first are seen.
    int64_t weights(int64_t t, double* a) const {
        const int64_t segment = t / p.segment(), first = segment * p.segment(),
                      end = p.causal ? t + 1 : std::min(p.length, first + p.segment());
        double sum = 0;
        std::fill_n(a, p.length, 0.0);
        double largest = 0; // of softmax: taken off before e^x
        for (int64_t j = first; j < end; ++j)
            if (p.function == GauFunction::Softmax)
                largest = j == first ? dot(t, 0, j, p.keyView()) : std::max(largest, dot(t, 0, j, p.keyView()));
        for (int64_t j = first; j < end; ++j)
            sum += a[j] = weightOf(p, dot(t, 0, j, p.keyView()) - largest, p.countedKeys(t));
        for (int64_t j = first; j < end && p.function == GauFunction::Softmax; ++j)
            a[j] /= sum;
        if (p.chunk == 0)
            return p.causal ? end : p.length;
        const int64_t all = p.causal ? first : p.length;
        for (int64_t j = 0; j < all; ++j)
            a[j] += dot(t, 1, j, 3) / static_cast<double>(all);
        return p.causal ? end : p.length;
    }

    void mix(const double* a, int64_t seen, double* m) const {
        std::fill_n(m, p.expanded, 0.0);
        for (int64_t j = 0; j < seen; ++j)
            for (int64_t i = 0; i < p.expanded; ++i)
                m[i] += a[j] * v[j * p.expanded + i];
    }

    double output(int64_t t, const double* m, int64_t i) const {
        double sum = 0;
        for (int64_t k = 0; k < p.expanded; ++k)
            sum += u[t * p.expanded + k] * m[k] * static_cast<double>(g.wo[k * p.features + i]);
        return sum;
    }

    double *u, *v, *z, *views;

  private:
    double dot(int64_t row, int64_t view, int64_t other, int64_t otherView) const {
        const double *a = views + (row * p.views() + view) * p.shared,
                     *b = views + (other * p.views() + otherView) * p.shared;
        double sum = 0;
        for (int64_t i = 0; i < p.shared; ++i)
            sum += a[i] * b[i];
        return sum;
    }

    const GauProblem& g;
    const GauShape& p;
    const RunOptions& options;
    const int workers;
};

} // namespace

RunCost referenceGau(const GauProblem& g, const RunOptions& options) {
    const GauShape& p = g.shape;
    const int workers = workerCount(options.threads);
    Workspace workspace;
    Sequence one(g, options, workspace);
    double* rows = workspace.take<double>(workers * (p.length + p.expanded));
    for (int64_t sequence = 0; sequence < p.batch; ++sequence) {
        one.project(sequence);
        parallelItems(p.length, workers, options.cancel, [&](int64_t t, int worker) {
            double *a = rows + worker * (p.length + p.expanded), *m = a + p.length;
            one.mix(a, one.weights(t, a), m);
            for (int64_t i = 0; i < p.features; ++i)
                g.y[(sequence * p.length + t) * p.features + i] = static_cast<float>(one.output(t, m, i));
        });
    }
    return {workspace.bytes(), workers};
}

GauTrace traceOf(const GauProblem& g, const RunOptions& options) {
    check(g.shape);
    const GauShape& p = g.shape;
    const auto numbers = [](int64_t count) { return std::vector<double>(static_cast<size_t>(count)); };
    Workspace workspace;
    Sequence one(g, options, workspace);
    one.project(0);
    GauTrace trace{{one.u, one.u + p.length * p.expanded},
                   {one.v, one.v + p.length * p.expanded},
                   numbers(p.length * p.length),
                   numbers(p.length * p.expanded),
                   numbers(p.length * p.features)};
    parallelItems(p.length, workerCount(options.threads), options.cancel, [&](int64_t t, int) {
        double *a = trace.attention.data() + t * p.length, *m = trace.mixed.data() + t * p.expanded;
        one.mix(a, one.weights(t, a), m);
        for (int64_t i = 0; i < p.features; ++i)
            trace.y[static_cast<size_t>(t * p.features + i)] = one.output(t, m, i);
    });
    return trace;
}

} // namespace warplight::cpu
