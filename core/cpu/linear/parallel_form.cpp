// SPDX-License-Identifier: GPL-3.0-or-later
// All pairs of steps: masked and decayed scores, times values.
#include "core/cpu/linear/forms.h"
#include "core/cpu/linear/pairs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {
constexpr int64_t rowsOfItem = 8;
}

template <class T>
RunCost parallelForm(const LinearShape& s, const LinearTensors<T>& t, const RunOptions& options) {
    Workspace space;
    const Prepared<T> all(s, t, options, space);
    const Gates gates = gatesOf(s);
    const int64_t c = all.columns, d = all.features, length = std::max<int64_t>(s.keyLen, 1);
    const int64_t perWorker = roundUp(length + d + c, 16);
    T* scratch = space.take<T>(all.workers * perWorker);
    T* values = overwrites(s) ? space.take<T>(all.heads() * s.keyLen * c) : nullptr;
    parallelItems(values ? all.heads() : 0, all.workers, options.cancel, [&](int64_t h, int worker) {
        const Head<T> head = all.head(h);
        T* u = values + h * s.keyLen * c;
        std::copy_n(head.v, s.keyLen * c, u);
        T* weights = scratch + worker * perWorker;
        substitute(head, gates, 0, s.keyLen, u, weights, weights + length, options.cancel);
    });
    const int64_t items = ceilDiv(s.queryLen, rowsOfItem);
    parallelItems(all.heads() * items, all.workers, options.cancel, [&](int64_t item, int worker) {
        const int64_t h = item % all.heads(), first = (items - 1 - item / all.heads()) * rowsOfItem;
        const Head<T> head = all.head(h);
        const T* u = values ? values + h * s.keyLen * c : head.v;
        T *weights = scratch + worker * perWorker, *faded = weights + length, *o = faded + d;
        for (int64_t row = first; row < std::min(s.queryLen, first + rowsOfItem); ++row) {
            checkCancelled(options.cancel);
            const int64_t seen = s.causal ? row + 1 : s.keyLen;
            pairWeights(head, gates, head.q + row * d, seen - 1, 0, seen, weights, faded, false);
            std::fill_n(o, c, T{0});
            for (int64_t j = 0; j < seen; ++j)
                addTimes(weights[j], u + j * c, c, o);
            all.writeRow(h, row, o);
        }
    });
    if (t.state || t.z) { // a last row: what all keys left, one feature after the other
        T* state = space.take<T>(d * c);
        T* decayed = space.take<T>(d);
        for (int64_t h = 0; h < all.heads(); ++h) {
            const Head<T> head = all.head(h);
            const T* u = values ? values + h * s.keyLen * c : head.v;
            finalState(head, gates, 0, s.keyLen, u, state, decayed, options.cancel);
            all.writeState(h, state);
        }
    }
    return {space.bytes() + all.omegaBytes, all.workers};
}

template RunCost parallelForm(const LinearShape&, const LinearTensors<float>&, const RunOptions&);
template RunCost parallelForm(const LinearShape&, const LinearTensors<double>&, const RunOptions&);

} // namespace warplight::cpu
