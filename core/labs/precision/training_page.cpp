// SPDX-License-Identifier: GPL-3.0-or-later
// Training in mixed precision: recipes beside each other on one text, step by step.
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/training_figures.h"
#include "core/labs/training/training_runs.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using namespace training;

// Found by trying: FP32 learns in some seconds, at a rate at which FP16 alone loses two updates of three, and FP16
// without a scale more than half of its gradients. Each fails in its own way, and visibly.
constexpr int64_t steps = 3000, shift = 11;
constexpr double rate = 2e-5;

class Training : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.training";
        d.lab = "Precision";
        d.title = "Training";
        d.sentence = "A small GPT trains in several recipes of mixed precision at once: what each of them loses.";
        d.question = "Does my training need FP32 weights, a loss scale, or neither?";
        d.about =
            "Every recipe trains the same GPT for real, from the same first weights and on the same sequences. What a "
            "GPU would store in 16 bits is rounded to them: weights that layers see, the output of each layer, the "
            "gradient of each output and of each weight. Sums are FP32, as tensor cores have them; so are softmax, "
            "normalisation, the loss and AdamW.\n\n"
            "**FP16** is 0 below 2^−25: gradients that are smaller are gone, and nothing is learned from them. A "
            "**loss "
            "scale** S moves them up; the update divides by S in FP32. **FP32 weights** beside those that layers see "
            "keep updates that are below half a unit of a 16-bit weight's last place, 2^−12 of it; weights that are "
            "kept in 16 bits **alone** lose these, unless they are rounded **stochastically**, which is right in the "
            "mean. **BF16** has the range of FP32 and needs no scale. **FP8** rounds the operands of products alone: "
            "E4M3 forward, E5M2 backward, each tensor with a scale of its own.\n\n"
            "**Gradient size** divides the loss by a power of two for the backward pass: a network that trains in "
            "seconds has gradients that even FP16 holds, and those of deep ones are smaller. With 2^−0 the network is "
            "as it is, and FP16 needs no scale.\n\nThe **learning rate** is as small as that of large models: an "
            "update of AdamW is about as large as the "
            "rate, 2·10^−5 at most, and half a unit of a weight of 0.02 is 8·10^−6 in FP16 and 6·10^−5 in BF16. With "
            "0.003 few updates are lost.\n\nOf a run of more than 4,000 steps each point of a curve is the mean "
            "of some.";
        d.devices = {"cpu"};
        d.colours = recipeColours();
        std::vector<Parameter::Option> options;
        for (const model::PrecisionTraits& t : model::precisions())
            options.push_back({std::string(t.id), std::string(t.title), ""});
        Parameter fixed = Parameter::integer("static", "Static scale: 2 to the", 10, 0, 40, "Of FP16, static scale.");
        Parameter first = Parameter::integer("initial", "Dynamic scale begins at 2 to the", 40, 0, 60,
                                             "Of FP16, dynamic scale: too large a beginning costs a few steps.");
        Parameter interval = Parameter::integer("interval", "Growth interval", 50, 1, 1e6,
                                                "Clean steps in a row after which a dynamic scale doubles.");
        fixed.sliderStep = first.sliderStep = 1;
        interval.unit = std::string("steps");
        fixed.shownWhen = {when("recipes", {"f16-static"})};
        first.shownWhen = interval.shownWhen = {when("recipes", {"f16-dynamic"})};
        d.parameters = {Parameter::choices("recipes", "Recipes",
                                           {"f32", "f16-no-master", "f16", "f16-dynamic", "bf16-stochastic"},
                                           std::move(options), "Trained beside each other.")};
        auto rest = trainingParameters(steps, shift, rate);
        rest.insert(rest.begin() + 1, {fixed, first, interval});
        d.parameters.insert(d.parameters.end(), rest.begin(), rest.end());
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        const auto recipes = static_cast<int64_t>(settings.choices("recipes").size());
        return secondsAStep(settings) *
               static_cast<double>(settings.integer("steps") * cpu::ceilDiv(recipes, cpu::workerCount(0)));
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        return trainingMemory(settings, recipesOf(settings));
    }

    void run(const Settings& settings, Run& run) override {
        const std::vector<model::Recipe> recipes = recipesOf(settings);
        if (recipes.empty())
            throw InputError("recipes is empty, expected at least one recipe");
        const model::Config config = configOf(settings);
        const model::Corpus corpus = corpusOf(settings, run.cancelToken());
        std::vector<TrainingRun> trainings;
        for (const model::Recipe& recipe : recipes)
            trainings.emplace_back(config, corpus, recipe, run.cancelToken());
        const int64_t steps = recipes.front().steps;
        TrainingFigures figures(run, steps);
        std::set<std::string_view> told;
        for (int64_t step = 0; step < steps; ++step) {
            cpu::parallelItems(static_cast<int64_t>(trainings.size()), cpu::workerCount(0), run.cancelToken(),
                               [&](int64_t i, int) { trainings[static_cast<size_t>(i)].step(); });
            run.checkCancelled();
            for (const TrainingRun& training : trainings)
                if (training.ended.empty())
                    figures.add(training);
                else if (told.insert(training.traits.id).second)
                    run.log(fmt::format("{}: {}", training.traits.title, training.ended), Log::Level::Warning);
            figures.show(trainings, step + 1, step + 1 == steps);
            run.progress(static_cast<double>(step + 1) / static_cast<double>(steps),
                         fmt::format("step {} of {}", step + 1, steps));
        }
    }

  private:
    static std::vector<model::Recipe> recipesOf(const Settings& settings) {
        std::vector<model::Recipe> recipes;
        for (const std::string& name : settings.choices("recipes")) {
            model::Recipe recipe = recipeOf(settings, model::precisionByName(name));
            if (name == "f16-static")
                recipe.lossScale = std::ldexp(1.0, static_cast<int>(settings.integer("static")));
            if (name == "f16-dynamic")
                recipe.lossScale = std::ldexp(1.0, static_cast<int>(settings.integer("initial")));
            recipe.growthInterval = settings.integer("interval");
            recipes.push_back(recipe);
        }
        return recipes;
    }
};

} // namespace

std::unique_ptr<Experiment> makeTraining() { return std::make_unique<Training>(); }

} // namespace warplight::labs::precision
