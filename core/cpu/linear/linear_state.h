// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/feature_map.h"
#include "core/cpu/linear/linear_attention.h"

#include <cstdint>
#include <span>
#include <vector>

namespace warplight::cpu {

/// S [features, columns] under a rule, fed with features.
template <class T>
class StateOf {
  public:
    StateOf(LinearRule rule, int64_t features, int64_t columns);

    /// Takes a key's features and its value. `decay`: none, a number or one a feature, as the rule has it; `beta` of
    /// rules that have none is not looked at.
    void step(const T* key, const T* value, const T* decay, T beta);
    /// o [columns] = qᵀ S.
    void read(const T* query, T* o) const;
    const T* data() const { return s.data(); }
    T* data() { return s.data(); }

  private:
    LinearRule rule;
    int64_t features, columns;
    std::vector<T> s, held;
    mutable std::vector<T> partial; ///< of a read: one state is not for several threads at once
};

extern template class StateOf<float>;
extern template class StateOf<double>;

/// The state of one head in double precision, step by step, for those who want to look at it: fed with keys and
/// queries as they are, maps and normalises them itself. Throws InputError for softmax, whose keys need all others.
class LinearState {
  public:
    /// `head` is for retention's decay where no other is given. Batch, heads and lengths of the shape do not matter.
    explicit LinearState(const LinearShape& shape, int64_t head = 0);

    int64_t features() const { return map.count(); }
    /// key [headDim], value [valueDim]; decay empty (retention: RetNet's), one number, or [features] (gla).
    void step(std::span<const double> key, std::span<const double> value, std::span<const double> decay = {},
              double beta = 1);
    /// o [valueDim] that a query [headDim] reads from the state as it is now.
    std::vector<double> read(std::span<const double> query) const;
    /// S [features, valueDim], row-major.
    std::vector<double> matrix() const;
    /// The same for values of 1: the normaliser's state [features].
    std::vector<double> normaliser() const;
    /// φ(k) of a key, φ(q) of a query: [features].
    std::vector<double> keyFeatures(std::span<const double> key) const;
    std::vector<double> queryFeatures(std::span<const double> query) const;

  private:
    LinearShape shape;
    Features<double> map;
    StateOf<double> state; ///< with a last column for values of 1
    double ownDecay;
};

} // namespace warplight::cpu
