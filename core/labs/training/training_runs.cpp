// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/training/training_runs.h"

#include "core/error.h"
#include "core/labs/training/embedded_documents.h" // README.md and docs
#include "core/model/tokenizer.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <system_error>

namespace warplight::labs::training {

using namespace lab;

namespace {

constexpr int64_t longestText = int64_t{1} << 28;

std::string ownText() {
    std::string text;
    for (const EmbeddedFile& file : documents)
        text += file.contents();
    return text;
}

} // namespace

TrainingRun::TrainingRun(const model::Config& config, const model::Corpus& corpus, const model::Recipe& recipe,
                         const std::atomic<bool>* cancel)
    : traits(model::traitsOf(recipe.precision)), model(std::make_unique<model::Model>(config)) {
    model::initialise(config, model->layout, model->weights, recipe.seed);
    trainer = std::make_unique<model::Trainer>(*model, corpus, recipe, cpu::RunOptions{1, cancel});
}

void TrainingRun::step() {
    if (!ended.empty())
        return;
    try {
        last = trainer->step();
        losses.push_back(static_cast<float>(last.loss));
        seconds.push_back(static_cast<float>(last.seconds));
        updates += last.updates;
        rounded += last.rounded;
    } catch (const Cancelled&) {
        throw;
    } catch (const InputError&) {
        throw;
    } catch (const std::runtime_error& error) {
        ended = error.what();
    }
}

double lastLoss(const TrainingRun& training) {
    const auto& losses = training.losses;
    if (!training.ended.empty() || losses.empty())
        return std::numeric_limits<double>::quiet_NaN();
    const size_t count = std::max<size_t>(1, losses.size() / 10);
    return std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(count), losses.end(), 0.0) /
           static_cast<double>(count);
}

std::vector<Parameter> trainingParameters(int64_t steps, int64_t shift, double rate) {
    Parameter small = Parameter::integer(
        "shift", "Gradient size: 2 to the minus", shift, 0, 40,
        "Divides the loss by this power of two for the backward pass alone: it stands for deep networks, whose "
        "gradients are smaller than those of one that trains in seconds. Updates are made of gradients that are "
        "multiplied back in FP32.");
    small.sliderStep = 1;
    Parameter highest = Parameter::real("rate", "Learning rate", rate, 1e-6, 1,
                                        "The highest: it rises over a tenth of "
                                        "the steps and falls as a cosine.");
    Parameter count = Parameter::integer("steps", "Steps", steps, 10, 100'000, "Of each training.");
    count.sliderStep = 10;
    std::vector<Parameter> model = {
        Parameter::integer("layers", "Layers", 2, 1, 12, "Blocks of attention and an MLP."),
        Parameter::integer("features", "Features", 48, 16, 256, "Of a token between layers; a multiple of 16."),
        Parameter::integer("context", "Context", 32, 8, 256, "Tokens of a sequence."),
        Parameter::integer("batch", "Batch", 4, 1, 64, "Sequences a step."),
        Parameter::integer("seed", "Seed", 1, 0, 1e9, "Of the first weights and of which sequences a step sees.")};
    for (Parameter& p : model) {
        p.group = "Model";
        p.advanced = true;
    }
    model[1].sliderStep = 16;
    std::vector<Parameter> all = {
        small, count, highest,
        Parameter::choice("input", "Text", "example",
                          {{"example", "this program's documents", "Some 100 kB of technical English."},
                           {"file", "a file", "Your own."}},
                          "What is learned, byte by byte."),
        Parameter::file("file", "File", "Texts (*.txt *.md);;any file (*)", "Its bytes are the tokens.")};
    all.back().shownWhen = {when("input", {"file"})};
    all.insert(all.end(), model.begin(), model.end());
    return all;
}

model::Config configOf(const Settings& settings) {
    constexpr int64_t headFeatures = 16;
    model::Config config;
    config.layers = settings.integer("layers");
    config.features = settings.integer("features");
    config.context = settings.integer("context");
    config.heads = std::max<int64_t>(1, config.features / headFeatures);
    config.hidden = 4 * config.features;
    if (config.features % headFeatures != 0)
        throw InputError(fmt::format("features is {}, expected a multiple of {}", config.features, headFeatures));
    return config;
}

model::Recipe recipeOf(const Settings& settings, model::Precision precision) {
    model::Recipe recipe;
    recipe.steps = settings.integer("steps");
    recipe.batch = settings.integer("batch");
    recipe.length = settings.integer("context");
    recipe.seed = static_cast<uint64_t>(settings.integer("seed"));
    recipe.rate = settings.real("rate");
    recipe.warmup = recipe.steps / 10;
    recipe.precision = precision;
    recipe.gradientShift = settings.integer("shift");
    return recipe;
}

model::Corpus corpusOf(const Settings& settings, const std::atomic<bool>* cancel) {
    if (settings.text("input") != "file")
        return {model::byteTokenizer()->encode(ownText()), "the documents"};
    const std::string& file = settings.text("file");
    if (file.empty())
        throw InputError("file is empty, expected a text to train on");
    return {model::byteTokenizer()->encode(contentsOfFile(file, longestText, "a text to train on", cancel)), file};
}

MemoryNeed trainingMemory(const Settings& settings, const std::vector<model::Recipe>& recipes) {
    constexpr int64_t always = int64_t{24} << 20; // threads' caches, figures
    int64_t bytes = always;
    model::Config config = configOf(settings);
    for (const model::Recipe& recipe : recipes)
        bytes = saturatedSum(bytes, model::trainingBytes(config, recipe, 1));
    if (settings.text("input") == "file") {
        std::error_code ignored;
        const auto size = std::filesystem::file_size(settings.text("file"), ignored);
        constexpr int64_t aByte = 10; // as bytes, and as tokens twice while they are handed over
        bytes = saturatedSum(bytes, ignored ? 0 : saturatedProduct(aByte, static_cast<int64_t>(size)));
    }
    return {bytes, 0, "Training", "features, layers, batch or context"};
}

double secondsAStep(const Settings& settings) {
    constexpr double operationsASecond = 1.4e10, always = 1e-3;
    const double features = static_cast<double>(settings.integer("features")),
                 layers = static_cast<double>(settings.integer("layers"));
    const double rows = static_cast<double>(settings.integer("batch") * settings.integer("context"));
    return always + 6 * rows * (12 * layers * features * features + 256 * features) / operationsASecond;
}

} // namespace warplight::labs::training
