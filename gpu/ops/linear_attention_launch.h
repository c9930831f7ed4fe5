// SPDX-License-Identifier: GPL-3.0-or-later
// What the launches of linear attention and the formulas of their bytes have in common.
#pragma once

#include "gpu/ops/linear_attention.h"

#include <algorithm>
#include <cstdint>

namespace warplight::gpu {

/// Tiles of the kernels.
constexpr int64_t recurrentColumns = 32, stateFeatures = 32, stateColumns = 64, mmaRows = 64, deltaColumns = 32;

/// Whether a rung's kernels apply a map themselves; of others features are written to memory first.
inline bool appliesItself(LinearRung rung, FeatureMap map) {
    return map == FeatureMap::Elu1 || map == FeatureMap::Relu || map == FeatureMap::Relu2 || map == FeatureMap::Exp ||
           map == FeatureMap::Identity || (map == FeatureMap::Cos && rung == LinearRung::Recurrent);
}

/// Chunks of the keys, at least 1.
inline int64_t chunksOf(const LinearShape& s) { return std::max<int64_t>(1, (s.keyLen + s.chunk - 1) / s.chunk); }

/// Whether states are worked out before queries are answered: not where all queries are in the first chunk.
inline bool needsStates(const LinearShape& s) { return !s.causal || chunksOf(s) > 1 || s.keepsState; }

/// Of the rules that overwrite: whether the state has a column for values of 1, and how many it has.
inline bool countsOnes(const LinearShape& s) { return s.normalised || s.keepsState; }
inline int64_t deltaColumnsOf(const LinearShape& s) { return s.valueDim + (countsOnes(s) ? 1 : 0); }

/// Queries that a block of linear_outputs answers.
inline int64_t outputRows(const LinearShape& s) { return std::min<int64_t>(s.chunk, 32); }

} // namespace warplight::gpu
