// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/training_figures.h"

#include "core/labs/precision/precision_lab.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>

namespace warplight::labs::precision {

using namespace lab;

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
    std::vector<double> seconds;
    for (const model::StepReport& r : training.reports)
        seconds.push_back(r.seconds);
    if (seconds.empty())
        return std::numeric_limits<double>::quiet_NaN();
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
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
                 column("time", "Time a step", "ms", Provenance::Measured, "{:.1f}"),
                 {"end", "How it went", "", false, {}, {}}};
    for (const TrainingRun& training : trainings) {
        double wanted = 0, lost = 0, numbers = 0, zeros = 0;
        for (const model::StepReport& r : training.reports) {
            wanted += static_cast<double>(r.updates.wanted);
            lost += static_cast<double>(r.updates.lost);
            numbers += static_cast<double>(r.rounded.numbers);
            zeros += static_cast<double>(r.rounded.zeros);
        }
        t.rows.push_back(
            {std::string(training.traits.title), numberOrNone(lastLoss(training)), training.trainer->optimizer.skipped,
             numberOrNone(100 * lost / wanted), numberOrNone(100 * zeros / numbers),
             model::parameterBytes(training.traits.precision, training.model->layout).all(),
             numberOrNone(1e3 * medianSeconds(training)),
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

} // namespace

double lastLoss(const TrainingRun& training) {
    const auto& reports = training.reports;
    const size_t count = std::max<size_t>(1, reports.size() / 10);
    if (!training.ended.empty() || reports.empty())
        return std::numeric_limits<double>::quiet_NaN();
    double sum = 0;
    for (size_t i = reports.size() - count; i < reports.size(); ++i)
        sum += reports[i].loss;
    return sum / static_cast<double>(count);
}

std::map<std::string, int64_t> recipeColours() {
    std::map<std::string, int64_t> colours = formatColours(); // f32, f16 and bf16 are recipes as well
    colours.merge(scalerColours());
    colours.merge(std::map<std::string, int64_t>{
        {"f16-no-master", 3}, {"f16-static", 5}, {"f16-dynamic", 2}, {"bf16-stochastic", 7}, {"fp8", 8}});
    return colours;
}

TrainingFigures::TrainingFigures(Run& r) : run(r) {
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

Curve& TrainingFigures::waitingCurve(const std::string& figure, const std::string& id) {
    const auto found = std::find_if(waiting.begin(), waiting.end(),
                                    [&](const auto& w) { return w.first == figure && w.second.id == id; });
    return found != waiting.end() ? found->second : waiting.emplace_back(figure, Curve{}).second;
}

void TrainingFigures::point(const char* figure, const TrainingRun& training, double y, Provenance provenance) {
    if (!std::isfinite(y))
        return;
    const std::string id(training.traits.id);
    Curve& curve = waitingCurve(figure, id);
    curve.id = id;
    curve.label = training.traits.title;
    curve.colourKey = id;
    curve.provenance = provenance;
    curve.style = Curve::Style::Line;
    curve.x.push_back(static_cast<double>(training.reports.size()));
    curve.y.push_back(y);
}

void TrainingFigures::add(const TrainingRun& training) {
    const model::StepReport& r = training.reports.back();
    point("loss", training, r.loss, Provenance::Measured);
    if (training.traits.lossScale != 1)
        point("scale", training, r.lossScale, Provenance::Counted);
    if (r.skipped) {
        Curve& curve = waitingCurve("scale", "skipped");
        curve.id = "skipped";
        curve.label = "skipped steps";
        curve.colourKey = "scaler.skipped";
        curve.provenance = Provenance::Counted;
        curve.style = Curve::Style::Points;
        curve.x.push_back(static_cast<double>(training.reports.size()));
        curve.y.push_back(r.lossScale);
    } else {
        point("lost", training, 100 * r.updates.lostShare(), Provenance::Counted);
    }
    if (r.rounded.numbers > 0)
        point("zeros", training, 100 * r.rounded.share(r.rounded.zeros), Provenance::Counted);
}

void TrainingFigures::show(const std::vector<TrainingRun>& trainings, bool now) {
    constexpr auto pause = std::chrono::milliseconds(80);
    if (!now && std::chrono::steady_clock::now() - shown < pause)
        return;
    for (const auto& [figure, curve] : waiting)
        run.appendPoint(figure, curve);
    waiting.clear();
    run.put(table(trainings));
    shown = std::chrono::steady_clock::now();
}

} // namespace warplight::labs::precision
