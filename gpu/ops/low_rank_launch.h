// SPDX-License-Identifier: GPL-3.0-or-later
// What the launches of low-rank attention and the formulas of their bytes have in common.
#pragma once

#include "gpu/ops/low_rank.h"

#include <algorithm>
#include <cstdint>

namespace warplight::gpu {

/// Tiles of the products; keys of a split of one, and of attention from few queries; and the iterations.
constexpr int64_t productRows = 32, productColumns = 64, keysOfProduct = 512, keysOfFewQueries = 256,
                  inverseIterations = 6;

inline bool isIterated(const LowRankShape& s) { return s.method == LowRankMethod::NystromIterated; }
inline int64_t queryHeads(const LowRankShape& s) { return s.attention.heads(); }
inline int64_t keyHeads(const LowRankShape& s) { return s.attention.batch * s.attention.keyHeads; }
inline int64_t splitsOf(int64_t length, int64_t each) { return std::max<int64_t>(1, (length + each - 1) / each); }
inline bool isEmpty(const LowRankShape& s) { return queryHeads(s) * s.attention.queryLen * s.attention.keyLen == 0; }

/// Attention from all queries to few keys, from few queries to all keys, and between few of both.
inline AttentionShape toFew(const LowRankShape& s) {
    AttentionShape few = s.attention;
    few.keyLen = s.rank;
    if (isIterated(s)) // keys and values of each query head
        few.keyHeads = few.queryHeads;
    return few;
}
inline AttentionShape fromFew(const LowRankShape& s) {
    AttentionShape few = s.attention;
    few.queryLen = s.rank;
    return few;
}
inline AttentionShape betweenFew(const LowRankShape& s) {
    AttentionShape few = toFew(s);
    few.queryLen = s.rank;
    return few;
}

} // namespace warplight::gpu
