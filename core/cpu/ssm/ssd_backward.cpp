// SPDX-License-Identifier: GPL-3.0-or-later
// Backwards through time: with h_t = e^{a_t} h_{t-1} + b_t x_tᵀ and y_t = h_tᵀ c_t,
//   g_t = c_t dy_tᵀ + e^{a_{t+1}} g_{t+1}        the gradient of h_t
//   dx_t = g_tᵀ b_t,  db_t = Σ g_t x_t,  dc_t = Σ h_t dy_t    over the heads of a group
//   da_t = e^{a_t} g_t · h_{t-1},  dinitial = e^{a_0} g_0
#include "core/cpu/ssm/ssd_backward.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/ssd_back_kernels.h"
#include "core/cpu/ssm/ssd_backward_rungs.h"
#include "core/cpu/ssm/ssd_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<SsdRung>, 3> rungs{{
    {SsdRung::Reference, "reference", "double precision, step by step",
     "nothing: this is the formula that every other rung is judged by"},
    {SsdRung::Recurrent, "recurrent", "states computed again, chunk by chunk, and step by step back",
     "of states only those at the beginnings of chunks are kept; each of a chunk is touched twice, in vectors"},
    {SsdRung::Chunked, "chunked", "pairs of steps within a chunk, states and their gradients between chunks",
     "matrix products; those of pairs with B and C are made once for all heads of a group"},
}};

constexpr int64_t keptSteps = 64; ///< from a state that is kept to the next

int64_t keptOf(const SsdShape& s) { return ceilDiv(s.length, keptSteps); }
int64_t againSteps(const SsdShape& s) { return std::min(s.length, keptSteps); }

/// Double precision, a group after the other.
class Reference {
  public:
    Reference(const SsdShape& shape, const SsdTensors& tensors, const SsdGradients& gradients, const RunOptions& o)
        : s(shape),
          t(tensors),
          g(gradients),
          options(o),
          workers(workerCount(o.threads)),
          size(s.headDim * s.stateDim) {
        shared = space.take<double>(workers * sharedDoubles(s));
        states = space.take<double>(workers * stateDoubles(s));
    }
    static int64_t sharedDoubles(const SsdShape& s) { return 2 * s.length * s.stateDim; }
    static int64_t stateDoubles(const SsdShape& s) { return (keptOf(s) + againSteps(s) + 2) * s.headDim * s.stateDim; }

    RunCost run() {
        parallelItems(s.batch * s.groups, workers, options.cancel, [&](int64_t group, int worker) {
            double *db = shared + worker * sharedDoubles(s), *dc = db + s.length * s.stateDim;
            std::fill_n(db, sharedDoubles(s), 0.0);
            for (int64_t head = group * s.perGroup(); head < (group + 1) * s.perGroup(); ++head)
                headBack(group, head, db, dc, states + worker * stateDoubles(s));
            for (int64_t step = 0; step < s.length; ++step)
                for (int64_t n = 0; n < s.stateDim; ++n) {
                    g.db[atGroup(group, step) + n] = static_cast<float>(db[step * s.stateDim + n]);
                    g.dc[atGroup(group, step) + n] = static_cast<float>(dc[step * s.stateDim + n]);
                }
        });
        return {space.bytes(), workers};
    }

  private:
    int64_t atHead(int64_t head, int64_t step) const {
        return (head / s.heads * s.length + step) * s.heads + head % s.heads;
    }
    int64_t atGroup(int64_t group, int64_t step) const {
        return ((group / s.groups * s.length + step) * s.groups + group % s.groups) * s.stateDim;
    }
    double decay(int64_t head, int64_t step) const {
        return step > 0 || t.initial ? std::exp(static_cast<double>(t.a[atHead(head, step)])) : 0;
    }
    void forward(int64_t group, int64_t head, int64_t step, const double* before, double* after) const {
        checkCancelled(options.cancel);
        const double factor = decay(head, step);
        const float *b = t.b + atGroup(group, step), *x = t.x + atHead(head, step) * s.headDim;
        for (int64_t i = 0; i < s.headDim; ++i)
            for (int64_t j = 0; j < s.stateDim; ++j)
                after[i * s.stateDim + j] =
                    factor * before[i * s.stateDim + j] + static_cast<double>(b[j]) * static_cast<double>(x[i]);
    }

