// SPDX-License-Identifier: GPL-3.0-or-later
// SSD as matrix products, of the same building blocks as chunked linear attention: C are queries, B keys, X values, and
// each step's decay is a number. A round takes as many chunks of all heads as fit into the caches: B is packed and
// states of chunks are summed up, all at once; then these are passed on from chunk to chunk; then all rows are read.
// The products of C and B are made once for the heads of a group. How a sum is made depends on the problem alone, not
// on the threads.
#include "core/cpu/attention/kernels.h"
#include "core/cpu/linear/kernels.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/ssd_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {

constexpr int64_t roundFloats = 1 << 18;   ///< of what the chunks of a round keep: 1 MiB
constexpr int64_t leastChunks = 4;         ///< of all heads at least, or there is nothing to do at once
constexpr int64_t rowsOfBlock = 96;        ///< that are read in one piece; whole strips
constexpr int64_t scoresOfBlock = 1 << 16; ///< floats that the scores of a block take at most, but for one strip
constexpr int64_t stepsOfBlock = 192;      ///< of B or X that are copied in one piece; a multiple of any panel
constexpr int64_t sliceFloats = 4096;      ///< of a state that is passed on by one worker

/// Sizes that follow from a shape and a vector's length.
struct Plan {
    int64_t chunk, chunks, perRound, columns, rows;
    int64_t panelFloats, valueFloats, stateFloats; ///< of a chunk: for each group, and twice for each head
    int64_t scoreStride, scoreFloats;              ///< of a block of rows
    bool padsValues;
};

Plan planOf(const SsdShape& s, int64_t chunk, int64_t lanes, int64_t panel) {
    Plan p{};
    p.columns = roundUp(s.headDim, lanes);
    p.padsValues = p.columns != s.headDim;
    p.chunk = std::clamp<int64_t>(chunk, 1, std::max<int64_t>(s.length, 1));
    p.chunks = ceilDiv(s.length, p.chunk);
    p.panelFloats = roundUp(p.chunk, panel) * s.stateDim;
    p.valueFloats = p.padsValues ? roundUp(p.chunk * p.columns, 16) : 0;
    p.stateFloats = roundUp(s.stateDim * p.columns, 16);
    p.scoreStride = roundUp(p.chunk, panel);
    p.rows = std::clamp(scoresOfBlock / p.scoreStride / stripRows * stripRows, stripRows, rowsOfBlock);
    p.scoreFloats = p.rows * p.scoreStride;
    const int64_t heads = std::max<int64_t>(s.allHeads(), 1), each = p.valueFloats + p.stateFloats;
    p.perRound = std::clamp<int64_t>(std::max(roundFloats / (heads * each), leastChunks / heads), 1,
                                     std::max<int64_t>(p.chunks, 1));
    return p;
}

class ChunkedRun {
  public:
    ChunkedRun(const SsdShape& shape, int64_t chunk, const SsdTensors& tensors, const RunOptions& o)
        : s(shape),
          t(tensors),
          options(o),
          plan(planOf(shape, chunk, kernel.lanes, kernel.panelWidth)),
          workers(workerCount(o.threads)),
          groups(s.batch * s.groups),
          heads(s.allHeads()) {
        decays = decaysOf(s, t, options, space);
        panels = space.take<float>(groups * plan.perRound * plan.panelFloats);
        padded = space.take<float>(heads * plan.perRound * plan.valueFloats);
        states = space.take<float>(heads * plan.perRound * plan.stateFloats);
        factors = space.take<float>(heads * plan.perRound);
        sums = space.take<float>(heads * plan.stateFloats);
        scores = space.take<float>(workers * plan.scoreFloats);
        scratch = space.take<float>(workers * scratchPerWorker());
        copies = space.take<float>(workers * copyFloats());
    }

