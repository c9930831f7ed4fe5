// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs within a chunk, the state from chunk to chunk.
#include "core/cpu/linear/forms.h"
#include "core/cpu/linear/pairs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {

/// One head, chunk by chunk.
template <class T>
class ChunkWalk {
  public:
    ChunkWalk(const LinearShape& shape, const Prepared<T>& prepared, const RunOptions& o, int64_t chunkLength, T* space)
        : s(shape),
          all(prepared),
          options(o),
          length(chunkLength),
          d(prepared.features),
          c(prepared.columns),
          state(space),
          added(state + d * c),
          u(added + d * c),
          weights(u + length * c),
          faded(weights + length),
          o(faded + d) {}

    static int64_t scratch(int64_t length, int64_t d, int64_t c) {
        return roundUp(2 * d * c + length * (c + 1) + d + c, 16);
    }

    void walk(int64_t h) {
        const Head<T> head = all.head(h);
        std::fill_n(state, d * c, T{0});
        for (int64_t begin = 0; begin < s.keyLen; begin += length) {
            const int64_t end = std::min(s.keyLen, begin + length);
            if (overwrites(s))
                recall(head, begin, end);
            const T* values = overwrites(s) ? u : head.v + begin * c;
            for (int64_t row = begin; s.causal && row < end; ++row)
                read(h, head, row, begin, row + 1, values);
            finalState(head, gates, begin, end, values, added, faded, options.cancel);
            for (int64_t f = 0; f < d; ++f)
                for (int64_t x = 0; x < c; ++x)
                    state[f * c + x] = faded[f] * state[f * c + x] + added[f * c + x];
        }
        for (int64_t row = 0; !s.causal && row < s.queryLen; ++row)
            read(h, head, row, 0, 0, nullptr);
        all.writeState(h, state);
    }

  private:
    /// u of a chunk: what is missing of its values, after what the state before it recalls.
    void recall(const Head<T>& head, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            checkCancelled(options.cancel);
            T* to = u + (i - begin) * c;
            std::copy_n(head.v + i * c, c, to);
            pairWeights(head, gates, head.k + i * d, i, begin, begin, weights, faded, true);
            for (int64_t f = 0; f < d; ++f)
                addTimes(-faded[f], state + f * c, c, to);
        }
        substitute(head, gates, begin, end, u, weights, faded, options.cancel);
    }

    void read(int64_t h, const Head<T>& head, int64_t row, int64_t begin, int64_t end, const T* values) {
        checkCancelled(options.cancel);
        pairWeights(head, gates, head.q + row * d, end - 1, begin, end, weights, faded, true);
        std::fill_n(o, c, T{0});
        for (int64_t f = 0; f < d; ++f)
            addTimes(faded[f], state + f * c, c, o);
        for (int64_t j = begin; j < end; ++j)
            addTimes(weights[j - begin], values + (j - begin) * c, c, o);
        all.writeRow(h, row, o);
    }

    const LinearShape& s;
    const Prepared<T>& all;
    const RunOptions& options;
    const Gates gates = gatesOf(s);
    const int64_t length, d, c;
    T *state, *added, *u, *weights, *faded, *o;
};

} // namespace

template <class T>
RunCost chunkedForm(const LinearShape& s, const LinearTensors<T>& t, const RunOptions& options) {
    Workspace space;
    const Prepared<T> all(s, t, options, space);
    const int64_t length = std::clamp<int64_t>(s.chunk, 1, std::max<int64_t>(s.keyLen, 1));
    const int64_t perWorker = ChunkWalk<T>::scratch(length, all.features, all.columns);
    T* scratch = space.take<T>(all.workers * perWorker);
    parallelItems(all.heads(), all.workers, options.cancel, [&](int64_t h, int worker) {
        ChunkWalk<T>(s, all, options, length, scratch + worker * perWorker).walk(h);
    });
    return {space.bytes() + all.omegaBytes, all.workers};
}

template RunCost chunkedForm(const LinearShape&, const LinearTensors<float>&, const RunOptions&);
template RunCost chunkedForm(const LinearShape&, const LinearTensors<double>&, const RunOptions&);

} // namespace warplight::cpu
