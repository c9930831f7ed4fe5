// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/cpu/target.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::cpu {

/// One forward attention problem: O = softmax(scale · Q Kᵀ + mask) V, per batch and query head.
///
/// All tensors are f32, row-major and contiguous: q, o [batch, queryHeads, queryLen, headDim];
/// k, v [batch, keyHeads, keyLen, headDim]; lse [batch, queryHeads, queryLen] or null.
/// Query head h reads key head h / (queryHeads / keyHeads) (grouped-query attention). The causal mask is aligned
/// bottom-right: query i sees key j when j <= i + keyLen - queryLen. A row that sees no key gives o = 0, lse = -inf.
struct AttentionProblem {
    int64_t batch = 1;
    int64_t queryHeads = 1;
    int64_t keyHeads = 1;
    int64_t queryLen = 0;
    int64_t keyLen = 0;
    int64_t headDim = 0;
    float scale = 0; ///< usually 1/sqrt(headDim)
    bool causal = false;
    const float* q = nullptr;
    const float* k = nullptr;
    const float* v = nullptr;
    float* o = nullptr;
    float* lse = nullptr;
};

/// The rungs of the ladder, slowest first.
enum class Implementation { Reference, Standard, Online, Flash, FlashPacked, FlashBf16 };

struct ImplementationInfo {
    Implementation id;
    std::string_view name;     ///< as on the command line: "flash-packed"
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
};

/// Every rung in ladder order. Valid for the whole life of the program.
std::span<const ImplementationInfo> implementations();

/// The rung of that name; throws InputError that lists the names.
Implementation implementationByName(std::string_view name);
const ImplementationInfo& info(Implementation implementation);

/// What one tile of the flash rung did to one query row, told to a TileObserver.
struct RowUpdate {
    int64_t row; ///< query row in the head
    float
        tileMax; ///< largest scaled score of this row in the tile (natural units, scale applied); -inf if none visible
    float runningMax; ///< after the tile
    float rescale;    ///< factor the old sum and output were multiplied by: exp(oldMax - newMax), 0 for the first tile
    float runningSum; ///< Σ exp(score - runningMax) so far
    std::span<const float> output; ///< the unnormalised output row so far, [headDim]
};

/// One (query tile, key/value tile) visit of the flash rung, as it happened.
struct TileVisit {
    int64_t head; ///< batch * queryHeads + query head
    int64_t queryBegin, queryEnd;
    int64_t keyBegin, keyEnd;
    bool skipped;                    ///< the causal mask hides the whole tile: nothing was read
    std::span<const RowUpdate> rows; ///< one per query row of the tile; empty when skipped
    std::span<const float> scores;   ///< [rows, keyEnd - keyBegin], scaled, in natural units; -inf behind the mask
    int64_t bytesRead;               ///< bytes of Q, K and V read for this visit (Q only at its first visit)
    int64_t bytesWritten;            ///< bytes of O and lse written (only at the last visit of the query tile)
};
using TileObserver = std::function<void(const TileVisit&)>;

/// How to execute. Defaults are right for speed.
struct Execution {
    int threads = 0;                           ///< 0 = all of the machine's
    const std::atomic<bool>* cancel = nullptr; ///< looked at between tiles (at least every 20 ms); throws Cancelled
    int64_t queryTile = 0;                     ///< rows of Q a tile; 0 = the rung's own choice (flash rungs only)
    int64_t keyTile = 0;                       ///< keys a tile; 0 = the rung's own choice (flash rungs only)
    TileObserver observer; ///< `flash` only: runs on one thread, in order, with the true running max
};

using AttentionCost = RunCost; ///< beyond q, k, v, o, lse

constexpr int64_t largestHeadDim = 512;

/// Runs one rung. Any headDim from 1 to 512, any lengths (keyLen 0: every row is without keys; queryLen or batch 0:
/// nothing is written). O and lse are NaN where the arithmetic on what a row sees gives NaN, and nowhere else: keys
/// behind the mask never touch a row, whatever they hold. Scores of -inf are weights of 0; a row of nothing else is one
/// without keys. The result does not depend on the number of threads: it is bitwise the same. Throws InputError for
/// shapes outside that, std::bad_alloc when `standard` cannot hold S, Cancelled.
AttentionCost attentionForward(Implementation implementation, const AttentionProblem& problem,
                               const Execution& execution = {});

/// Useful floating-point operations of the problem: 4 · headDim for each visible (query, key) pair
/// (4·N²·d per head, about half of it when causal).
double usefulFlops(const AttentionProblem& problem);

} // namespace warplight::cpu