    RunCost run() {
        parallelItems(heads, workers, options.cancel, [&](int64_t head, int) {
            if (t.initial)
                toRows(s, t.initial + head * s.headDim * s.stateDim, plan.columns, sums + head * plan.stateFloats);
            else
                std::fill_n(sums + head * plan.stateFloats, plan.stateFloats, 0.0f);
        });
        for (int64_t first = 0; first < plan.chunks; first += plan.perRound)
            round(first, std::min(plan.perRound, plan.chunks - first));
        parallelItems(t.last ? heads : 0, workers, options.cancel, [&](int64_t head, int) {
            fromRows(s, sums + head * plan.stateFloats, plan.columns, t.last + head * s.headDim * s.stateDim);
        });
        return {space.bytes(), workers};
    }

  private:
    int64_t scratchPerWorker() const { return scratchFloats(plan.chunk, plan.columns); }
    float* panelsOf(int64_t group, int64_t i) const { return panels + (group * plan.perRound + i) * plan.panelFloats; }
    int64_t slotOf(int64_t head, int64_t i) const { return head * plan.perRound + i; }
    /// The first number of a step of X or Y, and of B or C.
    int64_t atHead(int64_t head, int64_t step) const {
        return ((head / s.heads * s.length + step) * s.heads + head % s.heads) * s.headDim;
    }
    int64_t atGroup(int64_t group, int64_t step) const {
        return ((group / s.groups * s.length + step) * s.groups + group % s.groups) * s.stateDim;
    }
    int64_t groupOf(int64_t head) const { return head / s.perGroup(); }

    void round(int64_t first, int64_t chunks) {
        parallelItems((groups + heads) * chunks, workers, options.cancel, [&](int64_t item, int worker) {
            const int64_t unit = item / chunks, i = item % chunks;
            if (unit < groups)
                pack(unit, first + i, i, worker);
            else
                gather(unit - groups, first + i, i, worker);
        });
        const int64_t used = s.stateDim * plan.columns, slices = ceilDiv(used, sliceFloats);
        parallelItems(heads * slices, workers, options.cancel, [&](int64_t item, int) {
            const int64_t head = item / slices, begin = item % slices * sliceFloats;
            for (int64_t i = 0; i < chunks; ++i)
                kernel.passOn(states + slotOf(head, i) * plan.stateFloats + begin,
                              sums + head * plan.stateFloats + begin, factors[slotOf(head, i)],
                              std::min(sliceFloats, used - begin));
        });
        const int64_t blocks = ceilDiv(plan.chunk, plan.rows);
        parallelItems(groups * chunks * blocks, workers, options.cancel, [&](int64_t item, int worker) {
            const int64_t of = item / blocks, chunk = first + of % chunks, row = item % blocks * plan.rows;
            const int64_t rows = std::min({plan.rows, plan.chunk - row, s.length - chunk * plan.chunk - row});
            if (rows > 0)
                read(of / chunks, chunk, of % chunks, row, rows, worker);
        });
    }

    float* copyOf(int worker) const { return copies + worker * copyFloats(); }
    int64_t copyFloats() const { return stepsOfBlock * std::max(s.stateDim, plan.columns); }

    void pack(int64_t group, int64_t chunk, int64_t i, int worker) const {
        const int64_t begin = chunk * plan.chunk, steps = std::min(plan.chunk, s.length - begin);
        float* b = copyOf(worker);
        for (int64_t from = 0; from < steps; from += stepsOfBlock) {
            checkCancelled(options.cancel);
            const int64_t count = std::min(stepsOfBlock, steps - from);
            for (int64_t j = 0; j < count; ++j)
                std::copy_n(t.b + atGroup(group, begin + from + j), s.stateDim, b + j * s.stateDim);
            for (int64_t j = 0; j < count; j += kernel.panelWidth)
                kernel.packPanel(b + j * s.stateDim, std::min(kernel.panelWidth, count - j), s.stateDim,
                                 panelsOf(group, i) + (from + j) * s.stateDim);
        }
    }

