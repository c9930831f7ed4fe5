// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of SSD as matrix products. With S = C Bᵀ, W = dY Xᵀ and L of the decays, all of a chunk, the state H before
// it and the gradient G of that after it, f_i what the chunk has faded before it at row i, r_j what fades row j up to
// the chunk's end:
//   dX = (S ∘ L)ᵀ dY + r B G,  dB = (W ∘ L)ᵀ C + r X Gᵀ,  dC = (W ∘ L) B + f dY Hᵀ
// The gradient of a decay's logarithm is what all pairs (j < t ≤ i) around it add to the loss: of the chunk's own pairs
// S ∘ L ∘ W, of its rows with what came before or comes after, and of both of these with one another. These are sums,
// never differences of running ones. W ∘ L is summed over the heads of a group before it meets B and C.
#include "core/cpu/linear/kernels.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/ssd_back_kernels.h"
#include "core/cpu/ssm/ssd_backward_rungs.h"
#include "core/cpu/ssm/ssd_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace warplight::cpu {
namespace {

constexpr int64_t stripRows = 6; ///< that a product with a triangle takes at once

/// Sizes that follow from a shape and a vector's length.
struct Plan {
    int64_t chunk, chunks, q, p, n; ///< steps of a chunk, P and N, in whole vectors
    int64_t stateFloats;            ///< [headDim, n]
    int64_t workerFloats;
};

Plan planOf(const SsdShape& s) {
    const int64_t lanes = ssdBackKernels().lanes, vector = 16;
    Plan p{};
    p.chunk = backChunk(s);
    p.chunks = ceilDiv(s.length, p.chunk);
    p.q = roundUp(p.chunk, lanes), p.p = roundUp(s.headDim, lanes), p.n = roundUp(s.stateDim, lanes);
    p.stateFloats = roundUp(s.headDim * p.n, vector);
    const int64_t shared = 5 * p.chunk * p.n + s.stateDim * p.q, pairs = 4 * p.chunk * p.q,
                  rows = 2 * s.headDim * p.q + 2 * p.chunk * p.p, vectors = 6 * p.q;
    p.workerFloats = roundUp(shared + pairs + rows + vectors, vector);
    return p;
}

class ChunkedBack {
  public:
    ChunkedBack(const SsdShape& shape, const SsdTensors& tensors, const SsdGradients& gradients, const RunOptions& o)
        : s(shape),
          t(tensors),
          g(gradients),
          options(o),
          plan(planOf(shape)),
          workers(workerCount(o.threads)),
          groups(s.batch * s.groups),
          heads(s.allHeads()) {
        decays = decaysOf(s, t, options, space);
        before = space.take<float>(heads * plan.chunks * plan.stateFloats);
        after = space.take<float>(heads * plan.chunks * plan.stateFloats);
        factors = space.take<float>(heads * plan.chunks);
        sums = space.take<float>(heads * plan.stateFloats);
        memory = space.take<float>(workers * plan.workerFloats);
    }

    RunCost run() {
        eachChunk([this](int64_t group, int64_t chunk, int worker) { gather(group, chunk, worker); });
        parallelItems(heads, workers, options.cancel, [this](int64_t head, int) { passOn(head); });
        eachChunk([this](int64_t group, int64_t chunk, int worker) { gradientsOf(group, chunk, worker); });
        return {space.bytes(), workers};
    }

  private:
    /// What a worker has of a chunk.
    struct Room {
        float *b, *c, *db, *dc, *inter, *bT;                           ///< [chunk, n], and [N, q]
        float *scores, *faded, *pairs, *weights;                       ///< [chunk, q]
        float *xT, *dxT, *dy, *dx;                                     ///< [P, q] twice, [chunk, p] twice
        float *fading, *columns, *towards, *from, *ofBefore, *ofAfter; ///< [q]
    };
    Room roomOf(int worker) const {
        float* at = memory + worker * plan.workerFloats;
        const auto take = [&at](int64_t count) { return std::exchange(at, at + count); };
        const int64_t n = plan.chunk * plan.n, q = plan.chunk * plan.q, p = plan.chunk * plan.p;
        Room r{};
        for (float** each : {&r.b, &r.c, &r.db, &r.dc, &r.inter})
            *each = take(n);
        r.bT = take(s.stateDim * plan.q);
        for (float** each : {&r.scores, &r.faded, &r.pairs, &r.weights})
            *each = take(q);
        r.xT = take(s.headDim * plan.q), r.dxT = take(s.headDim * plan.q);
        r.dy = take(p), r.dx = take(p);
        for (float** each : {&r.fading, &r.columns, &r.towards, &r.from, &r.ofBefore, &r.ofAfter})
            *each = take(plan.q);
        return r;
    }

