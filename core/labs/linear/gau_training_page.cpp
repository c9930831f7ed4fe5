// SPDX-License-Identifier: GPL-3.0-or-later
// GAU training: a GPT-2 and one of gated attention units with as many parameters, trained beside each other.
#include "core/cpu/parallel.h"
#include "core/lab/headline.h"
#include "core/labs/linear/gau_lab.h"
#include "core/labs/training/curves.h"
#include "core/labs/training/growing_curves.h"
#include "core/labs/training/training_runs.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;
using training::TrainingRun;

/// A training with the name that its curve has.
struct Named {
    std::string id, title;
    TrainingRun training;
};

class GauTraining : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.gau-training";
        d.lab = "Linear attention";
        d.title = "GAU training";
        d.sentence = "A GPT-2 and one whose blocks are two gated attention units each learn the same text, live.";
        d.question = "Do gated attention units learn as well as attention and a feed-forward layer of their size?";
        d.about =
            "Both models have the same embeddings and as many parameters; each block of attention and an MLP stands "
            "against **two gated attention units**, Y = (U ∘ A V) Wₒ, whose e makes the numbers meet. Both see the "
            "same "
            "sequences in the same order, with the same recipe (AdamW, warm-up, cosine).\n\nUnits here attend by "
            "A = relu²(Q Kᵀ) / (m s), causal, where **m is the number of keys that a row sees**, not the length: a "
            "token's output does not depend on what follows. γ begins at 1 and β at 0.";
        d.devices = {"cpu"};
        d.colours = {{"gpt2-block", 2}, {"gau-block", 0}};
        Parameter steps = Parameter::integer("steps", "Steps", 300, 10, 100'000, "Of each training.");
        steps.sliderStep = 10;
        Parameter text =
            Parameter::choice("input", "Text", "example",
                              {{"example", "this program's documents", "Some 100 kB of technical English."},
                               {"file", "a file", "Your own."}},
                              "What is learned, byte by byte.");
        Parameter file =
            Parameter::file("file", "File", "Texts (*.txt *.md);;any file (*)", "Its bytes are the tokens.");
        file.shownWhen = {when("input", {"file"})};
        Parameter features = Parameter::integer("features", "Features", 64, 16, 256, "Of a token; a multiple of 16.");
        features.sliderStep = 16;
        d.parameters = {
            steps,
            Parameter::real("rate", "Learning rate", 0.003, 1e-6, 1,
                            "The highest: it rises over a tenth of the steps and falls as a cosine."),
            text,
            file,
            Parameter::integer("layers", "Blocks", 2, 1, 12, "Of the GPT-2; twice as many units."),
            features,
            Parameter::integer("context", "Context", 64, 8, 256, "Tokens of a sequence."),
            Parameter::integer("batch", "Batch", 4, 1, 64, "Sequences a step."),
            Parameter::integer("seed", "Seed", 1, 0, 1e9, "Of the first weights and of which sequences a step sees.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        return training::secondsAStep(s) * 2.2 * static_cast<double>(s.integer("steps")) / cpu::workerCount(2);
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        const model::Recipe recipe = recipeOf(s);
        MemoryNeed need = training::trainingMemory(s, {recipe});
        need.bytes =
            saturatedSum(need.bytes, model::trainingBytes(model::withGatedUnits(training::configOf(s)), recipe, 1));
        return need;
    }

    void run(const Settings& s, Run& run) override {
        const model::Config gpt2 = training::configOf(s), gated = model::withGatedUnits(gpt2);
        const model::Recipe recipe = recipeOf(s);
        const model::Corpus corpus = training::corpusOf(s, run.cancelToken());
        std::vector<Named> all;
        all.push_back({"gpt2-block", "attention + MLP", {gpt2, corpus, recipe, run.cancelToken()}});
        all.push_back({"gau-block", "gated attention units", {gated, corpus, recipe, run.cancelToken()}});
        putCurves(run);
        training::GrowingCurves curves(recipe.steps);
        std::chrono::steady_clock::time_point shown{};
        for (int64_t step = 0; step < recipe.steps; ++step) {
            cpu::parallelItems(static_cast<int64_t>(all.size()), cpu::workerCount(0), run.cancelToken(),
                               [&](int64_t i, int) { all[static_cast<size_t>(i)].training.step(); });
            run.checkCancelled();
            for (const Named& one : all)
                if (one.training.ended.empty())
                    curves.add("loss",
                               training::named({}, one.id, one.title, one.id, Curve::Style::Line, Provenance::Measured),
                               one.training.last.loss);
                else if (static_cast<int64_t>(one.training.losses.size()) == step)
                    run.log(fmt::format("{}: {}", one.title, one.training.ended), Log::Level::Warning);
            curves.endStep(step + 1);
            run.progress(static_cast<double>(step + 1) / static_cast<double>(recipe.steps),
                         fmt::format("step {} of {}", step + 1, recipe.steps));
            const auto now = std::chrono::steady_clock::now();
            constexpr auto pause = std::chrono::milliseconds(80);
            if (step + 1 < recipe.steps && now - shown < pause)
                continue;
            shown = now;
            curves.show(run);
            putTable(all, recipe, run);
        }
        putDifference(all, run);
    }

  private:
    static model::Recipe recipeOf(const Settings& s) {
        model::Recipe recipe;
        recipe.steps = s.integer("steps");
        recipe.batch = s.integer("batch");
        recipe.length = s.integer("context");
        recipe.seed = static_cast<uint64_t>(s.integer("seed"));
        recipe.rate = s.real("rate");
        recipe.warmup = recipe.steps / 10;
        return recipe;
    }

    static void putCurves(Run& run) {
        Series content;
        content.x.title = "step";
        content.y.title = "loss";
        content.y.unit = "nats";
        run.put({"loss", "Loss", "nats a byte, before each step",
                 "Mean cross entropy of the sequences of each step, **measured**. ln 256 = 5.55 is knowing nothing.",
                 Figure::Place::Main, std::move(content)});
    }

    static void putTable(const std::vector<Named>& all, const model::Recipe& recipe, Run& run) {
        const auto column = [](const char* id, const char* title, const char* unit, Provenance of, const char* format) {
            return Table::Column{id, title, unit, true, of, format};
        };
        Table t;
        t.columns = {{"blocks", "Blocks of", "", false, {}, {}},
                     column("parameters", "Parameters", "", Provenance::Counted, ""),
                     column("layers", "Layers", "", Provenance::Counted, ""),
                     column("hidden", "MLP, or e", "features", Provenance::Counted, ""),
                     column("loss", "Last loss", "nats", Provenance::Measured, "{:.3f}"),
                     column("time", "Time a step", "s", Provenance::Measured, ""),
                     column("rate", "Rate", "tokens/s", Provenance::Measured, "{:.0f}")};
        for (const Named& one : all) {
            const TrainingRun& r = one.training;
            double seconds = 0;
            for (const float each : r.seconds)
                seconds += static_cast<double>(each);
            const double step = seconds / static_cast<double>(std::max<size_t>(1, r.seconds.size()));
            const bool is = r.ended.empty() && !r.losses.empty();
            t.rows.push_back(
                {one.title, r.model->layout.count(), r.model->config.layers, r.model->config.hidden,
                 is ? Table::Cell(training::lastLoss(r)) : Table::Cell(), is ? Table::Cell(step) : Table::Cell(),
                 is ? Table::Cell(static_cast<double>(recipe.batch * recipe.length) / step) : Table::Cell()});
        }
        run.put(
            {"models", "Models", "",
             "**Last loss**: mean of the last tenth of the steps. **Time a step**: mean, each training on one thread.",
             Figure::Place::Support, std::move(t)});
    }

    static void putDifference(const std::vector<Named>& all, Run& run) {
        if (!all[0].training.ended.empty() || !all[1].training.ended.empty())
            return;
        const double by = training::lastLoss(all[1].training) - training::lastLoss(all[0].training);
        lab::putHeadline(run, "difference", by, "nats", "{:+.3f}",
                         by < 0 ? "gated units are below attention + MLP" : "gated units are above attention + MLP",
                         Provenance::Measured);
    }
};

} // namespace

std::unique_ptr<Experiment> makeGauTraining() { return std::make_unique<GauTraining>(); }

} // namespace warplight::labs::linear
