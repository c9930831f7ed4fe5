// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/adamw.h"
#include "core/model/corpus.h"
#include "core/model/network.h"
#include "core/model/recipe.h"

#include <cstdint>
#include <functional>
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
};

/// Trains a model. Of one model, text and recipe it makes the same bits on every run and with any number of threads.
/// Memory is taken once but for what the operators (core/cpu) hold while they run.
class Trainer {
  public:
    /// The model and the text are used, not copied. Throws InputError for a recipe that does not fit the model or a
    /// text shorter than a sequence.
    Trainer(Model& model, const Corpus& corpus, const Recipe& recipe, const cpu::RunOptions& options = {});

    /// The next step. Throws Cancelled, and std::runtime_error, before any weight has changed, when loss or gradients
    /// are no numbers any more.
    StepReport step();
    bool done() const { return steps >= recipe.steps; }

    /// Told gradients of activations while steps make them.
    void watchGradients(GradientSeen watcher) { seen = std::move(watcher); }
    const Activations& activations() const { return network.activations(); }

    Model& model;
    const Corpus& corpus;
    const Recipe recipe;
    AdamW optimizer;
    int64_t steps = 0; ///< that have been done; a resumed run begins where it was

  private:
    cpu::RunOptions options;
    Network network;
    ParameterBuffer gradients;
    std::vector<NamedView> gradientViews;
    std::vector<int32_t> tokens, targets;
    GradientSeen seen;
};

/// Bytes that a model and its training hold at most, besides the text.
int64_t trainingBytes(const Config& config, const Recipe& recipe, int threads);

} // namespace warplight::model