    template <class Work>
    void eachChunk(const Work& work) {
        parallelItems(groups * plan.chunks, workers, options.cancel,
                      [&](int64_t item, int worker) { work(item / plan.chunks, item % plan.chunks, worker); });
    }
    int64_t stepsOf(int64_t chunk) const { return std::min(plan.chunk, s.length - chunk * plan.chunk); }
    int64_t slotOf(int64_t head, int64_t chunk) const { return head * plan.chunks + chunk; }
    int64_t atHead(int64_t head, int64_t step) const {
        return (head / s.heads * s.length + step) * s.heads + head % s.heads;
    }
    int64_t atGroup(int64_t group, int64_t step) const {
        return ((group / s.groups * s.length + step) * s.groups + group % s.groups) * s.stateDim;
    }

    /// Rows of B, C or dY in whole vectors.
    static void copyRows(const float* from, int64_t stride, int64_t steps, int64_t count, int64_t columns, float* to) {
        for (int64_t i = 0; i < steps; ++i)
            std::fill(std::copy_n(from + i * stride, count, to + i * columns), to + (i + 1) * columns, 0.0f);
    }
    /// [steps, count], rows `stride` apart, to [count, q].
    void transpose(const float* from, int64_t stride, int64_t steps, int64_t count, float* to) const {
        for (int64_t n = 0; n < count; ++n) {
            for (int64_t i = 0; i < steps; ++i)
                to[n * plan.q + i] = from[i * stride + n];
            std::fill(to + n * plan.q + steps, to + (n + 1) * plan.q, 0.0f);
        }
    }

    /// Products of decays: `towards` from the chunk's beginning to a row, `from` behind a row to the end.
    float fadings(int64_t head, int64_t chunk, const Room& r) const {
        const float* decay = decays + head * s.length + chunk * plan.chunk;
        const int64_t steps = stepsOf(chunk);
        std::partial_sum(decay, decay + steps, r.towards, [](float x, float y) { return x * y; });
        r.from[steps - 1] = 1;
        for (int64_t i = steps - 1; i > 0; --i)
            r.from[i - 1] = r.from[i] * decay[i];
        return r.towards[steps - 1];
    }

    /// What a chunk adds to the state behind it and to the gradient of that before it.
    void gather(int64_t group, int64_t chunk, int worker) const {
        const Room r = roomOf(worker);
        const int64_t begin = chunk * plan.chunk, steps = stepsOf(chunk), stride = s.groups * s.stateDim;
        copyRows(t.b + atGroup(group, begin), stride, steps, s.stateDim, plan.n, r.b);
        copyRows(t.c + atGroup(group, begin), stride, steps, s.stateDim, plan.n, r.c);
        for (int64_t head = group * s.perGroup(); head < (group + 1) * s.perGroup(); ++head) {
            checkCancelled(options.cancel);
            const int64_t slot = slotOf(head, chunk);
            factors[slot] = fadings(head, chunk, r);
            outer(t.x, head, begin, steps, r.from, r.b, r.dx, before + slot * plan.stateFloats);
            outer(g.dy, head, begin, steps, r.towards, r.c, r.dx, after + slot * plan.stateFloats);
        }
    }
    /// Σ weight · row of X or dY · row of B or C, [P, n].
    void outer(const float* rows, int64_t head, int64_t begin, int64_t steps, const float* weights, const float* shared,
               float* faded, float* to) const {
        for (int64_t i = 0; i < steps; ++i) {
            const float* row = rows + atHead(head, begin + i) * s.headDim;
            std::transform(row, row + s.headDim, faded + i * plan.p, [w = weights[i]](float x) { return w * x; });
        }
        kernel.multiply({faded, 1, plan.p, shared, plan.n, to, plan.n, s.headDim, steps, plan.n, false});
    }