    /// What a chunk adds to the state of a head, and what it leaves of that before it.
    void gather(int64_t head, int64_t chunk, int64_t i, int worker) const {
        const int64_t begin = chunk * plan.chunk, steps = std::min(plan.chunk, s.length - begin),
                      slot = slotOf(head, i);
        const float* decay = decays + head * s.length + begin;
        float *weights = scratch + worker * scratchPerWorker(), *faded = copyOf(worker);
        factors[slot] = 1;
        for (int64_t j = steps - 1; j >= 0; --j) { // what follows a step fades it
            weights[j] = factors[slot];
            factors[slot] *= decay[j];
        }
        for (int64_t from = 0; from < steps; from += stepsOfBlock) {
            checkCancelled(options.cancel);
            const int64_t count = std::min(stepsOfBlock, steps - from);
            float* kept = padded + slot * plan.valueFloats + from * plan.columns;
            for (int64_t j = 0; j < count; ++j) {
                const float* x = t.x + atHead(head, begin + from + j);
                for (int64_t c = 0; c < plan.columns; ++c)
                    faded[j * plan.columns + c] = c < s.headDim ? weights[from + j] * x[c] : 0;
                for (int64_t c = 0; plan.padsValues && c < plan.columns; ++c)
                    kept[j * plan.columns + c] = c < s.headDim ? x[c] : 0;
            }
            kernel.addOuter(t.b + atGroup(groupOf(head), begin + from), s.groups * s.stateDim, count, s.stateDim, faded,
                            plan.columns, plan.columns, from > 0, states + slot * plan.stateFloats, nullptr);
        }
    }
    int64_t valueStride() const { return plan.padsValues ? plan.columns : s.heads * s.headDim; }

    /// Rows of a chunk, of all heads of a group.
    void read(int64_t group, int64_t chunk, int64_t i, int64_t row, int64_t rows, int worker) const {
        const int64_t begin = chunk * plan.chunk;
        float* made = scores + worker * plan.scoreFloats;
        ChunkRows r{};
        r.q = t.c + atGroup(group, begin + row);
        r.qStride = s.groups * s.stateDim;
        r.rows = rows;
        r.features = s.stateDim;
        r.columns = plan.columns;
        r.first = row;
        r.panels = panelsOf(group, i);
        r.valueStride = valueStride();
        r.outputStride = s.heads * s.headDim;
        r.valueDim = s.headDim;
        r.scratch = scratch + worker * scratchPerWorker();
        kernel.scoreRows(r, made, plan.scoreStride);
        r.scores = made;
        r.scoreStride = plan.scoreStride;
        for (int64_t head = group * s.perGroup(); head < (group + 1) * s.perGroup(); ++head) {
            checkCancelled(options.cancel);
            const int64_t slot = slotOf(head, i);
            r.values = plan.padsValues ? padded + slot * plan.valueFloats : t.x + atHead(head, begin);
            r.decay = decays + head * s.length + begin;
            r.state = chunk > 0 || t.initial ? states + slot * plan.stateFloats : nullptr;
            r.o = t.y + atHead(head, begin + row);
            kernel.readRows(r);
        }
    }

    const SsdShape& s;
    const SsdTensors& t;
    const RunOptions& options;
    const LinearKernels& kernel = linearKernels();
    const Plan plan;
    const int workers;
    const int64_t groups, heads; ///< of all of the batch
    Workspace space;
    float *decays = nullptr, *panels = nullptr, *padded = nullptr, *states = nullptr, *factors = nullptr;
    float *sums = nullptr, *scores = nullptr, *scratch = nullptr, *copies = nullptr;
};

} // namespace

RunCost chunkedSsd(const SsdShape& shape, int64_t chunk, const SsdTensors& tensors, const RunOptions& options) {
    return ChunkedRun(shape, chunk, tensors, options).run();
}

int64_t chunkedSsdBytesAtMost(const SsdShape& s, int64_t chunk, int threads) {
    const Plan p = planOf(s, chunk, linearKernels().lanes, linearKernels().panelWidth);
    const int64_t workers = workerCount(threads), heads = s.allHeads();
    return buffers({floats(saturatedProduct(heads, s.length), 1),
                    floats(s.batch * s.groups * p.perRound, p.panelFloats),
                    floats(heads * p.perRound, p.valueFloats + p.stateFloats + 1), floats(heads, p.stateFloats),
                    floats(workers, p.scoreFloats + scratchFloats(p.chunk, p.columns) +
                                        stepsOfBlock * std::max(s.stateDim, p.columns))});
}

} // namespace warplight::cpu