    void headBack(int64_t group, int64_t head, double* db, double* dc, double* memory) const {
        double *kept = memory, *h = kept + keptOf(s) * size, *gradient = h + (againSteps(s) + 1) * size;
        for (int64_t i = 0; i < size; ++i)
            h[i] = t.initial ? static_cast<double>(t.initial[head * size + i]) : 0;
        for (int64_t step = 0; step < s.length; ++step) {
            if (step % keptSteps == 0)
                std::copy_n(h, size, kept + step / keptSteps * size);
            forward(group, head, step, h, h);
        }
        std::fill_n(gradient, size, 0.0);
        for (int64_t chunk = keptOf(s) - 1; chunk >= 0; --chunk) {
            const int64_t begin = chunk * keptSteps, steps = std::min(keptSteps, s.length - begin);
            std::copy_n(kept + chunk * size, size, h);
            for (int64_t i = 0; i < steps; ++i)
                forward(group, head, begin + i, h + i * size, h + (i + 1) * size);
            for (int64_t i = steps - 1; i >= 0; --i)
                stepBack(group, head, begin + i, h + i * size, gradient, db, dc);
        }
        for (int64_t i = 0; t.initial && i < size; ++i)
            g.dinitial[head * size + i] = static_cast<float>(gradient[i]);
    }

    /// `before` is the state before the step, behind which that after it lies; `gradient` has the decay behind it.
    void stepBack(int64_t group, int64_t head, int64_t step, const double* before, double* gradient, double* db,
                  double* dc) const {
        checkCancelled(options.cancel);
        const float *b = t.b + atGroup(group, step), *c = t.c + atGroup(group, step);
        const int64_t at = atHead(head, step);
        const double factor = decay(head, step), *after = before + size;
        double inner = 0;
        for (int64_t i = 0; i < s.headDim; ++i) {
            const auto x = static_cast<double>(t.x[at * s.headDim + i]),
                       dy = static_cast<double>(g.dy[at * s.headDim + i]);
            double dx = 0;
            for (int64_t j = 0; j < s.stateDim; ++j) {
                double& dh = gradient[i * s.stateDim + j];
                dh += static_cast<double>(c[j]) * dy;
                dx += static_cast<double>(b[j]) * dh;
                db[step * s.stateDim + j] += dh * x;
                dc[step * s.stateDim + j] += after[i * s.stateDim + j] * dy;
                inner += dh * before[i * s.stateDim + j];
                dh *= factor;
            }
            g.dx[at * s.headDim + i] = static_cast<float>(dx);
        }
        g.da[at] = factor == 0 ? 0 : static_cast<float>(factor * inner);
    }

    const SsdShape& s;
    const SsdTensors& t;
    const SsdGradients& g;
    const RunOptions& options;
    const int workers;
    const int64_t size; ///< of a state
    Workspace space;
    double *shared = nullptr, *states = nullptr;
};

/// All heads go back a chunk at a time, so that of dB and dC no more is kept of each than a chunk.
class Recurrent {
  public:
    Recurrent(const SsdShape& shape, const SsdTensors& tensors, const SsdGradients& gradients, const RunOptions& o)
        : s(shape),
          t(tensors),
          g(gradients),
          options(o),
          workers(workerCount(o.threads)),
          heads(s.allHeads()),
          columns(columnsOf(s)) {
        decays = decaysOf(s, t, options, space);
        kept = space.take<float>(heads * keptOf(s) * stateFloats());
        carried = space.take<float>(heads * stateFloats());
        parts = space.take<float>(heads * partFloats(s));
        states = space.take<float>(workers * workerFloats(s));
    }
    static int64_t columnsOf(const SsdShape& s) { return roundUp(s.headDim, ssdBackKernels().lanes); }
    static int64_t partFloats(const SsdShape& s) { return 2 * againSteps(s) * s.stateDim; }
    /// Its states, and rows of x, dy and dx.
    static int64_t workerFloats(const SsdShape& s) {
        return roundUp(((againSteps(s) + 1) * s.stateDim + 3) * columnsOf(s), 16);
    }