    /// Sums of chunks to states before, and to gradients behind them.
    void passOn(int64_t head) const {
        const int64_t size = s.headDim * s.stateDim, used = s.headDim * plan.n;
        float* sum = sums + head * plan.stateFloats;
        std::fill_n(sum, used, 0.0f);
        if (t.initial)
            copyRows(t.initial + head * size, s.stateDim, s.headDim, s.stateDim, plan.n, sum);
        for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
            checkCancelled(options.cancel);
            const int64_t slot = slotOf(head, chunk);
            linear.passOn(before + slot * plan.stateFloats, sum, factors[slot], used);
        }
        std::fill_n(sum, used, 0.0f);
        for (int64_t chunk = plan.chunks - 1; chunk >= 0; --chunk) {
            checkCancelled(options.cancel);
            const int64_t slot = slotOf(head, chunk);
            linear.passOn(after + slot * plan.stateFloats, sum, factors[slot], used);
        }
        for (int64_t p = 0; t.initial && p < s.headDim; ++p)
            std::copy_n(sum + p * plan.n, s.stateDim, g.dinitial + head * size + p * s.stateDim);
    }

    void gradientsOf(int64_t group, int64_t chunk, int worker) const {
        const Room r = roomOf(worker);
        const int64_t begin = chunk * plan.chunk, steps = stepsOf(chunk), at = atGroup(group, begin),
                      stride = s.groups * s.stateDim;
        copyRows(t.b + at, stride, steps, s.stateDim, plan.n, r.b);
        copyRows(t.c + at, stride, steps, s.stateDim, plan.n, r.c);
        transpose(t.b + at, stride, steps, s.stateDim, r.bT);
        kernel.multiply({r.c, plan.n, 1, r.bT, plan.q, r.scores, plan.q, steps, s.stateDim, plan.q, false});
        std::fill_n(r.weights, steps * plan.q, 0.0f);
        std::fill_n(r.db, steps * plan.n, 0.0f);
        std::fill_n(r.dc, steps * plan.n, 0.0f);
        for (int64_t head = group * s.perGroup(); head < (group + 1) * s.perGroup(); ++head) {
            checkCancelled(options.cancel);
            headOf(head, chunk, r);
        }
        addBehind(r.weights, steps, r.c, plan.n, r.db);
        addBefore(r.weights, steps, r.b, plan.n, r.dc);
        for (int64_t i = 0; i < steps; ++i) {
            std::copy_n(r.db + i * plan.n, s.stateDim, g.db + at + i * stride);
            std::copy_n(r.dc + i * plan.n, s.stateDim, g.dc + at + i * stride);
        }
    }

    void headOf(int64_t head, int64_t chunk, const Room& r) const {
        const int64_t begin = chunk * plan.chunk, steps = stepsOf(chunk), stride = s.heads * s.headDim,
                      at = atHead(head, begin) * s.headDim;
        const float *decay = decays + head * s.length + begin, *x = t.x + at, *dy = g.dy + at,
                    *h = before + slotOf(head, chunk) * plan.stateFloats,
                    *dh = after + slotOf(head, chunk) * plan.stateFloats;
        const bool begins = chunk > 0 || t.initial, goesOn = chunk + 1 < plan.chunks;
        const float whole = fadings(head, chunk, r);
        copyRows(dy, stride, steps, s.headDim, plan.p, r.dy);
        transpose(x, stride, steps, s.headDim, r.xT);
        kernel.multiply({dy, stride, 1, r.xT, plan.q, r.pairs, plan.q, steps, s.headDim, plan.q, false});
        std::fill_n(r.fading, plan.q, 0.0f);
        for (int64_t i = 0; i < steps; ++i)
            kernel.weigh({i, decay[i], r.scores + i * plan.q, r.fading, r.pairs + i * plan.q, r.faded + i * plan.q,
                          r.weights + i * plan.q});

        std::fill_n(r.ofBefore, steps, 0.0f);
        std::fill_n(r.ofAfter, steps, 0.0f);
        std::fill_n(r.dx, steps * plan.p, 0.0f);
        if (begins)
            addState(dy, stride, steps, h, r.towards, r.c, r, r.dc, r.ofBefore);
        if (goesOn) {
            addState(x, stride, steps, dh, r.from, r.b, r, r.db, r.ofAfter);
            kernel.multiply({dh, plan.n, 1, r.bT, plan.q, r.dxT, plan.q, s.headDim, s.stateDim, plan.q, false});
            for (int64_t i = 0; i < steps; ++i)
                for (int64_t p = 0; p < s.headDim; ++p)
                    r.dx[i * plan.p + p] = r.from[i] * r.dxT[p * plan.q + i];
        }
        addBehind(r.faded, steps, r.dy, plan.p, r.dx);
        for (int64_t i = 0; i < steps; ++i)
            std::copy_n(r.dx + i * plan.p, s.headDim, g.dx + at + i * stride);

        const float across = begins && goesOn ? whole * kernel.addRow(h, 0, dh, s.headDim * plan.n, nullptr) : 0;
        decaysBack(head, begin, steps, across, r);
    }

