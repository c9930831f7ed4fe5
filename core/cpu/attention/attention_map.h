// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace warplight::cpu {

/// The attention map P = softmax(scale · Q Kᵀ + mask) of one head, never held as a matrix: every function streams over
/// tiles of Q Kᵀ and recomputes P = exp(S - lse), as the backward pass of FlashAttention does.
/// q [queryLen, headDim], k [keyLen, headDim], f32, contiguous; not owned. Causal is aligned bottom-right.
struct MapProblem {
    int64_t queryLen = 0, keyLen = 0, headDim = 0;
    float scale = 0;
    bool causal = false;
    const float* q = nullptr;
    const float* k = nullptr;
};

/// One pass over Q Kᵀ: lse[queryLen] and entropyBits[queryLen] (Shannon entropy of each row in bits: from the online
/// sums Σe^(s-m) and Σe^(s-m)·s, so that no second pass is needed). A row without keys: lse -inf, entropy 0; one whose
/// scores hold a NaN or +inf: both NaN.
/// `rowsDone` is told how many rows are finished, from one thread at a time.
void mapStatistics(const MapProblem& problem, std::span<float> lse, std::span<float> entropyBits, int threads,
                   const std::atomic<bool>* cancel, const std::function<void(int64_t)>& rowsDone = {});

/// How the cells of a coarse level stand for the cells below them.
enum class Pooling { Max, Mean };

/// What the second pass leaves: pooled maps of cell × cell blocks, and marginals that need P itself.
struct MapSummary {
    int64_t cell = 0;             ///< edge of a pooled block: a power of two
    int64_t rows = 0, cols = 0;   ///< ceil(queryLen / cell), ceil(keyLen / cell)
    std::vector<float> maxPooled; ///< [rows, cols] largest P of the block
    std::vector<float>
        meanPooled; ///< [rows, cols] mean of P over the block's cells inside the map (masked cells count as 0)
    std::vector<float> massPerKey; ///< [keyLen] Σ over queries of P
    std::vector<float> sinkShare;  ///< [queryLen] Σ of P over the first `sinkKeys` keys
    std::vector<int64_t>
        span95; ///< [queryLen] length of the key interval left after cutting 2.5 % of the mass off each end; 0 if none
};

/// Second pass; needs lse of mapStatistics. `rowsDone(pooledRow)` is told each finished row of blocks (any order, one
/// thread at a time), so that a caller can show the map as it grows: that row of `summary` is final then.
void mapSummary(const MapProblem& problem, std::span<const float> lse, int64_t cell, int64_t sinkKeys,
                MapSummary& summary, int threads, const std::atomic<bool>* cancel,
                const std::function<void(int64_t pooledRow)>& rowsDone = {});

/// What mapStatistics and mapSummary hold and leave at most, besides Q and K.
int64_t mapBytes(int64_t queryLen, int64_t keyLen, int64_t headDim, int64_t cell);

/// Pooled values of one rectangle: out[r, c] = pool of P over the block of cell × cell cells at
/// (rowBegin + r·cell, colBegin + c·cell). Masked cells are 0; blocks wholly outside the map or wholly masked are NaN.
/// A block that holds a NaN is NaN as well. cell = 1 gives P itself. Cost: 2·headDim FLOPs and one exp per cell of the
/// map under the rectangle.
void mapTile(const MapProblem& problem, std::span<const float> lse, int64_t rowBegin, int64_t colBegin, int64_t rows,
             int64_t cols, int64_t cell, Pooling pooling, std::span<float> out, int threads,
             const std::atomic<bool>* cancel);

/// One row of P: out[keyLen]; also used for hover values. Masked keys give 0.
void mapRow(const MapProblem& problem, float lse, int64_t row, std::span<float> out);

} // namespace warplight::cpu
