// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/linear_attention.h"

#include <cstdint>

namespace warplight::cpu {

/// Some rows of a chunk: what they read from the state before it and from the keys of the chunk.
struct ChunkRows {
    const float* q; ///< φ(Q) [rows, qStride]
    int64_t rows, features, columns, qStride;
    int64_t first;       ///< of the rows, in the chunk: row r sees the chunk's keys 0 … first + r
    const float* panels; ///< the chunk's φ(K), packed; null with `scores`: the rows see the state alone
    const float* scores; ///< [rows, scoreStride], what scoreRows made of q and panels; null: made here
    int64_t scoreStride;
    const float* values; ///< [keys, valueStride]
    int64_t valueStride;
    const float* decay; ///< of the chunk's steps; null: none
    const float* state; ///< [features, columns]; null: zero
    const float* z;     ///< [features]; null: not normalised, or zero with `state`
    bool normalise;
    float* o; ///< [rows, outputStride]
    int64_t outputStride, valueDim;
    float* scratch; ///< scratchFloats(keys of the rows, columns) of them
};

/// Building blocks of the chunked form, compiled once per instruction set.
struct LinearKernels {
    int64_t lanes;      ///< floats a vector: `columns` is a multiple
    int64_t panelWidth; ///< keys a panel of packed keys

    /// y = φ(root · x) of maps that look at one number at a time: elu1, relu, relu2, exp, identity.
    void (*mapEach)(FeatureMap map, const float* x, float root, int64_t count, float* y);
    /// Keys [keys ≤ panelWidth, features] into a panel [features, panelWidth]; missing ones become zeros.
    void (*packPanel)(const float* k, int64_t keys, int64_t features, float* panel);
    /// t [features, columns] (+)= kᵀ v and, unless it is null, z [features] (+)= Σ k, of `steps` rows.
    void (*addOuter)(const float* k, int64_t kStride, int64_t steps, int64_t features, const float* v, int64_t vStride,
                     int64_t columns, bool add, float* t, float* z);
    /// The sum so far into `t`, and what was there into the sum: t, sum = sum, factor · sum + t.
    void (*passOn)(float* t, float* sum, float factor, int64_t count);
    /// x[i] *= factor.
    void (*scale)(float* x, float factor, int64_t count);
    /// Products of each row with the keys it sees, in whole vectors of them: for several readRows that differ in values
    /// and decays. `stride` is at least first + rows, rounded up to panelWidth.
    void (*scoreRows)(const ChunkRows& rows, float* scores, int64_t stride);
    void (*readRows)(const ChunkRows& rows);
};

/// Strips of scores, of sums and of decays.
int64_t scratchFloats(int64_t keys, int64_t columns);

/// The best for this machine, or what useTarget() chose.
const LinearKernels& linearKernels();

} // namespace warplight::cpu
