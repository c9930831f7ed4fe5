// SPDX-License-Identifier: GPL-3.0-or-later
// The chunked form as matrix products. Where there are heads enough for all threads, each goes through its chunks by
// itself: the sum KᵀV of a chunk, the state before it, then its rows, which read that state and the pairs within.
// Otherwise a round takes as many chunks of all heads as fit into the caches: all sums at once, which are added up from
// chunk to chunk, then all rows at once. How a sum is made depends on the problem alone, not on the threads.
#include "core/cpu/linear/chunked_products.h"

#include "core/cpu/attention/kernels.h"
#include "core/cpu/linear/feature_map.h"
#include "core/cpu/linear/forms.h"
#include "core/cpu/linear/kernels.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace warplight::cpu {
namespace {

constexpr int64_t roundFloats = 1 << 20; ///< of what the chunks of a round keep: 4 MiB
constexpr int64_t chunksOfRound = 32;    ///< at most; of all heads together
constexpr int64_t leastChunks = 4;       ///< at least, or there is nothing to do at once
constexpr int64_t rowsOfBlock = 96;      ///< queries that are read in one piece; whole strips
constexpr int64_t stepsOfBlock = 192;    ///< keys that are mapped in one piece; a multiple of any panel
constexpr int64_t sliceFloats = 4096;    ///< of a state that is passed on by one worker

/// Sizes that follow from a shape and a vector's length.
struct Plan {
    int64_t heads, features, columns, chunk, chunks, perRound;
    int64_t panelFloats, valueFloats, stateFloats; ///< that a chunk of a round keeps
    bool padsValues;
};

Plan planOf(const LinearShape& s, int64_t lanes, int64_t panel) {
    Plan p{};
    p.heads = s.batch * s.heads;
    p.features = featureCount(s);
    p.columns = roundUp(s.valueDim, lanes);
    p.padsValues = p.columns != s.valueDim;
    p.chunk = std::clamp<int64_t>(s.chunk, 1, std::max<int64_t>(s.keyLen, 1));
    p.chunks = ceilDiv(s.keyLen, p.chunk);
    p.panelFloats = s.causal ? roundUp(p.chunk, panel) * p.features : 0;
    p.valueFloats = p.padsValues ? p.chunk * p.columns : 0;
    p.stateFloats = roundUp(p.features * (p.columns + 1), 16);
    const int64_t each = p.panelFloats + p.valueFloats + p.stateFloats, heads = std::max<int64_t>(p.heads, 1);
    const int64_t most = std::max(leastChunks, std::min(chunksOfRound, roundFloats / each));
    p.perRound = std::clamp<int64_t>(most / heads, 1, std::max<int64_t>(p.chunks, 1));
    return p;
}

/// Whether heads keep all workers busy without being divided.
bool headsGoAlone(const Plan& p, int64_t workers) { return p.heads % workers == 0 || p.heads >= 4 * workers; }

class ProductRun {
  public:
    ProductRun(const LinearShape& shape, const LinearTensors<float>& tensors, const RunOptions& o)
        : s(shape), t(tensors), options(o), workers(workerCount(o.threads)), map(shape) {
        const int64_t slots = headsGoAlone(plan, workers) ? workers : plan.heads * plan.perRound;
        kept = space.take<float>(slots * keptFloats());
        sums = space.take<float>(plan.heads * plan.stateFloats);
        std::fill_n(sums, plan.heads * plan.stateFloats, 0.0f);
        factors = space.take<float>(slots);
        mapped = space.take<float>(workers * mappedFloats());
        scratch = space.take<float>(workers * scratchPerWorker());
        if (map.joinsKeys())
            joined = space.take<float>(plan.heads * s.keyLen * plan.features);
        if (s.rule == LinearRule::Retention && !t.decay) {
            constants = space.take<float>(plan.heads * plan.chunk);
            for (int64_t h = 0; h < plan.heads; ++h)
                std::fill_n(constants + h * plan.chunk, plan.chunk, static_cast<float>(retentionDecay(h % s.heads)));
        }
    }

    RunCost run() {
        parallelItems(joined ? plan.heads : 0, workers, options.cancel, [&](int64_t h, int) {
            map.ofKeys(t.k + h * s.keyLen * s.headDim, s.keyLen, joined + h * s.keyLen * plan.features, options.cancel);
        });
        const bool alone = headsGoAlone(plan, workers);
        parallelItems(alone ? plan.heads : 0, workers, options.cancel, [&](int64_t h, int worker) { walk(h, worker); });
        for (int64_t first = 0; !alone && first < plan.chunks; first += plan.perRound)
            round(first, std::min(plan.perRound, plan.chunks - first));
        if (!s.causal) {
            const int64_t blocks = ceilDiv(s.queryLen, rowsOfBlock);
            parallelItems(plan.heads * blocks, workers, options.cancel, [&](int64_t item, int worker) {
                const int64_t h = item / blocks, begin = item % blocks * rowsOfBlock;
                read(h, begin, std::min(rowsOfBlock, s.queryLen - begin), sums + h * plan.stateFloats, worker);
            });
        }
        for (int64_t h = 0; h < plan.heads; ++h)
            writeState(h);
        return {space.bytes() + map.bytes(), workers};
    }

