// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/trainer.h"

#include "core/cpu/attention/attention_memory.h"
#include "core/cpu/attention/backward.h"
#include "core/cpu/matmul/matmul.h"
#include "core/error.h"
#include "core/model/heads.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <stdexcept>

namespace warplight::model {
namespace {

Recipe completed(Recipe recipe, const Config& config) {
    check(recipe, "training");
    if (recipe.length == 0)
        recipe.length = config.context;
    return recipe;
}

} // namespace

Trainer::Trainer(Model& m, const Corpus& c, const Recipe& r, const cpu::RunOptions& o)
    : model(m),
      corpus(c),
      recipe(completed(r, m.config)),
      optimizer(m.layout),
      options(o),
      network(m, recipe.batch, recipe.length, true),
      gradients(m.layout),
      gradientViews(namedViews(m.layout, gradients)),
      tokens(static_cast<size_t>(recipe.batch * recipe.length)),
      targets(tokens.size()) {
    corpus.sequences(recipe.seed, 0, recipe.length, tokens, targets); // refuses a short text now
}

StepReport Trainer::step() {
    const auto begin = std::chrono::steady_clock::now();
    StepReport report;
    report.step = steps;
    report.rate = rateAt(recipe, steps);
    corpus.sequences(recipe.seed, steps, recipe.length, tokens, targets);
    network.forward(tokens, options);
    report.loss = network.backward(targets, gradients, options, seen);
    report.gradientNorm = optimizer.gradientNorm(gradients, options);
    if (!std::isfinite(report.loss) || !std::isfinite(report.gradientNorm))
        throw std::runtime_error(
            fmt::format("Training went out of what f32 holds at step {}: the loss is {}, the gradients' norm {}; a "
                        "lower learning rate or a longer warm-up keeps it finite.",
                        steps, report.loss, report.gradientNorm));
    optimizer.step(recipe, steps, report.gradientNorm, gradients, model.weights,
                   {options.threads, nullptr}); // half a step would be none
    ++steps;
    report.gradients = gradientViews;
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return report;
}

int64_t trainingBytes(const Config& c, const Recipe& given, int threads) {
    const Recipe recipe = completed(given, c);
    const int64_t rows = saturatedProduct(recipe.batch, recipe.length);
    const int64_t parameters = saturatedProduct(4 * 4, ParameterLayout(c).size()); // and gradients, and AdamW's two
    const Heads heads{recipe.batch, recipe.length, c.heads, c.headFeatures()};
    const cpu::AttentionProblem attention = attentionOf(heads, nullptr, nullptr, nullptr, nullptr, nullptr);
    int64_t held = std::max(cpu::extraBytesAtMost(cpu::Implementation::FlashPacked, attention, threads),
                            cpu::extraBytesAtMost(cpu::BackwardRung::Flash2, attention, threads));
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
