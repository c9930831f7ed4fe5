// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/cpu/run.h"

#include <cstdint>

namespace warplight::cpu {

/// The part of a gated attention unit that mixes tokens: out = (A V) ∘ gate. `shape.features` plays no part.
struct GauMixing {
    GauShape shape;
    const float* z = nullptr;                      ///< [batch, length, shared]: what queries and keys are views of
    const float *gamma = nullptr, *beta = nullptr; ///< [views, shared]
    const float* v = nullptr;                      ///< [batch, length, expanded]
    const float* gate = nullptr;                   ///< as v, and may be `out`; null: none
    float* out = nullptr;                          ///< as v
};

/// Where A is while it is needed: in memory, whole; a tile at a time; or, across chunks, nowhere.
enum class GauScores { InMemory, InTiles, InChunks };

/// The result has the same bits for any number of threads. Throws Cancelled.
RunCost mixTokens(GauScores scores, const GauMixing& mixing, const RunOptions& options);
/// What RunCost::extraBytes will be at most.
int64_t mixingBytesAtMost(GauScores scores, const GauShape& shape, int threads);

} // namespace warplight::cpu
