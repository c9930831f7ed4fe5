// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/packed_tokens.h"
#include "core/cpu/workspace.h"

#include <cstdint>

namespace warplight::cpu {

/// What chunks leave for the linear part: Σ keysᵀ · values, [shared, expanded], causal of what lies before each chunk,
/// else of all.
class ChunkStates {
  public:
    /// Takes the memory, does not sum up yet.
    ChunkStates(const PackedTokens& packed, Workspace& workspace);
    /// `scratch`: of each worker `scratchSize` floats, at least a row of keys.
    void make(int workers, float* scratch, int64_t scratchSize, const RunOptions& options) const;
    /// m [rows, columns] += q [rows, shared] · the state of a chunk.
    void read(int64_t sequence, int64_t segment, const float* q, int64_t rows, float* m) const;

    /// What the constructor takes at most.
    static int64_t bytesAtMost(const GauShape& shape);

  private:
    float* state(int64_t sequence, int64_t slot, int64_t panel) const;
    void sumUp(int64_t sequence, int64_t panel, float* keys, int64_t rowsAtOnce, const RunOptions& options) const;
    void add(int64_t sequence, int64_t index, int64_t panel, float* keys, int64_t rowsAtOnce, float* sum) const;

    const PackedTokens& tokens;
    const GauShape& p;
    const int64_t slots; ///< one for each chunk, or one
    float* states;
};

} // namespace warplight::cpu
