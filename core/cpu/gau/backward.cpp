// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients through squared-relu attention: products of n × n matrices, one sequence a thread.
#include "core/cpu/gau/backward.h"

#include "core/cpu/gau/kernels.h"
#include "core/cpu/matmul/matmul.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace warplight::cpu {
namespace {

class BackwardRun {
  public:
    BackwardRun(const GauMixing& m, const GauGradients& gradients, const RunOptions& o)
        : p(m.shape), mixing(m), g(gradients), options(o), workers(workerCount(o.threads)) {
        const int64_t keys = p.rows() * p.shared;
        for (float** each : {&q, &k, &dq, &dk})
            *each = workspace.take<float>(keys);
        squares = workspace.take<float>(workers * 3 * p.length * p.length);
        heldByWorker.resize(static_cast<size_t>(workers));
    }

    RunCost run() {
        parallelItems(p.batch, workers, options.cancel,
                      [&](int64_t sequence, int worker) { oneSequence(sequence, worker); });
        gradientsOfViews();
        int64_t held = 0;
        for (const int64_t each : heldByWorker)
            held += each;
        return {workspace.bytes() + held, workers};
    }

  private:
    /// Of a row's scores before the rectifier.
    float scaleOf(int64_t row) const {
        const double m = static_cast<double>(p.countedKeys(row));
        return static_cast<float>(p.function == GauFunction::Relu2 ? 1 / m
                                                                   : 1 / std::sqrt(m * static_cast<double>(p.shared)));
    }

    void multiply(const MatmulProblem& product, int worker) {
        int64_t& held = heldByWorker[static_cast<size_t>(worker)];
        held = std::max(held, matmul(MatmulRung::Packed, product, {1, options.cancel}).extraBytes);
    }

    void oneSequence(int64_t sequence, int worker) {
        const int64_t n = p.length, s = p.shared, e = p.expanded, first = sequence * n;
        float *rectified = squares + worker * 3 * n * n, *a = rectified + n * n, *ds = a + n * n;
        for (int64_t t = 0; t < n; ++t) {
            const float* z = mixing.z + (first + t) * s;
            kernel.view(z, mixing.gamma, mixing.beta, scaleOf(t), q + (first + t) * s, s);
            kernel.view(z, mixing.gamma + s, mixing.beta + s, 1, k + (first + t) * s, s);
        }
        const float *queries = q + first * s, *keys = k + first * s, *dm = g.dm + first * e;
        multiply({n, n, s, true, queries, keys, rectified}, worker);
        for (int64_t t = 0; t < n; ++t) {
            float *r = rectified + t * n, *weights = a + t * n;
            const int64_t seen = p.causal ? t + 1 : n;
            for (int64_t j = 0; j < n; ++j) {
                r[j] = j < seen ? std::max(r[j], 0.0f) : 0.0f;
                weights[j] = r[j] * r[j];
            }
        }
        multiply({n, e, n, false, a, dm, g.dv + first * e, true}, worker); // dV = Aᵀ dM
        multiply({n, n, e, true, dm, mixing.v + first * e, ds}, worker);   // dA = dM Vᵀ
        for (int64_t i = 0; i < n * n; ++i)
            ds[i] *= 2 * rectified[i]; // 0 behind the mask
        multiply({n, s, n, false, ds, keys, dq + first * s}, worker);
        multiply({n, s, n, false, ds, queries, dk + first * s, true}, worker); // with the scale that queries have
        for (int64_t t = 0; t < n; ++t) {
            float *to = dq + (first + t) * s, *from = dk + (first + t) * s, *dz = g.dz + (first + t) * s;
            const float scale = scaleOf(t);
            for (int64_t i = 0; i < s; ++i) {
                to[i] *= scale;
                dz[i] = to[i] * mixing.gamma[i] + from[i] * mixing.gamma[s + i];
            }
        }
    }

    void gradientsOfViews() const {
        const int64_t s = p.shared;
        std::fill_n(g.dGamma, 2 * s, 0.0f);
        std::fill_n(g.dBeta, 2 * s, 0.0f);
        for (int64_t row = 0; row < p.rows(); ++row)
            for (int64_t i = 0; i < s; ++i) {
                const float z = mixing.z[row * s + i], ofQuery = dq[row * s + i], ofKey = dk[row * s + i];
                g.dGamma[i] += ofQuery * z;
                g.dGamma[s + i] += ofKey * z;
                g.dBeta[i] += ofQuery;
                g.dBeta[s + i] += ofKey;
            }
    }

    const GauShape& p;
    const GauMixing& mixing;
    const GauGradients& g;
    const RunOptions& options;
    const int workers;
    const GauKernels& kernel = gauKernels();
    Workspace workspace;
    float *q = nullptr, *k = nullptr, *dq = nullptr, *dk = nullptr, *squares = nullptr;
    std::vector<int64_t> heldByWorker; ///< by products, each of one thread
};

} // namespace

RunCost gauBackward(const GauMixing& mixing, const GauGradients& gradients, const RunOptions& options) {
    const GauShape& p = mixing.shape;
    if (p.chunk > 0 || (p.function != GauFunction::Relu2 && p.function != GauFunction::Relu2Root))
        throw InputError("gau: gradients are those of relu2 and relu2-su without chunks, expected one of them");
    if (p.rows() == 0)
        return {};
    return BackwardRun(mixing, gradients, options).run();
}

int64_t gauBackwardBytesAtMost(const GauShape& p, int threads) {
    const int64_t workers = workerCount(threads), rows = saturatedProduct(p.batch, p.length);
    int64_t held = 0;
    const int64_t n = p.length, s = p.shared, e = p.expanded;
    for (MatmulProblem product :
         {MatmulProblem{n, n, s}, MatmulProblem{n, e, n}, MatmulProblem{n, n, e}, MatmulProblem{n, s, n}})
        held = std::max(held, extraBytesAtMost(MatmulRung::Packed, product, 1));
    const int64_t keys = floats(rows, s);
    return saturatedSum(buffers({keys, keys, keys, keys, floats(3 * workers, saturatedProduct(n, n))}),
                        saturatedProduct(workers, held));
}

} // namespace warplight::cpu
