// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/linear/forms.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {
constexpr int64_t blockRows = 16; ///< of one item: some milliseconds, however many features
}

template <class T>
Prepared<T>::Prepared(const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options,
                      Workspace& space)
    : workers(workerCount(options.threads)),
      features(featureCount(shape)),
      columns(columnsOf(shape, tensors)),
      s(shape),
      t(tensors),
      q(space.take<T>(heads() * s.queryLen * features)),
      k(space.take<T>(heads() * s.keyLen * features)),
      v(space.take<T>(heads() * s.keyLen * columns)) {
    const Features<T> map(s);
    omegaBytes = map.bytes();
    const auto inBlocks = [&](int64_t rows, const auto& work) {
        const int64_t blocks = ceilDiv(rows, blockRows);
        parallelItems(heads() * blocks, workers, options.cancel, [&](int64_t item, int) {
            const int64_t begin = item % blocks * blockRows;
            work(item / blocks * rows + begin, std::min(blockRows, rows - begin));
        });
    };
    inBlocks(s.queryLen,
             [&](int64_t row, int64_t rows) { map.ofQueries(t.q + row * s.headDim, rows, q + row * features); });
    if (map.joinsKeys())
        parallelItems(heads(), workers, options.cancel, [&](int64_t h, int) {
            map.ofKeys(t.k + h * s.keyLen * s.headDim, s.keyLen, k + h * s.keyLen * features, options.cancel);
        });
    inBlocks(s.keyLen, [&](int64_t row, int64_t rows) {
        if (!map.joinsKeys())
            map.ofKeys(t.k + row * s.headDim, rows, k + row * features);
        for (int64_t r = row; r < row + rows; ++r) {
            std::copy_n(t.v + r * s.valueDim, s.valueDim, v + r * columns);
            std::fill_n(v + r * columns + s.valueDim, columns - s.valueDim, T{1});
        }
    });
    if (s.rule == LinearRule::Retention && !t.decay) {
        decay = space.take<T>(heads() * s.keyLen);
        for (int64_t h = 0; h < heads(); ++h)
            std::fill_n(decay + h * s.keyLen, s.keyLen, static_cast<T>(retentionDecay(h % s.heads)));
    }
}

template <class T>
Head<T> Prepared<T>::head(int64_t h) const {
    const int64_t perStep = gatesOf(s).perStep;
    const T* factors = perStep == 0 ? nullptr : decay ? decay : t.decay;
    return {q + h * s.queryLen * features,
            k + h * s.keyLen * features,
            v + h * s.keyLen * columns,
            factors ? factors + h * s.keyLen * perStep : nullptr,
            overwrites(s) ? t.beta + h * s.keyLen : nullptr,
            s.queryLen,
            s.keyLen,
            features,
            columns};
}

template <class T>
void Prepared<T>::writeRow(int64_t h, int64_t row, const T* from) const {
    T* to = t.o + (h * s.queryLen + row) * s.valueDim;
    for (int64_t c = 0; c < s.valueDim; ++c)
        to[c] = s.normalise ? from[c] / from[s.valueDim] : from[c];
}

template <class T>
void Prepared<T>::writeState(int64_t h, const T* from) const {
    for (int64_t f = 0; f < features; ++f, from += columns) {
        if (t.state)
            std::copy_n(from, s.valueDim, t.state + (h * features + f) * s.valueDim);
        if (t.z)
            t.z[h * features + f] = from[s.valueDim];
    }
}

template class Prepared<float>;
template class Prepared<double>;

} // namespace warplight::cpu