    RunCost run() {
        parallelItems(heads, workers, options.cancel, [&](int64_t head, int worker) { forward(head, worker); });
        for (int64_t chunk = keptOf(s) - 1; chunk >= 0; --chunk) {
            parallelItems(heads, workers, options.cancel,
                          [&](int64_t head, int worker) { headBack(head, chunk, worker); });
            sumHeads(chunk);
        }
        parallelItems(t.initial ? heads : 0, workers, options.cancel, [&](int64_t head, int) {
            const float* dh = carried + head * stateFloats();
            float* to = g.dinitial + head * s.headDim * s.stateDim;
            const float factor = s.length > 0 ? decays[head * s.length] : 0;
            fromRows(s, dh, columns, to);
            std::transform(to, to + s.headDim * s.stateDim, to, [factor](float x) { return factor * x; });
        });
        return {space.bytes(), workers};
    }

  private:
    int64_t stateFloats() const { return s.stateDim * columns; }
    int64_t atHead(int64_t head, int64_t step) const {
        return (head / s.heads * s.length + step) * s.heads + head % s.heads;
    }
    int64_t atGroup(int64_t group, int64_t step) const {
        return ((group / s.groups * s.length + step) * s.groups + group % s.groups) * s.stateDim;
    }
    float* rowsOf(int worker) const { return states + worker * workerFloats(s) + (againSteps(s) + 1) * stateFloats(); }
    /// A row of X or dY in whole vectors.
    const float* padded(const float* from, int64_t head, int64_t step, float* row) const {
        from += atHead(head, step) * s.headDim;
        if (columns == s.headDim)
            return from;
        std::fill(std::copy_n(from, s.headDim, row), row + columns, 0.0f);
        return row;
    }
    SsdAgain again(int64_t head, int64_t step, const float* before, float* after, int worker) const {
        return {before,
                after,
                s.stateDim,
                columns,
                decays[head * s.length + step],
                t.b + atGroup(head / s.perGroup(), step),
                padded(t.x, head, step, rowsOf(worker)),
                nullptr,
                nullptr};
    }

    void forward(int64_t head, int worker) const {
        float* h = states + worker * workerFloats(s);
        std::fill_n(carried + head * stateFloats(), stateFloats(), 0.0f);
        std::fill_n(h, stateFloats(), 0.0f);
        if (t.initial)
            toRows(s, t.initial + head * s.headDim * s.stateDim, columns, h);
        for (int64_t step = 0; step < s.length; ++step) {
            checkCancelled(options.cancel);
            if (step % keptSteps == 0)
                std::copy_n(h, stateFloats(), kept + (head * keptOf(s) + step / keptSteps) * stateFloats());
            kernel.again(again(head, step, h, h, worker));
        }
    }

    void headBack(int64_t head, int64_t chunk, int worker) const {
        const int64_t begin = chunk * keptSteps, steps = std::min(keptSteps, s.length - begin);
        float *h = states + worker * workerFloats(s), *x = rowsOf(worker), *dy = x + columns, *dx = dy + columns,
              *dc = parts + head * partFloats(s), *db = dc + againSteps(s) * s.stateDim;
        std::copy_n(kept + (head * keptOf(s) + chunk) * stateFloats(), stateFloats(), h);
        for (int64_t i = 0; i < steps; ++i) {
            checkCancelled(options.cancel);
            SsdAgain step = again(head, begin + i, h + i * stateFloats(), h + (i + 1) * stateFloats(), worker);
            step.dy = padded(g.dy, head, begin + i, dy);
            step.dc = dc + i * s.stateDim;
            kernel.again(step);
        }
        const float* decay = decays + head * s.length;
        for (int64_t i = steps - 1; i >= 0; --i) {
            checkCancelled(options.cancel);
            const int64_t now = begin + i, shared = atGroup(head / s.perGroup(), now), at = atHead(head, now);
            SsdBack step{carried + head * stateFloats(),
                         s.stateDim,
                         columns,
                         now + 1 < s.length ? decay[now + 1] : 0,
                         t.b + shared,
                         t.c + shared,
                         padded(t.x, head, now, x),
                         padded(g.dy, head, now, dy),
                         h + i * stateFloats(),
                         columns == s.headDim ? g.dx + at * s.headDim : dx,
                         db + i * s.stateDim,
                         0};
            kernel.back(step);
            if (columns != s.headDim)
                std::copy_n(dx, s.headDim, g.dx + at * s.headDim);
            g.da[at] = decay[now] == 0 ? 0 : decay[now] * step.inner;
        }
    }

