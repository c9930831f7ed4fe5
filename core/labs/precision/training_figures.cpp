// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/training_figures.h"

#include "core/lab/headline.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/training/curves.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <utility>

namespace warplight::labs::precision {

using namespace lab;
using namespace training;

namespace {

Axis stepAxis() { return {"step", "", Scale::Linear, {}, {}, {}, false}; }

Figure series(const char* id, const char* title, const char* subtitle, const char* explain, Figure::Place place,
              Axis y) {
    Series content;
    content.x = stepAxis();
    content.y = std::move(y);
    return {id, title, subtitle, explain, place, std::move(content)};
}

double medianSeconds(const TrainingRun& training) {
    std::vector<float> seconds = training.seconds;
    if (seconds.empty())
        return std::numeric_limits<double>::quiet_NaN();
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return static_cast<double>(*middle);
}

double percentOf(int64_t part, int64_t all) {
    return all > 0 ? 100 * static_cast<double>(part) / static_cast<double>(all)
                   : std::numeric_limits<double>::quiet_NaN();
}

Table::Cell numberOrNone(double value) { return std::isfinite(value) ? Table::Cell(value) : Table::Cell(); }

Figure table(const std::vector<TrainingRun>& trainings) {
    const auto column = [](const char* id, const char* title, const char* unit, Provenance of, const char* format) {
        return Table::Column{id, title, unit, true, of, format};
    };
    Table t;
    t.columns = {{"recipe", "Recipe", "", false, {}, {}},
                 column("loss", "Last loss", "nats", Provenance::Measured, "{:.3f}"),
                 column("skipped", "Skipped", "steps", Provenance::Counted, ""),
                 column("lost", "Updates lost, %", "", Provenance::Counted, "{:.1f}"),
                 column("zeros", "Gradients that are 0, %", "", Provenance::Counted, "{:.1f}"),
                 column("bytes", "Memory", "B/parameter", Provenance::Counted, "{:.1f}"),
                 column("time", "Time a step", "s", Provenance::Measured, ""),
                 {"end", "How it went", "", false, {}, {}}};
    for (const TrainingRun& training : trainings) {
        t.rows.push_back(
            {std::string(training.traits.title), numberOrNone(lastLoss(training)), training.trainer->optimizer.skipped,
             numberOrNone(percentOf(training.updates.lost, training.updates.wanted)),
             numberOrNone(percentOf(training.rounded.zeros, training.rounded.numbers)),
             model::parameterBytes(training.traits.precision, training.model->layout).all(),
             numberOrNone(medianSeconds(training)),
             !training.ended.empty() ? fmt::format("left its range at step {}", training.trainer->steps + 1)
                                     : fmt::format("{} steps", training.trainer->steps)});
    }
    return {"recipes",
            "Recipes",
            "",
            "**Last loss**: mean of the last tenth of the steps. **Updates lost**: of the weights that a step should "
            "have changed, those that are stored as they were, because the change is under half a unit of their last "
            "place; over all steps. **Memory**: the weights that layers see, FP32 weights beside them, gradients, and "
            "AdamW's two FP32 means, if each buffer is of its recipe's format; counted from the buffers. **Time**: "
            "median of one thread, measured; rounding is done on top of FP32 here, so what 16 bits save on a GPU is "
            "not in it.",
            Figure::Place::Support,
            std::move(t)};
}

/// What FP32 reaches, which recipe is the furthest above it and which loses the most updates.
void putHeadlines(const std::vector<TrainingRun>& trainings, Run& run) {
    const auto title = [](const TrainingRun& t) { return std::string(t.traits.title); };
    const auto exact = std::find_if(trainings.begin(), trainings.end(),
                                    [](const TrainingRun& t) { return t.traits.precision == model::Precision::F32; });
    if (exact == trainings.end())
        return;
    const double loss = lastLoss(*exact);
    putHeadline(run, "exact", loss, "nats", "{:.2f}", "last loss of " + title(*exact), Provenance::Measured);
    const TrainingRun *worst = nullptr, *loser = nullptr;
    const auto lost = [](const TrainingRun& t) { return percentOf(t.updates.lost, t.updates.wanted); };
    for (const TrainingRun& t : trainings) {
        if (!worst || lastLoss(t) > lastLoss(*worst))
            worst = &t;
        if (!t.traits.stochastic &&
            (!loser || lost(t) > lost(*loser))) // rounded by chance, they are not lost in the mean
            loser = &t;
        if (!t.ended.empty())
            putHeadline(run, "ended." + std::string(t.traits.id), static_cast<double>(t.trainer->steps), "", "{:.0f}",
                        "steps until " + title(t) + " left its range");
    }
    if (worst != &*exact)
        putHeadline(run, "worst", lastLoss(*worst) - loss, "nats", "{:+.2f}",
                    title(*worst) + ", the furthest above " + title(*exact), Provenance::Measured);
    if (loser && lost(*loser) > 0)
        putHeadline(run, "lost.most", lost(*loser), "", "{:.0f} %", "of its updates are lost by " + title(*loser));
}

} // namespace

std::map<std::string, int64_t> recipeColours() {
    std::map<std::string, int64_t> colours = formatColours(); // f32, f16 and bf16 are recipes as well
    colours.merge(scalerColours());
    colours.merge(std::map<std::string, int64_t>{
        {"f16-no-master", 3}, {"f16-static", 5}, {"f16-dynamic", 2}, {"bf16-stochastic", 7}, {"fp8", 8}});
    return colours;
}

TrainingFigures::TrainingFigures(Run& r, int64_t steps) : run(r), curves(steps) {
    run.put(series("loss", "Loss", "nats a byte, before each step",
                   "Mean cross entropy of the sequences of each step, **measured**: every recipe begins with the same "
                   "weights and sees the same sequences. ln 256 = 5.55 is knowing nothing.",
                   Figure::Place::Main, {"loss", "nats", Scale::Linear, {}, {}, {}, false}));
    run.put(series("scale", "Loss scale", "and the steps that were skipped",
                   "What the loss is multiplied by before the backward pass. A dynamic scale halves when a gradient is "
                   "infinite in FP16, and the step is skipped; it doubles after as many clean steps as you set.",
                   Figure::Place::Support, {"scale", "", Scale::Log2, {}, {}, {}, false}));
    run.put(series("lost", "Updates lost", "% of the weights that a step should change",
                   "Weights that are stored as they were though AdamW's update is not 0: it is below half a unit of "
                   "the last place of the format that they are kept in. **Counted** in every step.",
                   Figure::Place::Support, {"updates lost", "%", Scale::Linear, 0.0, 100.0, {}, false}));
    run.put(series("zeros", "Gradients that are 0", "% of all, after rounding",
                   "Of the gradients of layers' outputs and of weights, those that are 0 in the format that they are "
                   "stored in: themselves too small for it, or made of such. **Counted** in every step; FP32 rounds "
                   "none of them and is not counted.",
                   Figure::Place::Support, {"zeros", "%", Scale::Linear, 0.0, 100.0, {}, false}));
}

void TrainingFigures::add(const TrainingRun& training) {
    const model::StepReport& r = training.last;
    const auto point = [&](const char* figure, double y, Provenance provenance, GrowingCurves::Keep keep) {
        const std::string id(training.traits.id);
        if (std::isfinite(y))
            curves.add(figure, named({}, id, std::string(training.traits.title), id, Curve::Style::Line, provenance), y,
                       keep);
    };
    using enum GrowingCurves::Keep;
    point("loss", r.loss, Provenance::Measured, Mean);
    if (training.traits.lossScale != 1)
        point("scale", r.lossScale, Provenance::Counted, Last);
    if (r.skipped)
        curves.add("scale", named({}, "skipped", "skipped steps", "scaler.skipped", Curve::Style::Points), r.lossScale,
                   Each);
    else
        point("lost", 100 * r.updates.lostShare(), Provenance::Counted, Mean);
    if (r.rounded.numbers > 0)
        point("zeros", 100 * r.rounded.share(r.rounded.zeros), Provenance::Counted, Mean);
}

void TrainingFigures::show(const std::vector<TrainingRun>& trainings, int64_t step, bool now) {
    constexpr auto pause = std::chrono::milliseconds(80);
    curves.endStep(step);
    if (!now && std::chrono::steady_clock::now() - shown < pause)
        return;
    curves.show(run);
    run.put(table(trainings));
    putHeadlines(trainings, run);
    shown = std::chrono::steady_clock::now();
}

} // namespace warplight::labs::precision
