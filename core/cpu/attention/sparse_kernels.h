// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/kernels.h"

#include <array>
#include <cstdint>

namespace warplight::cpu {

/// Neighbouring keys in a strip of scores.
struct KeySpan {
    int64_t column = 0;            ///< where their scores begin; what lies between two spans is no key
    int64_t keys = 0;              ///< how many
    int64_t firstHidden = 0;       ///< row r of the tile sees the first firstHidden + r of them only
    const float* values = nullptr; ///< [keys, valueStride]
    bool hidden = false;           ///< seen by no row, and yet multiplied: `values` are zeros
    /// [rows of the tile, bitWords], the lowest bit first: row r sees key j of the span where bit firstBit + j is set.
    /// Null: as far as firstHidden says.
    const uint64_t* bits = nullptr;
    int64_t bitWords = 0, firstBit = 0; ///< firstBit is a multiple of the lanes of a vector
    bool finite = true;                 ///< no value is infinite or NaN: a weight of 0 hides it
};

/// At most blockKeys keys from anywhere against a tile of queries.
struct KeyGroup {
    std::array<const float*, blockKeys> panels{}; ///< [headDim, lanes] each, see SparseKernels::packPanel
    std::array<KeySpan, blockKeys> spans{};
    int64_t panelCount = 0, spanCount = 0;
};

/// Building blocks of block-sparse attention beside those of kernels.h, compiled once per instruction set.
struct SparseKernels {
    /// Transposes up to `lanes` rows k [keys, headDim] into a panel [headDim, lanes]; missing ones become zeros.
    void (*packPanel)(const float* k, int64_t keys, int64_t headDim, float* panel);
    /// Scores, online softmax and output of a group, strip by strip, for `rows` rows. `lazyThreshold` as in BlockArgs.
    void (*groupOfKeys)(const KeyGroup& group, int64_t rows, int64_t headDim, int64_t valueStride, float lazyThreshold,
                        const RowState& state);
};

/// The best for this machine, or what useTarget() chose.
const SparseKernels& sparseKernels();

} // namespace warplight::cpu
