// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/sparse/low_rank.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace warplight::sparse {

/// The map of attention of low rank as what it is, a product: O = left · rightᵀ · V.
struct Factors {
    std::vector<float> left;  ///< [queryLen, rank]
    std::vector<float> right; ///< [keyLen, rank]
};

/// Of a problem of one head that has queries and keys; its V and O are not looked at. Computed in f64. Throws
/// InputError as lowRankForward does; Cancelled.
Factors factorsOf(const LowRankProblem& problem, const std::atomic<bool>* cancel = nullptr);

/// Linformer's E or F where nobody gave one: normal numbers of variance 1 / rank, so that lengths are kept on average.
enum class Projection { OfKeys, OfValues };
void fillProjection(std::span<float> matrix, Projection which, int64_t rank, uint64_t seed,
                    const std::atomic<bool>* cancel = nullptr);

/// What factorsOf holds at most.
int64_t factorBytes(int64_t queryLen, int64_t keyLen, int64_t headDim, int64_t rank);

} // namespace warplight::sparse
