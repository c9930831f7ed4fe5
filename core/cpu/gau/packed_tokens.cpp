// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/gau/packed_tokens.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"

#include <algorithm>

namespace warplight::cpu {
namespace {

constexpr int64_t mostPanelColumns = 64; ///< of any instruction set
static_assert(gauBlockKeys % mostPanelColumns == 0);

int64_t blocksOfSegment(const GauShape& p) { return ceilDiv(std::min(p.segment(), p.length), gauBlockKeys); }

} // namespace

PackedTokens::PackedTokens(const GauMixing& m, bool linear, Workspace& workspace)
    : mixing(m),
      shape(m.shape),
      panel(product.panelColumns),
      width(roundUp(shape.expanded, panel)),
      segmentCount(ceilDiv(shape.length, shape.segment())),
      perSegment(blocksOfSegment(shape)) {
    const int64_t tokens = shape.batch * blocks() * gauBlockKeys;
    quadraticKeys = workspace.take<float>(tokens * shape.shared);
    linearKeys = linear ? workspace.take<float>(tokens * shape.shared) : nullptr;
    packedValues = workspace.take<float>(tokens * width);
}

int64_t PackedTokens::bytesAtMost(const GauShape& p, bool linear) {
    const int64_t blocks = saturatedProduct(ceilDiv(p.length, p.segment()), blocksOfSegment(p));
    const int64_t tokens = saturatedProduct(saturatedProduct(p.batch, gauBlockKeys), blocks);
    const int64_t keys = floats(tokens, p.shared);
    return buffers({keys, linear ? keys : 0, floats(tokens, roundUp(p.expanded, mostPanelColumns))});
}

TokenBlock PackedTokens::block(int64_t index) const {
    const int64_t first = index / perSegment * shape.segment(), end = std::min(shape.length, first + shape.segment());
    const int64_t begin = first + index % perSegment * gauBlockKeys;
    return {begin, std::clamp<int64_t>(end - begin, 0, gauBlockKeys)};
}

float* PackedTokens::keys(bool linear, int64_t sequence, int64_t index) const {
    return (linear ? linearKeys : quadraticKeys) + (sequence * blocks() + index) * gauBlockKeys * shape.shared;
}

const float* PackedTokens::values(int64_t sequence, int64_t index, int64_t panelIndex) const {
    return packedValues + ((sequence * blocks() + index) * width + panelIndex * panel) * gauBlockKeys;
}

void PackedTokens::pack(int workers, const RunOptions& options) const {
    const int64_t s = shape.shared, e = shape.expanded;
    parallelItems(shape.batch * blocks(), workers, options.cancel, [&](int64_t item, int) {
        const int64_t sequence = item / blocks(), index = item % blocks();
        const TokenBlock tokens = block(index);
        // A key fills a column of its panel: made as a row where the values will be, which are packed last.
        float* row = packedValues + (sequence * blocks() + index) * width * gauBlockKeys;
        for (int64_t t = 0; t < tokens.tokens * (linearKeys ? 2 : 1); ++t) {
            const bool linear = t >= tokens.tokens;
            const int64_t at = linear ? t - tokens.tokens : t;
            float* to = keys(linear, sequence, index) + at / panel * panel * s + at % panel;
            for (int64_t begin = 0; begin < s; begin += width) { // the room for a row may be shorter than a key
                const int64_t count = std::min(width, s - begin), from = shape.keyView() + (linear ? 1 : 0);
                kernel.view(mixing.z + (sequence * shape.length + tokens.begin + at) * s + begin,
                            mixing.gamma + from * s + begin, mixing.beta + from * s + begin, 1, row, count);
                for (int64_t i = 0; i < count; ++i)
                    to[(begin + i) * panel] = row[i];
            }
        }
        for (int64_t t = tokens.tokens; t % panel != 0; ++t) // what no product reads but all load
            for (const bool linear : {false, true})
                for (int64_t i = 0; i < s && (!linear || linearKeys); ++i)
                    keys(linear, sequence, index)[(t / panel * s + i) * panel + t % panel] = 0;
        for (int64_t t = 0; t < tokens.tokens; ++t) {
            const float* from = mixing.v + (sequence * shape.length + tokens.begin + t) * e;
            for (int64_t column = 0; column < width; column += panel) {
                float* to = row + column * gauBlockKeys + t * panel;
                const int64_t count = std::clamp<int64_t>(e - column, 0, panel);
                std::copy_n(from + column, count, to);
                std::fill_n(to + count, panel - count, 0.0f);
            }
        }
    });
}

void PackedTokens::scores(bool linear, int64_t sequence, int64_t index, const float* q, int64_t rows, float* to,
                          int64_t stride) const {
    const int64_t s = shape.shared, tokens = block(index).tokens;
    for (int64_t column = 0; column < tokens; column += panel)
        for (int64_t r = 0; r < rows; r += matmulStripRows)
            product.multiplyPacked(q + r * s, s, 1, std::min(matmulStripRows, rows - r),
                                   keys(linear, sequence, index) + column * s, s, to + r * stride + column, stride,
                                   std::min(panel, tokens - column), false);
}

void PackedTokens::accumulate(int64_t sequence, int64_t index, const float* weights, int64_t stride, int64_t rows,
                              int64_t seen, float* m) const {
    const int64_t tokens = block(index).tokens;
    for (int64_t p = 0; p < panels(); ++p) {
        const float* v = values(sequence, index, p);
        for (int64_t r = 0; r < rows; r += matmulStripRows) {
            const int64_t strip = std::min(matmulStripRows, rows - r), first = seen + r;
            const int64_t byAll = std::clamp<int64_t>(first, 0, tokens);
            float* to = m + r * width + p * panel;
            if (byAll > 0)
                product.multiplyPacked(weights + r * stride, stride, 1, strip, v, byAll, to, width, panel, true);
            for (int64_t key = byAll; key < std::min(tokens, first + strip - 1); ++key) {
                const int64_t from = std::max<int64_t>(0, key - first + 1); // the first row that sees it
                product.multiplyPacked(weights + (r + from) * stride + key, stride, 1, strip - from, v + key * panel, 1,
                                       to + from * width, width, panel, true);
            }
        }
    }
}

} // namespace warplight::cpu
