// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/activations.h"
#include "core/model/model.h"
#include "core/model/rounder.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace warplight::model {

/// Told the gradient of an activation, under the activation's name, while a backward pass has it: the buffer is used
/// again afterwards.
using GradientSeen = std::function<void(const NamedView&)>;

/// Forward and backward passes of a model over `batch` sequences of `length` tokens. All memory is taken once but for
/// what the operators (core/cpu) hold while they run. The result has the same bits for any number of threads.
class Network {
  public:
    /// The model is not copied: its weights may change between passes. Throws InputError for a length above the
    /// model's context; std::bad_alloc. A rounder, if any, is used, not copied: it rounds whatever its recipe does, and
    /// says what the gradient of the loss is multiplied by.
    Network(const Model& model, int64_t batch, int64_t length, bool learns, Rounder* rounder = nullptr);

    /// Logits [batch, length, vocabulary] of tokens [batch, length], each from 0 to vocabulary - 1. Throws Cancelled.
    std::span<const float> forward(std::span<const int32_t> tokens, const cpu::RunOptions& options = {});

    /// The same as far as behind so many blocks; without logits.
    void forwardBlocks(std::span<const int32_t> tokens, int64_t blocks, const cpu::RunOptions& options = {});

    /// Mean cross entropy of the last forward pass, in nats; targets [batch, length].
    double loss(std::span<const int32_t> targets, const cpu::RunOptions& options = {});

    /// The same, and the gradient of it with respect to every parameter, which replaces what `gradients` held. Logits
    /// become their own gradient. Gradients of weights are neither rounded nor divided by the rounder's factor.
    double backward(std::span<const int32_t> targets, ParameterBuffer& gradients, const cpu::RunOptions& options = {},
                    const GradientSeen& seen = {});

    const Activations& activations() const { return all; }

  private:
    void attend(const Block<const float>& w, const BlockActivations& a, const float* in,
                const cpu::RunOptions& options);
    void think(const Block<const float>& w, const BlockActivations& a, const cpu::RunOptions& options);
    void attendBackward(int64_t layer, ParameterBuffer& gradients, const cpu::RunOptions& options,
                        const GradientSeen& seen);
    void thinkBackward(int64_t layer, ParameterBuffer& gradients, const cpu::RunOptions& options,
                       const GradientSeen& seen);
    void passUnit(int64_t layer, const float* in, const cpu::RunOptions& options);
    void unitBackward(int64_t layer, ParameterBuffer& gradients, const cpu::RunOptions& options,
                      const GradientSeen& seen);
    const float* blockInput(int64_t layer) const;
    /// A layer's output, or what goes into a product, has been made.
    void stored(float* values, int64_t count, const cpu::RunOptions& options) const;
    void operand(float* values, int64_t count, const cpu::RunOptions& options) const;
    /// The gradient of an activation has been made: rounds it and tells it.
    void made(int64_t layer, int64_t activation, float* values, const cpu::RunOptions& options,
              const GradientSeen& seen);
    const float* gradientOperand(const float* x, float* room, int64_t count, const cpu::RunOptions& options);

    const Model& model;
    const Config& config;
    Activations all;
    Rounder none{Precision::F32};
    Rounder& rounder;
    std::vector<int32_t> tokens; ///< of the last forward pass
};

} // namespace warplight::model
