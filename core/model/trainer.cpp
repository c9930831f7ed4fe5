// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/trainer.h"

#include "core/cpu/attention/attention_memory.h"
#include "core/cpu/attention/backward.h"
#include "core/cpu/gau/backward.h"
#include "core/cpu/gau/mixing.h"
#include "core/cpu/matmul/matmul.h"
#include "core/error.h"
#include "core/model/gated_unit.h"
#include "core/model/heads.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>

namespace warplight::model {
namespace {

Recipe completed(Recipe recipe, const Config& config) {
    check(recipe, "training");
    if (recipe.length == 0)
        recipe.length = config.context;
    return recipe;
}

precision::ScalerRules rulesOf(const Recipe& recipe) {
    const PrecisionTraits& traits = traitsOf(recipe.precision);
    precision::ScalerRules rules;
    rules.initial = recipe.lossScale > 0 ? recipe.lossScale : traits.lossScale;
    rules.interval = recipe.growthInterval;
    if (!traits.dynamic)
        rules.growth = rules.backoff = 1;
    return rules;
}

std::unique_ptr<Model> roundedModel(const PrecisionTraits& traits, const Config& config) {
    return traits.master ? std::make_unique<Model>(config) : nullptr;
}

} // namespace

Trainer::Trainer(Model& m, const Corpus& c, const Recipe& r, const cpu::RunOptions& o)
    : model(m),
      corpus(c),
      recipe(completed(r, m.config)),
      optimizer(m.layout),
      scaler(rulesOf(recipe)),
      traits(traitsOf(recipe.precision)),
      options(o),
      rounder(recipe.precision),
      seenModel(roundedModel(traits, m.config)),
      network(seenModel ? *seenModel : m, recipe.batch, recipe.length, true, &rounder),
      gradients(m.layout),
      gradientViews(namedViews(m.layout, gradients)),
      tokens(static_cast<size_t>(recipe.batch * recipe.length)),
      targets(tokens.size()) {
    corpus.sequences(recipe.seed, 0, recipe.length, tokens, targets); // refuses a short text now
    if (traits.stored && !traits.master)
        round(*traits.stored, model.weights.all().data(), model.weights.all().data(), model.layout.size(), options);
}

double Trainer::unscale(double factor) {
    if (factor != 1) {
        const auto back = static_cast<float>(1 / factor);
        for (float& g : gradients.all())
            g *= back;
    }
    return optimizer.gradientNorm(gradients, options);
}

StepReport Trainer::step() {
    const auto begin = std::chrono::steady_clock::now();
    StepReport report;
    report.step = steps;
    report.rate = rateAt(recipe, steps);
    corpus.sequences(recipe.seed, steps, recipe.length, tokens, targets);
    report.lossScale = scaler.scale();
    const double factor = std::ldexp(report.lossScale, -static_cast<int>(recipe.gradientShift));
    rounder.lossFactor = static_cast<float>(factor);
    rounder.counts = {};
    if (seenModel)
        rounder.weights(model.layout, model.weights, seenModel->weights, options);
    network.forward(tokens, options);
    report.loss = network.backward(targets, gradients, options, seen);
    rounder.gradients(model.layout, gradients, options);
    report.gradientNorm = unscale(factor);
    const bool finite = std::isfinite(report.gradientNorm);
    report.skipped = traits.dynamic && !finite;
    if (!std::isfinite(report.loss) || (!finite && !report.skipped))
        throw std::runtime_error(
            fmt::format("Training went out of what {} holds at step {}: the loss is {}, the gradients' norm {}; a "
                        "lower learning rate or a longer warm-up{} keeps it finite.",
                        traits.stored ? number::name(*traits.stored) : "f32", steps, report.loss, report.gradientNorm,
                        report.lossScale > 1 ? " or a smaller loss scale" : ""));
    if (report.skipped)
        ++optimizer.skipped;
    else
        report.updates = optimizer.step(recipe, steps, report.gradientNorm, gradients, model.weights,
                                        {options.threads, nullptr}, // half a step would be none
                                        {traits.master ? std::nullopt : traits.stored, traits.stochastic, recipe.seed});
    scaler.update(report.skipped);
    report.rounded = rounder.counts;
    ++steps;
    report.gradients = gradientViews;
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return report;
}

int64_t trainingBytes(const Config& c, const Recipe& given, int threads) {
    const Recipe recipe = completed(given, c);
    const int64_t rows = saturatedProduct(recipe.batch, recipe.length);
    const int64_t buffers = traitsOf(recipe.precision).master ? 5 : 4; // and gradients, AdamW's two, a rounded copy
    const int64_t parameters = saturatedProduct(4 * buffers, ParameterLayout(c).size());
    int64_t held = 0;
    if (c.architecture == Architecture::Gau) {
        const cpu::GauShape shape = unitShape(c, recipe.batch, recipe.length);
        held = std::max(cpu::mixingBytesAtMost(cpu::GauScores::InTiles, shape, threads),
                        cpu::gauBackwardBytesAtMost(shape, threads));
    } else {
        const Heads heads{recipe.batch, recipe.length, c.heads, c.headFeatures()};
        const cpu::AttentionProblem attention = attentionOf(heads, nullptr, nullptr, nullptr, nullptr, nullptr);
        held = std::max(cpu::extraBytesAtMost(cpu::Implementation::FlashPacked, attention, threads),
                        cpu::extraBytesAtMost(cpu::BackwardRung::Flash2, attention, threads));
    }
    for (const int64_t width : {std::max(3 * c.features, c.hidden), c.vocabulary})
        for (cpu::MatmulProblem p :
             {cpu::MatmulProblem{rows, width, c.features}, cpu::MatmulProblem{rows, c.features, width},
              cpu::MatmulProblem{width, c.features, rows}, cpu::MatmulProblem{c.features, width, rows}}) {
            p.transposedA = true; // as some are: the most that packing takes
            held = std::max(held, cpu::extraBytesAtMost(cpu::MatmulRung::Packed, p, threads));
        }
    return saturatedSum(saturatedSum(parameters, activationBytes(c, recipe.batch, recipe.length, true)),
                        saturatedSum(held, saturatedProduct(rows, 12)));
}

} // namespace warplight::model