  private:
    int64_t keptFloats() const { return roundUp(plan.panelFloats + plan.valueFloats, 16) + plan.stateFloats; }
    int64_t mappedFloats() const { return roundUp(stepsOfBlock * plan.features, 16); }
    int64_t scratchPerWorker() const {
        return scratchFloats(s.causal ? plan.chunk : 0, plan.columns) + (decays() ? roundUp(plan.chunk, 16) : 0);
    }
    bool decays() const { return gatesOf(s).perStep == 1; }

    float* panels(int64_t slot) const { return kept + slot * keptFloats(); }
    float* padded(int64_t slot) const { return panels(slot) + plan.panelFloats; }
    float* state(int64_t slot) const { return kept + (slot + 1) * keptFloats() - plan.stateFloats; }
    const float* decaysOf(int64_t h, int64_t step) const {
        return !decays() ? nullptr : t.decay ? t.decay + h * s.keyLen + step : constants + h * plan.chunk;
    }
    const float* values(int64_t h, int64_t step) const { return t.v + (h * s.keyLen + step) * s.valueDim; }

    /// One head, chunk by chunk: what a chunk keeps stays in the first caches.
    void walk(int64_t h, int worker) const {
        for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
            gather(h, chunk, worker, worker);
            kernel.passOn(state(worker), sums + h * plan.stateFloats, factors[worker],
                          plan.features * (plan.columns + 1));
            const int64_t begin = chunk * plan.chunk, end = std::min(begin + plan.chunk, s.keyLen);
            for (int64_t row = begin; s.causal && row < end; row += rowsOfBlock)
                readChunk(h, chunk, worker, row, std::min(rowsOfBlock, end - row), worker);
        }
    }

    void round(int64_t first, int64_t chunks) {
        const int64_t items = plan.heads * chunks;
        parallelItems(items, workers, options.cancel, [&](int64_t item, int worker) {
            gather(item / chunks, first + item % chunks, slotOf(item, chunks), worker);
        });
        const int64_t used = plan.features * (plan.columns + 1), slices = ceilDiv(used, sliceFloats);
        parallelItems(plan.heads * slices, workers, options.cancel, [&](int64_t item, int) {
            const int64_t h = item / slices, begin = item % slices * sliceFloats,
                          count = std::min(sliceFloats, used - begin);
            for (int64_t i = 0; i < chunks; ++i) {
                const int64_t slot = h * plan.perRound + i;
                kernel.passOn(state(slot) + begin, sums + h * plan.stateFloats + begin, factors[slot], count);
            }
        });
        if (!s.causal)
            return;
        const int64_t blocks = ceilDiv(plan.chunk, rowsOfBlock);
        parallelItems(items * blocks, workers, options.cancel, [&](int64_t item, int worker) {
            const int64_t of = item / blocks, chunk = first + of % chunks, begin = chunk * plan.chunk;
            const int64_t row = begin + item % blocks * rowsOfBlock;
            const int64_t rows = std::min({rowsOfBlock, begin + plan.chunk - row, s.keyLen - row});
            if (rows > 0)
                readChunk(of / chunks, chunk, slotOf(of, chunks), row, rows, worker);
        });
    }
    int64_t slotOf(int64_t item, int64_t chunks) const { return item / chunks * plan.perRound + item % chunks; }

    /// φ of keys of a head, in the worker's own place.
    float* mapKeys(int64_t h, int64_t step, int64_t steps, int worker) const {
        float* to = mapped + worker * mappedFloats();
        const int64_t row = h * s.keyLen + step;
        if (joined)
            std::copy_n(joined + row * plan.features, steps * plan.features, to);
        else if (mapsEach())
            kernel.mapEach(s.map, t.k + row * s.headDim, root, steps * s.headDim, to);
        else
            map.ofKeys(t.k + row * s.headDim, steps, to);
        return to;
    }
    float* mapQueries(int64_t h, int64_t step, int64_t steps, int worker) const {
        float* to = mapped + worker * mappedFloats();
        const int64_t row = h * s.queryLen + step;
        if (mapsEach())
            kernel.mapEach(s.map, t.q + row * s.headDim, root, steps * s.headDim, to);
        else
            map.ofQueries(t.q + row * s.headDim, steps, to);
        return to;
    }
    bool mapsEach() const {
        return s.map == FeatureMap::Elu1 || s.map == FeatureMap::Relu || s.map == FeatureMap::Relu2 ||
               s.map == FeatureMap::Exp || s.map == FeatureMap::Identity;
    }

