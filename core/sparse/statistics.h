// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/sparse/pattern.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace warplight::sparse {

/// What block-sparse kernels of one block size would go through.
struct Occupancy {
    int64_t block = 0;   ///< queries and keys of a block
    int64_t visible = 0; ///< blocks in which any pair is seen
    int64_t whole = 0;   ///< of these, those in which every pair is seen that the causal mask leaves
    int64_t all = 0;
};
constexpr std::array<int64_t, 3> occupancyBlocks{16, 32, 64};

/// From how many pairs of a query and a token something of the token has come to the query, after some layers.
struct Reach {
    int64_t layers = 0, pairs = 0;
};
constexpr int64_t reachLayers = 4;
constexpr int64_t longestReach = 8192; ///< sequences up to here have a matrix of bits a layer

struct Statistics {
    int64_t queries = 0, keys = 0;
    int64_t pairs = 0;
    int64_t possible = 0; ///< pairs that its causal mask leaves; all, where there is none
    std::vector<Occupancy> occupancy;
    std::vector<Reach> reach; ///< after 1 … 4 layers; empty where queries are not keys or more than longestReach

    double density() const; ///< pairs over queries · keys; 0 where there is none
};

/// Counts one head of a pattern. Reach is the boolean power (M ∪ I)^layers: layers pass on what a token holds itself.
/// Throws Cancelled.
Statistics statisticsOf(const Pattern& pattern, int64_t head = 0, const std::atomic<bool>* cancel = nullptr);

/// 1 where a query sees a key, 0 elsewhere, [queries, keys] of one head. Throws Cancelled.
std::vector<uint8_t> maskOf(const Pattern& pattern, int64_t head = 0, const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::sparse