    /// weight_i · row_i · state, [P, n], to `to`; what this adds to the loss, by its product with `shared`, to `loss`.
    void addState(const float* rows, int64_t stride, int64_t steps, const float* state, const float* weights,
                  const float* shared, const Room& r, float* to, float* loss) const {
        kernel.multiply({rows, stride, 1, state, plan.n, r.inter, plan.n, steps, s.headDim, plan.n, false});
        for (int64_t i = 0; i < steps; ++i)
            loss[i] = weights[i] *
                      kernel.addRow(r.inter + i * plan.n, weights[i], shared + i * plan.n, plan.n, to + i * plan.n);
    }

    void decaysBack(int64_t head, int64_t begin, int64_t steps, float across, const Room& r) const {
        std::fill_n(r.columns, plan.q, 0.0f);
        std::partial_sum(r.ofAfter, r.ofAfter + steps, r.ofAfter); // of rows up to this one
        float behind = 0;                                          // of rows from this one on
        for (int64_t i = steps - 1; i >= 0; --i) {
            behind += r.ofBefore[i];
            const float own = kernel.sumPairs(r.pairs + i * plan.q, i, r.columns),
                        sum = own + behind + (i > 0 ? r.ofAfter[i - 1] : 0) + across;
            g.da[atHead(head, begin + i)] = decays[head * s.length + begin + i] == 0 ? 0 : sum;
        }
    }

    /// to_j += Σ_{i ≥ j} pairs_ij rows_i. What lies above the diagonal is not looked at: 0 · NaN would be seen.
    void addBehind(const float* pairs, int64_t steps, const float* rows, int64_t columns, float* to) const {
        for (int64_t j = 0; j < steps; j += stripRows) {
            const int64_t count = std::min(stripRows, steps - j), next = j + count;
            if (next < steps)
                kernel.multiply({pairs + next * plan.q + j, 1, plan.q, rows + next * columns, columns, to + j * columns,
                                 columns, count, steps - next, columns, true});
            for (int64_t k = j; k < next; ++k)
                kernel.multiply({pairs + k * plan.q + k, 1, plan.q, rows + k * columns, columns, to + k * columns,
                                 columns, 1, next - k, columns, true});
        }
    }
    /// to_i += Σ_{j ≤ i} pairs_ij rows_j.
    void addBefore(const float* pairs, int64_t steps, const float* rows, int64_t columns, float* to) const {
        for (int64_t i = 0; i < steps; i += stripRows) {
            const int64_t count = std::min(stripRows, steps - i);
            kernel.multiply(
                {pairs + i * plan.q, plan.q, 1, rows, columns, to + i * columns, columns, count, i, columns, true});
            for (int64_t k = i; k < i + count; ++k)
                kernel.multiply({pairs + k * plan.q + i, plan.q, 1, rows + i * columns, columns, to + k * columns,
                                 columns, 1, k - i + 1, columns, true});
        }
    }

    const SsdShape& s;
    const SsdTensors& t;
    const SsdGradients& g;
    const RunOptions& options;
    const SsdBackKernels& kernel = ssdBackKernels();
    const LinearKernels& linear = linearKernels();
    const Plan plan;
    const int workers;
    const int64_t groups, heads; ///< of all of the batch
    Workspace space;
    float *decays = nullptr, *factors = nullptr, *sums = nullptr, *memory = nullptr;
    float *before = nullptr, *after = nullptr; ///< of each chunk: H before it, G behind it, [P, n]
};

} // namespace

RunCost chunkedSsdBackward(const SsdShape& shape, const SsdTensors& tensors, const SsdGradients& gradients,
                           const RunOptions& options) {
    return ChunkedBack(shape, tensors, gradients, options).run();
}

int64_t chunkedSsdBackwardBytesAtMost(const SsdShape& s, int threads) {
    const Plan p = planOf(s);
    const int64_t heads = s.allHeads(), chunks = saturatedProduct(heads, p.chunks);
    return buffers({floats(heads, s.length), floats(chunks, p.stateFloats), floats(chunks, p.stateFloats),
                    floats(chunks, 1), floats(heads, p.stateFloats), floats(workerCount(threads), p.workerFloats)});
}

} // namespace warplight::cpu
