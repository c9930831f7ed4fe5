// SPDX-License-Identifier: GPL-3.0-or-later
// What pages that train a small GPT have in common: its sizes, its text, its recipe.
#pragma once

#include "core/lab/parameter.h"
#include "core/model/corpus.h"
#include "core/model/trainer.h"
#include "gpu/host/memory_budget.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::training {

/// One training beside others: of the same first weights, and the same sequences in the same order. Its steps take one
/// thread: they are too short for more, and others go on at the same time.
struct TrainingRun {
    TrainingRun(const model::Config& config, const model::Corpus& corpus, const model::Recipe& recipe,
                const std::atomic<bool>* cancel);

    const model::PrecisionTraits& traits;
    std::unique_ptr<model::Model> model;
    std::unique_ptr<model::Trainer> trainer;
    model::StepReport last;             ///< of the last step
    std::vector<float> losses, seconds; ///< of all steps so far
    model::Updates updates{};           ///< of all steps together
    model::GradientCounts rounded{};    ///< likewise
    std::string ended;                  ///< why no step can follow: its numbers left the range of its formats

    /// The next step, if any can follow. Throws Cancelled.
    void step();
};

/// Mean loss of the last tenth of the steps, which batches make rise and fall; NaN of a training that ended in none.
double lastLoss(const TrainingRun& training);

/// The defaults are the page's own. Settings "input" and "file", "steps", "batch", "context", "layers", "features",
/// "rate", "shift" and "seed".
std::vector<lab::Parameter> trainingParameters(int64_t steps, int64_t shift, double rate);
model::Config configOf(const lab::Settings& settings);
model::Recipe recipeOf(const lab::Settings& settings, model::Precision precision);
/// The file, or this program's own documents; a token a byte. Throws InputError naming file and what was expected.
model::Corpus corpusOf(const lab::Settings& settings, const std::atomic<bool>* cancel);

/// Of so many trainings beside each other, and the text.
MemoryNeed trainingMemory(const lab::Settings& settings, const std::vector<model::Recipe>& recipes);
/// Of one step, about, on one core.
double secondsAStep(const lab::Settings& settings);

} // namespace warplight::labs::training
