// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention_backward_traffic.h"

#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstdint>

namespace warplight::gpu {
namespace {

constexpr int64_t tile = 32; ///< queries and keys of flash2_bwd

int64_t visibleTo(const AttentionShape& s, int64_t row) {
    return s.causal ? std::clamp<int64_t>(row + 1 + s.keyLen - s.queryLen, 0, s.keyLen) : s.keyLen;
}

/// Of one query head.
struct Counts {
    double queries, keys, d, pairs, visits; ///< visible pairs; rows of queries visited over all tiles of keys
};

Counts countsOf(const AttentionShape& s) {
    int64_t pairs = 0, visits = 0;
    for (int64_t row = 0; row < s.queryLen; ++row)
        pairs += visibleTo(s, row);
    for (int64_t first = 0; first < s.queryLen; first += tile) {
        const int64_t end = std::min(first + tile, s.queryLen), seen = visibleTo(s, end - 1);
        visits += (end - first) * ((seen + tile - 1) / tile);
    }
    return {static_cast<double>(s.queryLen), static_cast<double>(s.keyLen), static_cast<double>(s.headDim),
            static_cast<double>(pairs), static_cast<double>(visits)};
}

/// Per query head in numbers; K and V have `group` query heads a head.
TensorTraffic standard(const Counts& n, double group) {
    const double perPair = n.pairs * n.d, scores = n.queries * n.keys, rows = n.queries * n.d,
                 perKeyHead = n.keys * n.d / group;
    return {{"Q", {2 * perPair, 0}},         // the scores; dK
            {"K", {2 * perPair, 0}},         // the scores; dQ
            {"V", {perPair, 0}},             // dP
            {"dO", {rows + 2 * perPair, 0}}, // D; dP; dV
            {"O", {rows, 0}},                // D
            {"lse", {n.pairs, 0}},           // by the thread of each pair
            {"D", {n.pairs, n.queries}},
            {"P", {perPair, scores}},
            {"dS", {2 * perPair, scores}}, // dQ; dK
            {"dQ", {0, rows}},
            {"dK", {0, perKeyHead}},
            {"dV", {0, perKeyHead}}};
}

TensorTraffic flash2(const Counts& n) {
    const double rows = n.queries * n.d, keys = n.keys * n.d, visited = n.visits * n.d;
    return {{"Q", {visited, 0}},
            {"K", {keys, 0}},
            {"V", {keys, 0}},
            {"dO", {rows + visited, 0}},
            {"O", {rows, 0}},
            {"lse", {4 * n.visits, 0}}, // by the four threads of a row
            {"D", {4 * n.visits, n.queries}},
            {"dQ", {visited, visited}},
            {"dK", {keys, keys}},
            {"dV", {keys, keys}}};
}

} // namespace

TensorTraffic compulsoryBackwardTraffic(const AttentionShape& s) {
    const double rows = static_cast<double>(s.heads() * s.queryLen), d = static_cast<double>(s.headDim),
                 query = rows * d * 4, key = static_cast<double>(s.batch * s.keyHeads * s.keyLen) * d * 4;
    return withoutEmpty({{"Q", {query, 0}},
                         {"K", {key, 0}},
                         {"V", {key, 0}},
                         {"O", {query, 0}},
                         {"lse", {rows * 4, 0}},
                         {"dO", {query, 0}},
                         {"dQ", {0, query}},
                         {"dK", {0, key}},
                         {"dV", {0, key}}});
}

TensorTraffic algorithmicTraffic(BackwardRung rung, const AttentionShape& s) {
    if (s.heads() * s.queryLen == 0 || s.keyLen == 0)
        return {}; // nothing is launched
    const Counts n = countsOf(s);
    TensorTraffic t = rung == BackwardRung::Standard
                          ? standard(n, static_cast<double>(s.queryHeads) / static_cast<double>(s.keyHeads))
                          : flash2(n);
    for (auto& [name, bytes] : t) {
        bytes.read *= 4 * static_cast<double>(s.heads());
        bytes.written *= 4 * static_cast<double>(s.heads());
    }
    return withoutEmpty(t);
}

int64_t deviceBytes(BackwardRung rung, const AttentionShape& s) {
    const auto times = [](int64_t a, int64_t b) { return saturatedProduct(a, b); };
    const int64_t rows = times(s.heads(), s.queryLen), keyRows = times(s.batch * s.keyHeads, s.keyLen);
    int64_t all = times(8, rows);                                                                     // lse and D
    all = saturatedSum(all, times(16 * s.headDim, rows));                                             // Q, O, dO, dQ
    all = saturatedSum(all, times(16 * s.headDim, keyRows));                                          // K, V, dK, dV
    return rung == BackwardRung::Standard ? saturatedSum(all, times(8, times(rows, s.keyLen))) : all; // P and dS
}

} // namespace warplight::gpu
