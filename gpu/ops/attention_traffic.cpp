// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention_traffic.h"

#include "gpu/ops/attention_f8.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace warplight::gpu {
namespace {

constexpr double f32 = 4;
constexpr int64_t tile = 32; ///< rows and keys of the f32 kernels' tiles, but for those of flash1 and flash2

int64_t tiles(int64_t n, int64_t size) { return (n + size - 1) / size; }

int64_t visibleTo(const AttentionShape& s, int64_t row) {
    return s.causal ? std::clamp<int64_t>(row + 1 + s.keyLen - s.queryLen, 0, s.keyLen) : s.keyLen;
}

/// Rows of K that a block of `rows` queries loads, over all blocks of a head: tiles of `keys` as far as its last row
/// sees.
double keysLoaded(const AttentionShape& s, int64_t rows, int64_t keys) {
    int64_t all = 0;
    for (int64_t first = 0; first < s.queryLen; first += rows) {
        const int64_t end = visibleTo(s, std::min(first + rows, s.queryLen) - 1);
        all += std::min(tiles(end, keys) * keys, s.keyLen);
    }
    return static_cast<double>(all);
}

struct Counts {
    double heads, queries, keys, d, pairs; ///< of one head; pairs: visible ones
};

Counts countsOf(const AttentionShape& s) {
    double pairs = 0;
    for (int64_t row = 0; row < s.queryLen; ++row)
        pairs += static_cast<double>(visibleTo(s, row));
    return {static_cast<double>(s.heads()), static_cast<double>(s.queryLen), static_cast<double>(s.keyLen),
            static_cast<double>(s.headDim), pairs};
}

/// Per head, in elements of four bytes. S is read three times: for the maximum, the sum and the weights.
TensorTraffic standard(const Counts& n, bool tiled) {
    const double scores = n.queries * n.keys;
    TensorTraffic t;
    t["S"] = {3 * scores, scores};
    t["lse"] = {0, n.queries};
    t["O"] = {0, n.queries * n.d};
    if (tiled) { // an element serves the 32 results of its tile's other side
        const auto times = [](double length) { return std::ceil(length / tile); };
        t["Q"] = {n.queries * n.d * times(n.keys), 0};
        t["K"] = {n.keys * n.d * times(n.queries), 0};
        t["P"] = {scores * times(n.d), scores};
        t["V"] = {n.keys * n.d * times(n.queries), 0};
    } else { // every thread reads what its own result needs; masked ones need nothing
        t["Q"] = {n.pairs * n.d, 0};
        t["K"] = {n.pairs * n.d, 0};
        t["P"] = {n.pairs * n.d, scores};
        t["V"] = {n.pairs * n.d, 0};
    }
    return t;
}

/// Outer loop over tiles of keys; each goes through all tiles of queries that see any of it. The statistics are read by
/// the four threads of a row.
TensorTraffic flash1(const AttentionShape& s, const Counts& n, int64_t tile) {
    double visits = 0, again = 0; // rows of queries visited; those that find an earlier output
    for (int64_t begin = 0; begin < s.keyLen; begin += tile)
        for (int64_t first = 0; first < s.queryLen; first += tile) {
            const int64_t last = std::min(first + tile, s.queryLen);
            if (begin > 0 && visibleTo(s, last - 1) <= begin)
                continue;
            visits += static_cast<double>(last - first);
            again += begin > 0 ? static_cast<double>(last - first) : 0;
        }
    TensorTraffic t;
    t["Q"] = {visits * n.d, 0};
    t["K"] = t["V"] = {n.keys * n.d, 0};
    t["O"] = {again * n.d, visits * n.d};
    t["m"] = t["l"] = {4 * again, visits};
    t["lse"] = {0, visits};
    return t;
}

TensorTraffic scaled(TensorTraffic traffic, double factor) {
    for (auto& [name, t] : traffic)
        t = {t.read * factor, t.written * factor};
    return traffic;
}

} // namespace

