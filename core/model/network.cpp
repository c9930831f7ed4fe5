// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/network.h"

#include "core/cpu/attention/attention.h"
#include "core/cpu/attention/backward.h"
#include "core/cpu/matmul/matmul.h"
#include "core/error.h"
#include "core/model/heads.h"
#include "core/model/layers.h"
#include "core/model/spread.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

namespace warplight::model {
namespace {

/// Where a block's activations stand among the names of Activations::views().
enum BlockName { Norm1, Q, K, V, AttentionOut, Middle, Norm2, Up, Activated, Out };

Heads headsOf(const Config& c, const Activations& a) { return {a.batch, a.length, c.heads, c.headFeatures()}; }

void requireTokens(std::span<const int32_t> tokens, int64_t rows, int64_t vocabulary, const char* what) {
    if (static_cast<int64_t>(tokens.size()) != rows)
        throw InputError(fmt::format("{} {}, expected {}", tokens.size(), what, rows));
    for (const int32_t token : tokens)
        if (token < 0 || token >= vocabulary)
            throw InputError(fmt::format("{}: {} is no token, expected 0 to {}", what, token, vocabulary - 1));
}

int64_t requireLength(int64_t batch, int64_t length, const Config& config) {
    if (batch < 1 || length < 1 || length > config.context)
        throw InputError(fmt::format("{} sequences of {} tokens, expected at least one of 1 to {} tokens", batch,
                                     length, config.context));
    return length;
}

} // namespace

Network::Network(const Model& m, int64_t batch, int64_t length, bool learns, Rounder* r)
    : model(m),
      config(m.config),
      all(m.config, batch, requireLength(batch, length, m.config), learns),
      rounder(r ? *r : none),
      tokens(static_cast<size_t>(batch * length)) {}

const float* Network::blockInput(int64_t layer) const { return layer == 0 ? all.embedding : all.out(layer - 1); }

void Network::forwardBlocks(std::span<const int32_t> given, int64_t blocks, const cpu::RunOptions& options) {
    requireTokens(given, all.rows(), config.vocabulary, "tokens");
    std::copy(given.begin(), given.end(), tokens.begin());
    const auto ends = endsOf(model.layout, model.weights);
    embed({all.batch, all.length, config.features, tokens}, ends.tokens, ends.positions, all.embedding, options);
    stored(all.embedding, all.rows() * config.features, options);
    const float* stream = all.embedding;
    for (int64_t layer = 0; layer < blocks; ++layer) {
        if (config.architecture == Architecture::Gau)
            passUnit(layer, stream, options);
        else {
            const auto w = blockOf(model.layout, model.weights, layer);
            const BlockActivations& a = all.blocks[static_cast<size_t>(layer)];
            attend(w, a, stream, options);
            think(w, a, options);
        }
        stream = all.out(layer);
    }
}

std::span<const float> Network::forward(std::span<const int32_t> given, const cpu::RunOptions& options) {
    forwardBlocks(given, config.layers, options);
    const auto ends = endsOf(model.layout, model.weights);
    const float* stream = blockInput(config.layers);
    const float epsilon = static_cast<float>(config.epsilon);
    normalise({all.rows(), config.features, epsilon, ends.norm, ends.normBias, all.means, all.scales}, stream, all.norm,
              options);
    stored(all.norm, all.rows() * config.features, options);
    cpu::matmul(cpu::MatmulRung::Packed,
                {all.rows(), config.vocabulary, config.features, true, all.norm, ends.tokens, all.logits}, options);
    stored(all.logits, all.rows() * config.vocabulary, options);
    return {all.logits, static_cast<size_t>(all.rows() * config.vocabulary)};
}

void Network::attend(const Block<const float>& w, const BlockActivations& a, const float* in,
                     const cpu::RunOptions& options) {
    const int64_t rows = all.rows(), features = config.features;
    const Heads heads = headsOf(config, all);
    const float epsilon = static_cast<float>(config.epsilon);
    normalise({rows, features, epsilon, w.norm1, w.norm1Bias, a.means1, a.scales1}, in, a.norm1, options);
    stored(a.norm1, rows * features, options);
    operand(a.norm1, rows * features, options);
    multiply({rows, features, 3 * features}, a.norm1, w.attention, all.wide, options);
    splitHeads(heads, all.wide, w.attentionBias, a.q, a.k, a.v, options);
    for (float* each : {a.q, a.k, a.v})
        stored(each, rows * features, options);
    cpu::Execution execution;
    execution.threads = worth(options, rows * all.length * features).threads;
    execution.cancel = options.cancel;
    cpu::attentionForward(cpu::Implementation::FlashPacked, attentionOf(heads, a.q, a.k, a.v, a.o, a.lse), execution);
    stored(a.o, rows * features, options);
    mergeHeads(heads, a.o, a.merged, options);
    operand(a.merged, rows * features, options);
    multiply({rows, features, features}, a.merged, w.out, all.wide, options);
    addResidual(rows, features, all.wide, w.outBias, in, a.middle, options);
    stored(a.middle, rows * features, options);
}

void Network::think(const Block<const float>& w, const BlockActivations& a, const cpu::RunOptions& options) {
    const int64_t rows = all.rows(), features = config.features, hidden = config.hidden;
    const float epsilon = static_cast<float>(config.epsilon);
    normalise({rows, features, epsilon, w.norm2, w.norm2Bias, a.means2, a.scales2}, a.middle, a.norm2, options);
    stored(a.norm2, rows * features, options);
    operand(a.norm2, rows * features, options);
    multiply({rows, features, hidden}, a.norm2, w.up, a.up, options);
    addBias(rows, hidden, w.upBias, a.up, options);
    stored(a.up, rows * hidden, options);
    gelu(rows * hidden, a.up, a.activated, options);
    stored(a.activated, rows * hidden, options);
    operand(a.activated, rows * hidden, options);
    multiply({rows, hidden, features}, a.activated, w.down, all.wide, options);
    addResidual(rows, features, all.wide, w.downBias, a.middle, a.out, options);
    stored(a.out, rows * features, options);
}

double Network::loss(std::span<const int32_t> targets, const cpu::RunOptions& options) {
    requireTokens(targets, all.rows(), config.vocabulary, "targets");
    return crossEntropy(all.rows(), config.vocabulary, all.logits, targets, all.losses, options);
}

void Network::stored(float* values, int64_t count, const cpu::RunOptions& options) const {
    rounder.output(values, count, options);
}

void Network::operand(float* values, int64_t count, const cpu::RunOptions& options) const {
    rounder.operand(values, count, options);
}

const float* Network::gradientOperand(const float* x, float* room, int64_t count, const cpu::RunOptions& options) {
    return rounder.gradientOperand(x, room, count, options);
}

void Network::made(int64_t layer, int64_t activation, float* values, const cpu::RunOptions& options,
                   const GradientSeen& seen) {
    NamedView view = all.views()[static_cast<size_t>(1 + layer * Activations::namesOfLayer() + activation)];
    rounder.gradient(values, static_cast<int64_t>(view.values.size()), options);
    if (!seen)
        return;
    view.values = {values, view.values.size()};
    seen(view);
}

double Network::backward(std::span<const int32_t> targets, ParameterBuffer& gradients, const cpu::RunOptions& options,
                         const GradientSeen& seen) {
    requireTokens(targets, all.rows(), config.vocabulary, "targets");
    const int64_t rows = all.rows(), features = config.features;
    const auto w = endsOf(model.layout, model.weights);
    const auto d = endsOf(model.layout, gradients);
    const double loss = crossEntropyBackward(rows, config.vocabulary, all.logits, targets, all.losses, options);
    if (rounder.lossFactor != 1)
        for (int64_t i = 0; i < rows * config.vocabulary; ++i)
            all.logits[i] *= rounder.lossFactor;
    made(config.layers, 1, all.logits, options, seen);
    cpu::matmul(cpu::MatmulRung::Packed,
                {config.vocabulary, features, rows, false, all.logits, all.norm, d.tokens, true}, options);
    cpu::matmul(cpu::MatmulRung::Packed, {rows, features, config.vocabulary, false, all.logits, w.tokens, all.branch},
                options);
    made(config.layers, 0, all.branch, options, seen);
    std::fill_n(all.stream, rows * features, 0.0f);
    normaliseBackward({rows, features, 0, w.norm, w.normBias, all.means, all.scales}, blockInput(config.layers),
                      all.branch, all.stream, d.norm, d.normBias, options);
    for (int64_t layer = config.layers - 1; layer >= 0; --layer) {
        if (config.architecture == Architecture::Gau) {
            unitBackward(layer, gradients, options, seen);
            continue;
        }
        thinkBackward(layer, gradients, options, seen);
        attendBackward(layer, gradients, options, seen);
    }
    made(0, -1, all.stream, options, seen);
    embedBackward({all.batch, all.length, features, tokens}, all.stream, d.tokens, d.positions, config.context,
                  options);
    return loss;
}

void Network::thinkBackward(int64_t layer, ParameterBuffer& gradients, const cpu::RunOptions& options,
                            const GradientSeen& seen) {
    const int64_t rows = all.rows(), features = config.features, hidden = config.hidden;
    const auto w = blockOf(model.layout, model.weights, layer);
    const auto d = blockOf(model.layout, gradients, layer);
    const BlockActivations& a = all.blocks[static_cast<size_t>(layer)];
    made(layer, Out, all.stream, options, seen);
    biasBackward(rows, features, all.stream, d.downBias, options);
    const float* dOut = gradientOperand(all.stream, all.branch, rows * features, options);
    multiplyBackward({rows, hidden, features}, a.activated, w.down, dOut, d.down, all.wide, options);
    made(layer, Activated, all.wide, options, seen);
    geluBackward(rows * hidden, a.up, all.wide, options);
    made(layer, Up, all.wide, options, seen);
    biasBackward(rows, hidden, all.wide, d.upBias, options);
    gradientOperand(all.wide, all.wide, rows * hidden, options);
    multiplyBackward({rows, features, hidden}, a.norm2, w.up, all.wide, d.up, all.branch, options);
    made(layer, Norm2, all.branch, options, seen);
    normaliseBackward({rows, features, 0, w.norm2, w.norm2Bias, a.means2, a.scales2}, a.middle, all.branch, all.stream,
                      d.norm2, d.norm2Bias, options);
}

void Network::attendBackward(int64_t layer, ParameterBuffer& gradients, const cpu::RunOptions& options,
                             const GradientSeen& seen) {
    const int64_t rows = all.rows(), features = config.features;
    const Heads heads = headsOf(config, all);
    const auto w = blockOf(model.layout, model.weights, layer);
    const auto d = blockOf(model.layout, gradients, layer);
    const BlockActivations& a = all.blocks[static_cast<size_t>(layer)];
    made(layer, Middle, all.stream, options, seen);
    biasBackward(rows, features, all.stream, d.outBias, options);
    const float* dOut = gradientOperand(all.stream, all.wide, rows * features, options);
    multiplyBackward({rows, features, features}, a.merged, w.out, dOut, d.out, all.branch, options);
    spreadHeads(heads, all.branch, all.dOut, options);
    made(layer, AttentionOut, all.dOut, options, seen);
    cpu::attentionBackward(cpu::BackwardRung::Flash2,
                           {attentionOf(heads, a.q, a.k, a.v, a.o, a.lse), all.dOut, all.dq, all.dk, all.dv},
                           worth(options, 2 * rows * all.length * features));
    made(layer, Q, all.dq, options, seen);
    made(layer, K, all.dk, options, seen);
    made(layer, V, all.dv, options, seen);
    joinHeads(heads, all.dq, all.dk, all.dv, all.wide, options);
    biasBackward(rows, 3 * features, all.wide, d.attentionBias, options);
    gradientOperand(all.wide, all.wide, 3 * rows * features, options);
    multiplyBackward({rows, features, 3 * features}, a.norm1, w.attention, all.wide, d.attention, all.branch, options);
    made(layer, Norm1, all.branch, options, seen);
    normaliseBackward({rows, features, 0, w.norm1, w.norm1Bias, a.means1, a.scales1}, blockInput(layer), all.branch,
                      all.stream, d.norm1, d.norm1Bias, options);
}

} // namespace warplight::model