    /// A chunk's keys and values: packed for its own rows, and their sum.
    void gather(int64_t h, int64_t chunk, int64_t slot, int worker) const {
        const int64_t begin = chunk * plan.chunk, steps = std::min(plan.chunk, s.keyLen - begin);
        const float* decay = decaysOf(h, begin);
        float* weights = scratch + (worker + 1) * scratchPerWorker() - (decay ? roundUp(plan.chunk, 16) : 0);
        factors[slot] = 1;
        for (int64_t j = steps - 1; decay && j >= 0; --j) { // what follows a step fades it
            weights[j] = factors[slot];
            factors[slot] *= decay[j];
        }
        float* sum = state(slot);
        for (int64_t from = 0; from < steps; from += stepsOfBlock) {
            checkCancelled(options.cancel);
            const int64_t count = std::min(stepsOfBlock, steps - from);
            float* k = mapKeys(h, begin + from, count, worker);
            for (int64_t j = 0; s.causal && j < count; j += kernel.panelWidth)
                kernel.packPanel(k + j * plan.features, std::min(kernel.panelWidth, count - j), plan.features,
                                 panels(slot) + (from + j) * plan.features);
            for (int64_t j = 0; decay && j < count; ++j)
                kernel.scale(k + j * plan.features, weights[from + j], plan.features);
            const float* v = values(h, begin + from);
            if (plan.padsValues) {
                float* to = padded(slot) + from * plan.columns;
                for (int64_t j = 0; j < count; ++j) {
                    std::copy_n(v + j * s.valueDim, s.valueDim, to + j * plan.columns);
                    std::fill_n(to + j * plan.columns + s.valueDim, plan.columns - s.valueDim, 0.0f);
                }
                v = to;
            }
            kernel.addOuter(k, plan.features, count, plan.features, v, plan.columns, plan.columns, from > 0, sum,
                            sum + plan.features * plan.columns);
        }
    }

    ChunkRows rowsFrom(int64_t h, int64_t row, int64_t rows, const float* before, int worker) const {
        ChunkRows c{};
        c.q = mapQueries(h, row, rows, worker);
        c.rows = rows;
        c.features = c.qStride = plan.features;
        c.columns = plan.columns;
        c.state = before;
        c.z = before && s.normalise ? before + plan.features * plan.columns : nullptr;
        c.normalise = s.normalise;
        c.o = t.o + (h * s.queryLen + row) * s.valueDim;
        c.outputStride = c.valueDim = s.valueDim;
        c.scratch = scratch + worker * scratchPerWorker();
        return c;
    }

    /// Rows that see the state alone.
    void read(int64_t h, int64_t row, int64_t rows, const float* before, int worker) const {
        kernel.readRows(rowsFrom(h, row, rows, s.keyLen > 0 ? before : nullptr, worker));
    }

    void readChunk(int64_t h, int64_t chunk, int64_t slot, int64_t row, int64_t rows, int worker) const {
        checkCancelled(options.cancel);
        const int64_t begin = chunk * plan.chunk;
        ChunkRows c = rowsFrom(h, row, rows, chunk > 0 ? state(slot) : nullptr, worker);
        c.first = row - begin;
        c.panels = panels(slot);
        c.values = plan.padsValues ? padded(slot) : values(h, begin);
        c.valueStride = plan.columns;
        c.decay = decaysOf(h, begin);
        kernel.readRows(c);
    }

    void writeState(int64_t h) const {
        const float* sum = sums + h * plan.stateFloats;
        for (int64_t f = 0; t.state && f < plan.features; ++f)
            std::copy_n(sum + f * plan.columns, s.valueDim, t.state + (h * plan.features + f) * s.valueDim);
        if (t.z)
            std::copy_n(sum + plan.features * plan.columns, plan.features, t.z + h * plan.features);
    }

    const LinearShape& s;
    const LinearTensors<float>& t;
    const RunOptions& options;
    const LinearKernels& kernel = linearKernels();
    const int workers;
    const Features<float> map;
    const float root = static_cast<float>(std::sqrt(scaleOf(s)));
    const Plan plan = planOf(s, kernel.lanes, kernel.panelWidth);
    Workspace space;
    float *kept = nullptr, *sums = nullptr, *factors = nullptr, *mapped = nullptr, *scratch = nullptr;
    float *joined = nullptr, *constants = nullptr;
};

} // namespace

bool hasChunkProducts(const LinearShape& s) { return s.rule == LinearRule::Add || s.rule == LinearRule::Retention; }

RunCost chunkedByProducts(const LinearShape& shape, const LinearTensors<float>& tensors, const RunOptions& options) {
    return ProductRun(shape, tensors, options).run();
}

int64_t chunkedProductsBytesAtMost(const LinearShape& s, int threads) {
    const int64_t workers = workerCount(threads), slack = 16;
    const bool joins = s.map == FeatureMap::Softmax || (s.map == FeatureMap::Favor && s.normalise && !s.causal);
    const Plan p = planOf(s, linearKernels().lanes, linearKernels().panelWidth);
    const int64_t slots = headsGoAlone(p, workers) ? workers : p.heads * p.perRound;
    return buffers({floats(slots, p.panelFloats + p.valueFloats + p.stateFloats + slack),
                    floats(p.heads, p.stateFloats), floats(slots, 1),
                    floats(workers, stepsOfBlock * p.features + slack),
                    floats(workers, scratchFloats(s.causal ? p.chunk : 0, p.columns) + p.chunk + slack),
                    joins ? floats(saturatedProduct(p.heads, s.keyLen), p.features) : 0, floats(p.heads, p.chunk)});
}

} // namespace warplight::cpu
