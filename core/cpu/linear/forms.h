// SPDX-License-Identifier: GPL-3.0-or-later
// The forms behind linearAttention, and what all of them begin and end with.
#pragma once

#include "core/cpu/linear/feature_map.h"
#include "core/cpu/linear/linear_attention.h"
#include "core/cpu/workspace.h"

#include <cstdint>
#include <vector>

namespace warplight::cpu {

/// How a step's decay is kept: none, a number for all features, or one for each.
struct Gates {
    int64_t perStep = 0;
};
inline Gates gatesOf(const LinearShape& s) {
    const bool one = s.rule == LinearRule::Retention || s.rule == LinearRule::GatedDelta;
    return {s.rule == LinearRule::Gla ? featureCount(s) : one ? 1 : 0};
}
inline bool overwrites(const LinearShape& s) { return s.rule == LinearRule::Delta || s.rule == LinearRule::GatedDelta; }
/// Columns of the state: those of the values, and one for values of 1 where that is wanted.
template <class T>
int64_t columnsOf(const LinearShape& s, const LinearTensors<T>& t) {
    return s.valueDim + (s.normalise || t.z ? 1 : 0);
}

/// One head as the forms see it.
template <class T>
struct Head {
    const T *q, *k; ///< φ(Q) [queryLen, features], φ(K) [keyLen, features]
    const T* v;     ///< [keyLen, columns], the last of them 1 where there is a normaliser
    const T* decay; ///< [keyLen, perStep], null: none
    const T* beta;  ///< [keyLen], null: none
    int64_t queryLen, keyLen, features, columns;
};

/// Features, values with a column of ones and decays of all heads; the way back to O and the state.
template <class T>
class Prepared {
  public:
    Prepared(const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options, Workspace& space);

    int64_t heads() const { return s.batch * s.heads; }
    Head<T> head(int64_t h) const;
    /// Row of O from its unnormalised columns.
    void writeRow(int64_t h, int64_t row, const T* from) const;
    /// S and z from [features, columns].
    void writeState(int64_t h, const T* from) const;

    const int workers;
    const int64_t features, columns;
    int64_t omegaBytes = 0; ///< held by φ while it is made

  private:
    const LinearShape& s;
    const LinearTensors<T>& t;
    T *q, *k, *v, *decay = nullptr;
};

/// Any form but Reference, of a shape and tensors that have been checked.
template <class T>
RunCost runForm(LinearForm form, const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options);
template <class T>
RunCost parallelForm(const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options);
template <class T>
RunCost recurrentForm(const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options);
template <class T>
RunCost cumsumForm(const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options);
template <class T>
RunCost chunkedForm(const LinearShape& shape, const LinearTensors<T>& tensors, const RunOptions& options);

} // namespace warplight::cpu