TensorTraffic compulsoryTraffic(const AttentionShape& s, number::Format format) {
    const Counts n = countsOf(s);
    const double size = format == number::Format::F32 ? f32 : 2,
                 keys = static_cast<double>(s.batch * s.keyHeads) * n.keys * n.d * size;
    return withoutEmpty({{"Q", {n.heads * n.queries * n.d * size, 0}},
                         {"K", {keys, 0}},
                         {"V", {keys, 0}},
                         {"O", {0, n.heads * n.queries * n.d * size}},
                         {"lse", {0, n.heads * n.queries * f32}}});
}

TensorTraffic algorithmicTraffic(AttentionRung rung, const AttentionShape& s, number::Format format,
                                 int64_t flashTile) {
    const Counts n = countsOf(s);
    TensorTraffic t;
    switch (rung) {
    case AttentionRung::Naive:
    case AttentionRung::Tiled:
        t = standard(n, rung == AttentionRung::Tiled);
        break;
    case AttentionRung::Flash1:
        t = flash1(s, n, flashTile);
        break;
    case AttentionRung::Fused2Pass:
    case AttentionRung::Flash2: {
        const int64_t own = rung == AttentionRung::Flash2 ? flashTile : tile;
        const double loaded = keysLoaded(s, own, own) * n.d;
        t["Q"] = {n.queries * n.d, 0};
        t["K"] = {rung == AttentionRung::Fused2Pass ? 2 * loaded : loaded, 0};
        t["V"] = {loaded, 0};
        t["O"] = {0, n.queries * n.d};
        t["lse"] = {0, n.queries};
        break;
    }
    case AttentionRung::Flash2Mma:
    case AttentionRung::MmaTf32: { // rows padded to whole chunks of 16 bytes
        const int64_t inChunk = rung == AttentionRung::MmaTf32 ? 4 : 8, row = wholeMultiple(s.headDim, inChunk);
        const double d = static_cast<double>(row), size = 4 / static_cast<double>(inChunk);
        const double loaded = keysLoaded(s, 64, keysOfTile(rung, paddedDim(row))) * d * size;
        t["Q"] = {n.queries * d * size, 0};
        t["K"] = t["V"] = {loaded, 0};
        t["O"] = {0, n.queries * d * size};
        t["lse"] = {0, n.queries};
        break;
    }
    case AttentionRung::MmaE4M3:
        return algorithmicTrafficInF8(s);
    case AttentionRung::FlashDecode: { // the four warps of a block read their query each
        const double splits = std::max(1.0, std::ceil(n.keys / 256));
        t["Q"] = {4 * splits * n.queries * n.d, 0};
        t["K"] = t["V"] = {n.pairs * n.d, 0};
        t["partO"] = {splits * n.queries * n.d, splits * n.queries * n.d};
        t["O"] = {0, n.queries * n.d};
        t["lse"] = {0, n.queries};
        break;
    }
    case AttentionRung::Cublas: { // how often the library reads its inputs is its own: once at least
        const double size = (format == number::Format::F32 ? f32 : 2) / f32,
                     group = static_cast<double>(s.queryHeads) / static_cast<double>(s.keyHeads);
        t["Q"] = {n.queries * n.d * size, 0};
        t["K"] = t["V"] = {n.keys * n.d * size / group, 0};
        t["S"] = {2 * n.pairs, n.queries * n.keys};
        t["P"] = {n.queries * n.keys * size, n.queries * n.keys * size};
        t["O"] = {0, n.queries * n.d * size};
        t["lse"] = {0, n.queries};
        break;
    }
    }
    return withoutEmpty(scaled(t, n.heads * f32));
}

OnChipTheory theoryAt(const AttentionShape& s, double elementBytes, double onChip) {
    const double n = static_cast<double>(s.queryLen), d = static_cast<double>(s.headDim),
                 heads = static_cast<double>(s.heads());
    const double elements = onChip / elementBytes;
    const double keys = std::clamp(std::floor(elements / (4 * d)), 1.0, n);
    const double rows = std::clamp(std::floor(elements / (4 * d)), 1.0, n);
    const double outer = std::ceil(n / keys), blocks = std::ceil(n / rows);
    const double bytes = heads * elementBytes;
    return {bytes * (4 * n * d + 4 * n * n), bytes * (2 * n * d + outer * (3 * n * d + 4 * n)),
            bytes * (2 * n * d + 2 * n * d * blocks + n), bytes * 4 * n * d, keys};
}

} // namespace warplight::gpu
