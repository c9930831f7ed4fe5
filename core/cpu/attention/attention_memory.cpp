// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/attention/attention_memory.h"

#include "core/cpu/attention/kernels.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {

constexpr int64_t mostLanes = 16;     ///< of an f32 vector on any target
constexpr int64_t mostTileRows = 384; ///< of a query tile (flash.cpp)
constexpr int64_t mostPartials = 16;  ///< query tiles times chunks of keys, where keys are split

int64_t flashBytes(const AttentionProblem& p, int64_t workers, bool packsOnce) {
    const int64_t d = p.headDim, columns = roundUp(d, mostLanes);
    const int64_t rows = std::min(mostTileRows, std::max<int64_t>(p.queryLen, packsOnce ? 1 : mostTileRows));
    const int64_t keys =
        packsOnce ? saturatedProduct(p.batch * p.keyHeads, roundUp(p.keyLen, blockKeys)) : workers * blockKeys;
    return buffers({floats(keys, d), floats(keys, columns), floats(workers * rows, d + columns + mostLanes + 18),
                    floats(mostPartials * rows, d + 2)});
}

} // namespace

int64_t extraBytesAtMost(Implementation implementation, const AttentionProblem& p, int threads) {
    const int64_t workers = workerCount(threads), d = p.headDim, columns = roundUp(d, mostLanes);
    const int64_t heads = p.batch * p.queryHeads, stride = roundUp(p.keyLen, blockKeys);
    constexpr int64_t tileRows = 48; // standard.cpp
    switch (implementation) {
    case Implementation::Reference:
        return buffers({floats(2 * workers, p.keyLen + d)});
    case Implementation::Standard:
        return buffers({floats(p.queryLen, stride), floats(p.queryLen, stride), floats(stride, d),
                        floats(stride, columns), floats(p.queryLen, 1), floats(workers * tileRows, d + columns)});
    case Implementation::Online:
        return buffers({floats(workers, d)});
    case Implementation::Flash:
        return flashBytes(p, workers, false);
    case Implementation::FlashPacked:
        return flashBytes(p, workers, true);
    case Implementation::FlashBf16: // without the instructions, copies of Q, K and V
        return buffers({flashBytes(p, workers, true), floats(saturatedProduct(heads, p.queryLen), d),
                        floats(saturatedProduct(2 * p.batch * p.keyHeads, p.keyLen), d)});
    }
    return 0;
}

} // namespace warplight::cpu
