// SPDX-License-Identifier: GPL-3.0-or-later
// Exponents of the gradients of a training while it goes on, layer by layer, against what FP16 holds.
#include "core/error.h"
#include "core/labs/precision/curves.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/training_figures.h"
#include "core/labs/precision/training_runs.h"
#include "core/precision/loss_scaler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;

constexpr int lowest = -56, exponents = 76; ///< of the heat map: what is beyond stands in its first and last column

/// What one step had, scaled: exponents by layer, and what FP16 makes of them.
struct Census {
    std::vector<std::string> names; ///< of layers' outputs, in the order of the backward pass
    std::vector<std::vector<int64_t>> counts;
    int64_t numbers = 0, flushed = 0, subnormal = 0, infinite = 0;

    void add(const model::NamedView& view, double scale) {
        std::vector<int64_t> row(exponents);
        for (const float g : view.values) {
            const double size = std::fabs(static_cast<double>(g)) * scale;
            ++numbers;
            if (size == 0)
                continue;
            ++row[static_cast<size_t>(std::clamp(std::ilogb(size) - lowest, 0, exponents - 1))];
            flushed += size <= 0x1p-25;
            subnormal += size > 0x1p-25 && size < 0x1p-14;
            infinite += size >= warplight::precision::f16Overflow;
        }
        names.emplace_back(view.name);
        counts.push_back(std::move(row));
    }
    double percent(int64_t of) const { return 100 * static_cast<double>(of) / static_cast<double>(numbers); }
};

/// "1 q" of "h.1.attn.q": axes have room for little.
std::string shortName(const std::string& name) {
    if (!name.starts_with("h."))
        return name;
    const size_t dot = name.find('.', 2);
    const std::string what = name.substr(dot + 1);
    return name.substr(2, dot - 2) + " " + (what == "attn.out" ? "attn" : what.substr(what.find('.') + 1));
}

Figure heatmapOf(const Census& census, int64_t step) {
    Heatmap map;
    map.rows = static_cast<int64_t>(census.names.size());
    map.cols = exponents;
    map.x.title = "exponent: |g| · scale is 2 to the";
    for (int e = 0; e < exponents; ++e)
        map.x.labels.push_back(std::to_string(lowest + e));
    map.y.title = "gradient of";
    map.valueTitle = "share of the layer";
    map.valueUnit = "%";
    map.valueMinimum = 0;
    map.valueMaximum = 30;
    for (size_t i = 0; i < census.names.size(); ++i) {
        int64_t all = 0;
        for (const int64_t count : census.counts[i])
            all += count;
        map.y.labels.push_back(shortName(census.names[i]));
        for (const int64_t count : census.counts[i])
            map.cells.push_back(count == 0 ? std::numeric_limits<float>::quiet_NaN()
                                           : 100 * static_cast<float>(count) / static_cast<float>(all));
    }
    return {"exponents",
            "Exponents by layer",
            fmt::format("step {}, in the order of the backward pass", step),
            "Exponents of the gradients of every layer's output in this step, **counted**, as the loss scale moves "
            "them. FP16 keeps all 11 bits from −14 to 15, fewer down to −24, and nothing below −25; from 16 on it is "
            "infinite. The first and the last column hold what lies beyond as well.",
            Figure::Place::Main,
            std::move(map)};
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
            "same for every scale.";
        d.devices = {"cpu"};
        d.colours = recipeColours();
        Parameter scale = Parameter::integer("scale", "Loss scale: 2 to the", 0, -20, 60,
                                             "Moves all gradients: too far, and the largest are infinite.");
        scale.sliderStep = 1;
        d.parameters = trainingParameters(100, 15);
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
        const double scale = std::ldexp(1.0, static_cast<int>(settings.integer("scale")));
        Census census;
        training.trainer->watchGradients([&](const model::NamedView& view) {
            run.checkCancelled();
            census.add(view, scale);
        });
        Series shares;
        shares.x.title = "step";
        shares.y = {"of all gradients", "%", Scale::Linear, 0.0, {}, {}, false};
        Figure figure{"shares",
                      "What FP16 loses",
                      "% of the gradients of layers' outputs",
                      "**Flushed**: at or below 2^−25 once scaled, which FP16 rounds to 0. **Subnormal**: below 2^−14, "
                      "with fewer digits. **Infinite**: at least 65520. **Counted** in every step.",
                      Figure::Place::Support,
                      std::move(shares)};
        std::chrono::steady_clock::time_point shown{};
        for (int64_t step = 1; step <= recipe.steps; ++step) {
            census = {};
            training.step();
            if (!training.ended.empty())
                throw std::runtime_error(training.ended);
            const bool first = step == 1;
            const auto now = std::chrono::steady_clock::now();
            const auto add = [&](const char* id, const char* label, const char* colour, int64_t count) {
                Curve more;
                more.x = {static_cast<double>(step)};
                more.y = {census.percent(count)};
                run.appendPoint("shares", named(std::move(more), id, label, colour));
            };
            if (first || step == recipe.steps || now - shown > std::chrono::milliseconds(100)) {
                run.put(heatmapOf(census, step));
                shown = now;
            }
            if (first)
                run.put(std::move(figure));
            add("flushed", "flushed to 0", "f16-no-master", census.flushed);
            add("subnormal", "subnormal", "f16-static", census.subnormal);
            add("infinite", "infinite", "scaler.skipped", census.infinite);
            run.progress(static_cast<double>(step) / static_cast<double>(recipe.steps),
                         fmt::format("step {} of {}", step, recipe.steps));
        }
    }
};

} // namespace

std::unique_ptr<Experiment> makeGradients() { return std::make_unique<Gradients>(); }

} // namespace warplight::labs::precision
