// SPDX-License-Identifier: GPL-3.0-or-later
// Exponents of the gradients of a training while it goes on, layer by layer, against what FP16 holds.
#include "core/error.h"
#include "core/lab/headline.h"
#include "core/labs/precision/gradient_census.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/training_figures.h"
#include "core/labs/training/curves.h"
#include "core/labs/training/growing_curves.h"
#include "core/labs/training/training_runs.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using namespace training;

constexpr auto pause = std::chrono::milliseconds(100); ///< between two pictures

Figure lines(const char* id, const char* title, const char* subtitle, const char* explain, Axis y) {
    Series content;
    content.x.title = "step";
    content.y = std::move(y);
    return {id, title, subtitle, explain, Figure::Place::Support, std::move(content)};
}

class Gradients : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.gradients";
        d.lab = "Precision";
        d.title = "Gradients";
        d.sentence = "Exponents of every layer's gradients while a small GPT trains, and what FP16 would lose of them.";
        d.question = "Which layers' gradients does FP16 flush to 0, and which loss scale saves them?";
        d.about =
            "A small GPT trains in FP32; the gradient of each layer's output is multiplied by the loss scale and "
            "compared with the range of FP16 as the backward pass makes it. Nothing is rounded, so the run is the "
            "same for every scale, and the scale can be moved while it goes on.";
        d.devices = {"cpu"};
        d.colours = recipeColours();
        Parameter scale = Parameter::integer("scale", "Loss scale: 2 to the", 0, -20, 60,
                                             "Moves all gradients: too far, and the largest are infinite. A run "
                                             "that is going on follows it.");
        scale.sliderStep = 1;
        scale.live = true;
        d.parameters = trainingParameters(1500, 15, 0.003);
        d.parameters.insert(d.parameters.begin(), scale);
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return 2 * secondsAStep(settings) * static_cast<double>(settings.integer("steps"));
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        return trainingMemory(settings, {recipeOf(settings, model::Precision::F32)});
    }

    void run(const Settings& settings, Run& run) override {
        const model::Corpus corpus = corpusOf(settings, run.cancelToken());
        const model::Recipe recipe = recipeOf(settings, model::Precision::F32);
        TrainingRun training(configOf(settings), corpus, recipe, run.cancelToken());
        int power = powerOf(settings);
        GradientCensus census(power);
        training.trainer->watchGradients([&](const model::NamedView& view) {
            run.checkCancelled();
            census.add(view);
        });
        putFigures(run);
        GrowingCurves curves(recipe.steps);
        std::chrono::steady_clock::time_point shown{};
        for (int64_t step = 1; step <= recipe.steps; ++step) {
            if (const int now = powerOf(run.current(settings)); now != power) {
                power = now;
                run.log(fmt::format("Loss scale 2^{} from step {} on.", power, step));
            }
            census = GradientCensus(power);
            training.step();
            if (!training.ended.empty())
                throw std::runtime_error(training.ended);
            addPoints(curves, census, training.last.loss, power);
            curves.endStep(step);
            const auto now = std::chrono::steady_clock::now();
            if (now - shown < pause && step != recipe.steps)
                continue;
            shown = now;
            curves.show(run);
            run.put(census.heatmap(step));
            run.put(census.histogram(step));
            run.put(census.table(step));
            putHeadlines(census, run);
            run.progress(static_cast<double>(step) / static_cast<double>(recipe.steps),
                         fmt::format("step {} of {}", step, recipe.steps));
        }
    }

  private:
    static int powerOf(const Settings& settings) { return static_cast<int>(settings.integer("scale")); }

    /// In the order in which they stand.
    static void putFigures(Run& run) {
        run.put(GradientCensus(0).heatmap(0));
        run.put(GradientCensus(0).histogram(0));
        run.put(lines("shares", "What FP16 loses", "% of the gradients of layers' outputs",
                      "**Flushed**: at or below 2^−25 once scaled, which FP16 rounds to 0. **Subnormal**: below 2^−14, "
                      "with fewer digits. **Infinite**: at least 65520. **Counted** in every step.",
                      {"of all gradients", "%", Scale::Linear, 0.0, {}, {}, false}));
        run.put(
            lines("scale", "Loss scale", "as it was moved",
                  "What gradients are multiplied by before they are counted. The slider moves it while the training "
                  "goes on.",
                  {"scale", "", Scale::Log2, {}, {}, {}, false}));
        run.put(lines("loss", "Loss", "nats a byte, before each step",
                      "Mean cross entropy of the sequences of each step, **measured**. ln 256 = 5.55 is knowing "
                      "nothing.",
                      {"loss", "nats", Scale::Linear, {}, {}, {}, false}));
    }

    static void putHeadlines(const GradientCensus& census, Run& run) {
        const GradientCensus::Losses all = census.all();
        putHeadline(run, "gone", all.percent(all.flushed), "", "{:.1f} %", "of the gradients are 0 in FP16");
        putHeadline(run, "few", all.percent(all.subnormal), "", "{:.1f} %", "are subnormal, with fewer digits");
        if (all.largest > 0)
            putHeadline(run, "headroom", std::log2(65520 / all.largest), "", "{:+.1f}",
                        "powers of two that the largest is below infinity");
    }

    static void addPoints(GrowingCurves& curves, const GradientCensus& census, double loss, int power) {
        using enum GrowingCurves::Keep;
        const GradientCensus::Losses all = census.all();
        const auto share = [&](const char* id, const char* label, const char* colour, int64_t count) {
            curves.add("shares", named({}, id, label, colour), all.percent(count));
        };
        share("flushed", "flushed to 0", "f16-no-master", all.flushed);
        share("subnormal", "subnormal", "f16-static", all.subnormal);
        share("infinite", "infinite", "scaler.skipped", all.infinite);
        curves.add("scale", named({}, "scale", "loss scale", "scaler.yours", Curve::Style::Line, Provenance::Reference),
                   std::ldexp(1.0, power), Last);
        curves.add("loss", named({}, "loss", "loss", "f32", Curve::Style::Line, Provenance::Measured), loss);
    }
};

} // namespace

std::unique_ptr<Experiment> makeGradients() { return std::make_unique<Gradients>(); }

} // namespace warplight::labs::precision
