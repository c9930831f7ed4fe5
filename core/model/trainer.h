// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/adamw.h"
#include "core/model/corpus.h"
#include "core/model/network.h"
#include "core/model/recipe.h"
#include "core/model/rounder.h"
#include "core/precision/loss_scaler.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace warplight::model {

/// What one step did.
struct StepReport {
    int64_t step = 0;                     ///< its number; the first is 0
    double loss = 0;                      ///< mean cross entropy in nats, before the step
    double rate = 0;                      ///< learning rate
    double gradientNorm = 0;              ///< before clipping
    double seconds = 0;                   ///< measured
    std::span<const NamedView> gradients; ///< of every parameter, before clipping; until the next step
    double lossScale = 1;                 ///< what the loss was multiplied by
    bool skipped = false;                 ///< gradients overflowed: no weight has changed
    Updates updates{};                    ///< of weights, and those that were stored as they had been
    GradientCounts rounded{};             ///< what rounding did to gradients
};

/// Trains a model. Of one model, text and recipe it makes the same bits on every run and with any number of threads.
/// Memory is taken once but for what the operators (core/cpu) hold while they run.
class Trainer {
  public:
    /// The model and the text are used, not copied. Throws InputError for a recipe that does not fit the model or a
    /// text shorter than a sequence.
    Trainer(Model& model, const Corpus& corpus, const Recipe& recipe, const cpu::RunOptions& options = {});

    /// The next step. Throws Cancelled, and std::runtime_error, before any weight has changed, when loss or gradients
    /// are no numbers any more. A dynamic loss scale lets gradients be none: then the step is skipped.
    StepReport step();
    bool done() const { return steps >= recipe.steps; }

    /// Told gradients of activations while steps make them.
    void watchGradients(GradientSeen watcher) { seen = std::move(watcher); }
    const Activations& activations() const { return network.activations(); }

    Model& model;
    const Corpus& corpus;
    const Recipe recipe;
    AdamW optimizer;
    precision::LossScaler scaler;
    int64_t steps = 0; ///< that have been done; a resumed run begins where it was

  private:
    /// Back to what the loss's gradient is without factors. The norm, or infinity.
    double unscale(double factor);

    const PrecisionTraits& traits;
    cpu::RunOptions options;
    Rounder rounder;
    std::unique_ptr<Model> seenModel; ///< what layers see, where it is not the weights that are kept
    Network network;
    ParameterBuffer gradients;
    std::vector<NamedView> gradientViews;
    std::vector<int32_t> tokens, targets;
    GradientSeen seen;
};

/// Bytes that a model and its training hold at most, besides the text.
int64_t trainingBytes(const Config& config, const Recipe& recipe, int threads);

} // namespace warplight::model
