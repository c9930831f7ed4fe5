// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/decoder.h"

#include "core/cpu/attention/attention.h"
#include "core/error.h"
#include "core/model/heads.h"
#include "core/model/kernels.h"
#include "core/model/layers.h"
#include "core/model/spread.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

namespace warplight::model {
namespace {

constexpr int64_t rowsAtOnce = 64; // of a prompt
constexpr int64_t mostOfFew = 6;   // rows: beyond, packing a weight pays

int64_t rowsOf(const Config& c) { return std::min(rowsAtOnce, c.context); }

} // namespace

Decoder::Decoder(const Model& m, const cpu::RunOptions& o) : model(m), config(m.config), options(o) {
    if (config.architecture != Architecture::Gpt2)
        throw InputError("the model is of gated attention units, expected a GPT-2, whose keys and values can be kept");
    const int64_t rows = rowsOf(config), features = rows * config.features;
    const auto floats = [this](int64_t count) { return workspace.take<float>(count); };
    keys = floats(config.layers * config.context * config.features);
    values = floats(config.layers * config.context * config.features);
    stream = floats(features);
    normal = floats(features);
    wide = floats(rows * std::max(3 * config.features, config.hidden));
    q = floats(features);
    attended = floats(features);
    means = floats(rows);
    scales = floats(rows);
    logits = floats(config.vocabulary);
}

int64_t decoderBytes(const Config& c) {
    const int64_t kept = saturatedProduct(saturatedProduct(2 * c.layers, c.context), c.features);
    const int64_t rows = saturatedProduct(rowsOf(c), 4 * c.features + std::max(3 * c.features, c.hidden) + 2);
    return saturatedProduct(4, saturatedSum(kept, saturatedSum(rows, c.vocabulary)));
}

std::span<const float> Decoder::append(std::span<const int32_t> tokens) {
    const auto count = static_cast<int64_t>(tokens.size());
    if (tokens.empty())
        throw InputError("no tokens, expected at least one");
    if (count > config.context - tokensSoFar)
        throw InputError(fmt::format("{} tokens, expected at most the {} that the model's context takes",
                                     tokensSoFar + count, config.context));
    for (const int32_t token : tokens)
        if (token < 0 || token >= config.vocabulary)
            throw InputError(fmt::format("{} is no token, expected 0 to {}", token, config.vocabulary - 1));
    for (int64_t done = 0; done < count; done += rowsOf(config))
        pass(tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(std::min(rowsOf(config), count - done))),
             tokensSoFar + done);
    const auto ends = endsOf(model.layout, model.weights);
    const float* last = normal + ((count - 1) % rowsOf(config)) * config.features;
    const ModelKernels& kernel = modelKernels();
    inPieces(config.vocabulary, 512, worth(options, config.vocabulary * config.features),
             [&](int64_t begin, int64_t end) {
                 for (int64_t token = begin; token < end; ++token)
                     logits[token] = kernel.dot(last, ends.tokens + token * config.features, config.features);
             });
    tokensSoFar += count;
    return {logits, static_cast<size_t>(config.vocabulary)};
}

void Decoder::product(int64_t rows, int64_t in, int64_t out, const float* x, const float* weight, float* y) const {
    (rows <= mostOfFew ? multiplyFew : multiply)({rows, in, out}, x, weight, y, options);
}

/// Leaves the normalised rows from which logits are made in `normal`.
void Decoder::pass(std::span<const int32_t> tokens, int64_t position) {
    const auto rows = static_cast<int64_t>(tokens.size());
    const int64_t features = config.features, hidden = config.hidden;
    const float epsilon = static_cast<float>(config.epsilon);
    const auto ends = endsOf(model.layout, model.weights);
    embed({1, rows, features, tokens, position}, ends.tokens, ends.positions, stream, options);
    for (int64_t layer = 0; layer < config.layers; ++layer) {
        const auto w = blockOf(model.layout, model.weights, layer);
        normalise({rows, features, epsilon, w.norm1, w.norm1Bias, means, scales}, stream, normal, options);
        attend(w, layer, rows, position);
        normalise({rows, features, epsilon, w.norm2, w.norm2Bias, means, scales}, stream, normal, options);
        product(rows, features, hidden, normal, w.up, wide);
        addBias(rows, hidden, w.upBias, wide, options);
        gelu(rows * hidden, wide, wide, options);
        product(rows, hidden, features, wide, w.down, normal);
        addResidual(rows, features, normal, w.downBias, stream, stream, options);
    }
    normalise({rows, features, epsilon, ends.norm, ends.normBias, means, scales}, stream, normal, options);
}

void Decoder::attend(const Block<const float>& w, int64_t layer, int64_t rows, int64_t position) {
    const int64_t features = config.features, size = config.headFeatures();
    const auto cached = [&](float* cache, int64_t head) {
        return cache + (layer * config.heads + head) * config.context * size;
    };
    product(rows, features, 3 * features, normal, w.attention, wide);
    addBias(rows, 3 * features, w.attentionBias, wide, options);
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t head = 0; head < config.heads; ++head) {
            const float* from = wide + row * 3 * features + head * size;
            std::copy_n(from, size, q + (head * rows + row) * size);
            std::copy_n(from + features, size, cached(keys, head) + (position + row) * size);
            std::copy_n(from + 2 * features, size, cached(values, head) + (position + row) * size);
        }
    spread(config.heads, worth(options, 2 * rows * (position + rows) * features), [&](int64_t head) {
        cpu::AttentionProblem p = attentionOf({1, rows, 1, size}, q + head * rows * size, cached(keys, head),
                                              cached(values, head), attended + head * rows * size, nullptr);
        p.keyLen = position + rows;
        cpu::Execution alone;
        alone.threads = 1;
        cpu::attentionForward(cpu::Implementation::Flash, p, alone);
    });
    mergeHeads({1, rows, config.heads, size}, attended, normal, options);
    product(rows, features, features, normal, w.out, wide);
    addResidual(rows, features, wide, w.outBias, stream, stream, options);
}

} // namespace warplight::model