    void sumHeads(int64_t chunk) const {
        const int64_t begin = chunk * keptSteps, steps = std::min(keptSteps, s.length - begin);
        parallelItems(s.batch * s.groups * steps, workers, options.cancel, [&](int64_t item, int) {
            const int64_t group = item / steps, i = item % steps, to = atGroup(group, begin + i);
            std::fill_n(g.db + to, s.stateDim, 0.0f);
            std::fill_n(g.dc + to, s.stateDim, 0.0f);
            for (int64_t head = group * s.perGroup(); head < (group + 1) * s.perGroup(); ++head) {
                const float *dc = parts + head * partFloats(s) + i * s.stateDim, *db = dc + againSteps(s) * s.stateDim;
                for (int64_t n = 0; n < s.stateDim; ++n) {
                    g.db[to + n] += db[n];
                    g.dc[to + n] += dc[n];
                }
            }
        });
    }

    const SsdShape& s;
    const SsdTensors& t;
    const SsdGradients& g;
    const RunOptions& options;
    const SsdBackKernels& kernel = ssdBackKernels();
    const int workers;
    const int64_t heads, columns;
    Workspace space;
    float *decays = nullptr, *kept = nullptr, *carried = nullptr, *parts = nullptr, *states = nullptr;
};

void refuseOthers(SsdRung rung) {
    if (std::none_of(rungs.begin(), rungs.end(), [rung](const auto& r) { return r.id == rung; }))
        throw InputError("there are no gradients of this rung of SSD");
}

} // namespace

std::span<const RungInfo<SsdRung>> ssdBackwardRungs() { return rungs; }

RunCost ssdBackward(SsdRung rung, const SsdShape& s, const SsdTensors& t, const SsdGradients& g,
                    const RunOptions& options) {
    checkShape(s);
    refuseOthers(rung);
    if (rung == SsdRung::Reference)
        return Reference(s, t, g, options).run();
    return rung == SsdRung::Chunked ? chunkedSsdBackward(s, t, g, options) : Recurrent(s, t, g, options).run();
}

int64_t ssdBackwardBytesAtMost(SsdRung rung, const SsdShape& s, int threads) {
    const int64_t workers = workerCount(threads), heads = s.allHeads();
    if (rung == SsdRung::Reference)
        return buffers(
            {floats(2 * workers, Reference::sharedDoubles(s)), floats(2 * workers, Reference::stateDoubles(s))});
    if (rung == SsdRung::Chunked)
        return chunkedSsdBackwardBytesAtMost(s, threads);
    const int64_t state = s.stateDim * Recurrent::columnsOf(s);
    return buffers({floats(heads, s.length), floats(saturatedProduct(heads, keptOf(s)), state), floats(heads, state),
                    floats(heads, Recurrent::partFloats(s)), floats(workers, Recurrent::workerFloats(s))});
}

double ssdBackwardFlopsOf(SsdRung rung, const SsdShape& s) {
    const auto steps = static_cast<double>(s.allHeads() * s.length), n = static_cast<double>(s.stateDim),
               p = static_cast<double>(s.headDim), q = static_cast<double>(backChunk(s)),
               shared = static_cast<double>(s.batch * s.groups * s.length);
    return rung == SsdRung::Chunked ? steps * (10 * n * p + 4 * n * p / q + 3 * q * p) + shared * 4 * q * n
                                    : 17 * steps * n * p;
}

} // namespace warplight::cpu
