// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/gau/chunk_states.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace warplight::cpu {
namespace {

constexpr int64_t mostPanelColumns = 64;

int64_t slotsOf(const GauShape& p) { return p.causal ? ceilDiv(p.length, p.segment()) : 1; }

} // namespace

ChunkStates::ChunkStates(const PackedTokens& packed, Workspace& workspace)
    : tokens(packed),
      p(packed.shape),
      slots(slotsOf(p)),
      states(workspace.take<float>(p.batch * slots * p.shared * tokens.columns())) {}

int64_t ChunkStates::bytesAtMost(const GauShape& p) {
    return buffers({floats(saturatedProduct(p.batch, slotsOf(p)),
                           saturatedProduct(p.shared, roundUp(p.expanded, mostPanelColumns)))});
}

float* ChunkStates::state(int64_t sequence, int64_t slot, int64_t panel) const {
    return states + ((sequence * slots + slot) * tokens.columns() + panel * tokens.panelColumns()) * p.shared;
}

void ChunkStates::make(int workers, float* scratch, int64_t scratchSize, const RunOptions& options) const {
    const int64_t rowsAtOnce = std::min(gauBlockKeys, scratchSize / p.shared);
    parallelItems(p.batch * tokens.panels(), workers, options.cancel, [&](int64_t item, int worker) {
        sumUp(item / tokens.panels(), item % tokens.panels(), scratch + worker * scratchSize, rowsAtOnce, options);
    });
}

void ChunkStates::sumUp(int64_t sequence, int64_t panel, float* keys, int64_t rowsAtOnce,
                        const RunOptions& options) const {
    const size_t bytes = sizeof(float) * static_cast<size_t>(p.shared * tokens.panelColumns());
    std::memset(state(sequence, 0, panel), 0, bytes);
    for (int64_t segment = 0; segment < tokens.segments() - (p.causal ? 1 : 0); ++segment) {
        checkCancelled(options.cancel);
        float* sum = state(sequence, p.causal ? segment + 1 : 0, panel);
        if (p.causal)
            std::memcpy(sum, state(sequence, segment, panel), bytes);
        for (int64_t i = 0; i < tokens.blocksPerSegment(); ++i)
            add(sequence, segment * tokens.blocksPerSegment() + i, panel, keys, rowsAtOnce, sum);
    }
}

void ChunkStates::add(int64_t sequence, int64_t index, int64_t panel, float* keys, int64_t rowsAtOnce,
                      float* sum) const {
    const TokenBlock block = tokens.block(index);
    const int64_t s = p.shared, columns = tokens.panelColumns();
    for (int64_t first = 0; first < block.tokens; first += rowsAtOnce) {
        const int64_t count = std::min(rowsAtOnce, block.tokens - first);
        tokens.view(
            3, sequence, block.begin + first, count, [](int64_t) { return 1.0f; }, keys);
        for (int64_t r = 0; r < s; r += matmulStripRows)
            tokens.product.multiplyPacked(keys + r, 1, s, std::min(matmulStripRows, s - r),
                                          tokens.values(sequence, index, panel) + first * columns, count,
                                          sum + r * columns, columns, columns, true);
    }
}

void ChunkStates::read(int64_t sequence, int64_t segment, const float* q, int64_t rows, float* m) const {
    const int64_t columns = tokens.panelColumns();
    for (int64_t panel = 0; panel < tokens.panels(); ++panel)
        for (int64_t r = 0; r < rows; r += matmulStripRows)
            tokens.product.multiplyPacked(q + r * p.shared, p.shared, 1, std::min(matmulStripRows, rows - r),
                                          state(sequence, p.causal ? segment : 0, panel), p.shared,
                                          m + r * tokens.columns() + panel * columns, tokens.columns(), columns, true);
}

} // namespace warplight::cpu
