// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of the scan: its adjoint is a scan from the end.
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/scan/kernels.h"
#include "core/cpu/scan/scan.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <complex>
#include <cstdint>

namespace warplight::cpu {
namespace {

constexpr int64_t piece = 1 << 14; ///< steps that one thread takes at a time

float conjugate(float x) { return x; }
std::complex<float> conjugate(std::complex<float> x) { return {x.real(), -x.imag()}; }

template <class T>
class BackwardRun {
  public:
    BackwardRun(const ScanProblem& p, const ScanGradients& gradients, const RunOptions& o)
        : problem(p),
          n(p.shape.length),
          a(reinterpret_cast<const T*>(p.a)),
          h(reinterpret_cast<const T*>(p.h)),
          h0(reinterpret_cast<const T*>(p.h0)),
          dh(reinterpret_cast<const T*>(gradients.dh)),
          da(reinterpret_cast<T*>(gradients.da)),
          db(reinterpret_cast<T*>(gradients.db)),
          dh0(reinterpret_cast<T*>(gradients.dh0)),
          options(o),
          workers(workerCount(o.threads)) {}

    RunCost run(ScanRung rung) {
        const int64_t count = problem.shape.channels * n;
        T *decay = workspace.take<T>(count), *from = workspace.take<T>(count), *g = workspace.take<T>(count);
        pieces([&](int64_t row, int64_t begin, int64_t end) { // s counts from the end
            const T *rowA = a + row * n, *rowDh = dh + row * n;
            for (int64_t s = begin; s < end; ++s) {
                decay[row * n + s] = s == 0 ? T{0} : conjugate(rowA[n - s]);
                from[row * n + s] = rowDh[n - 1 - s];
            }
        });
        ScanProblem reversed{problem.shape, reinterpret_cast<const float*>(decay), reinterpret_cast<const float*>(from),
                             nullptr, reinterpret_cast<float*>(g)};
        const RunCost inner = scan(rung, reversed, options);
        pieces([&](int64_t row, int64_t begin, int64_t end) {
            for (int64_t t = begin; t < end; ++t) {
                const int64_t at = row * n + t;
                const T adjoint = g[row * n + n - 1 - t];
                if (db)
                    db[at] = adjoint;
                if (da) {
                    const T before = t > 0 ? h[at - 1] : h0 ? h0[row] : T{0};
                    da[at] = product(adjoint, conjugate(before));
                }
            }
            if (begin == 0 && dh0)
                dh0[row] = product(conjugate(a[row * n]), g[row * n + n - 1]);
        });
        return {workspace.bytes() + inner.extraBytes, workers};
    }

  private:
    template <class Work>
    void pieces(const Work& work) const {
        const int64_t each = ceilDiv(n, piece), together = std::max<int64_t>(1, piece / n), // rows of an item
            all = problem.shape.channels * each;
        parallelItems(ceilDiv(all, together), workers, options.cancel, [&](int64_t item, int) {
            for (int64_t i = item * together; i < std::min(all, (item + 1) * together); ++i)
                work(i / each, i % each * piece, std::min(n, (i % each + 1) * piece));
        });
    }

    const ScanProblem& problem;
    const int64_t n;
    const T *a, *h, *h0, *dh;
    T *da, *db, *dh0;
    const RunOptions& options;
    const int workers;
    Workspace workspace;
};

} // namespace

RunCost scanBackward(ScanRung rung, const ScanProblem& problem, const ScanGradients& gradients,
                     const RunOptions& options) {
    check(problem.shape);
    if (problem.shape.channels == 0)
        return {};
    if (problem.shape.length == 0) {
        if (gradients.dh0)
            std::fill_n(gradients.dh0, problem.shape.channels * problem.shape.parts(), 0.0f);
        return {};
    }
    return problem.shape.complex ? BackwardRun<std::complex<float>>(problem, gradients, options).run(rung)
                                 : BackwardRun<float>(problem, gradients, options).run(rung);
}

int64_t scanBackwardBytesAtMost(ScanRung rung, const ScanShape& s, int threads) {
    if (s.channels == 0 || s.length == 0)
        return 0;
    const int64_t each = floats(saturatedProduct(s.channels, s.parts()), s.length);
    return saturatedSum(buffers({each, each, each}), extraBytesAtMost(rung, s, threads));
}

} // namespace warplight::cpu
