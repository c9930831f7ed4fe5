// SPDX-License-Identifier: GPL-3.0-or-later
// Loss scaling as a game: a scaler's settings are played on recorded gradients, skipped steps and lost bits are the
// score.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/precision/embedded_gradients.h" // resources/examples/gradients.npz, loss_scaler.log
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/scaler_figures.h"
#include "core/precision/gradient_series.h"
#include "core/tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using warplight::precision::GradientSeries;
using warplight::precision::mostSteps;
using warplight::precision::ScalerRules;

constexpr double secondsPerByte = 3e-7; ///< of a series that is read and played some ten times

class ScalerGame : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.scaler";
        d.lab = "Precision";
        d.title = "Scaler game";
        d.sentence = "A loss scaler of your settings on recorded gradients: steps it skips, bits it loses.";
        d.question = "How should a loss scaler begin, grow and back off, so that FP16 keeps the most of my gradients?";
        d.about =
            "The loss is multiplied by S, so all gradients are; FP16 holds S·g, and the update divides by S again. Too "
            "small an S, and small gradients lose digits below 2^−14 and become 0 below 2^−25; too large, and one "
            "that reaches 65520 is infinite: the step is skipped. A dynamic scaler multiplies S by the growth factor "
            "after so many clean steps in a row, and by the backoff factor after a skipped one.\n\n"
            "**Lost bits**: of the 11 significant bits of an FP16, how many a gradient lacks, mean over all gradients "
            "and steps; a skipped step loses all 11. **Score**: 100 loses no more than the best power of two in each "
            "step, which nobody can know beforehand; 0 is no scaling.\n\n"
            "The example was recorded in FP32 from a small transformer that PyTorch trained on this program's "
            "documents (resources/examples/make_gradients.py): the largest gradient and a histogram of exponents of "
            "every step, of all weights and outputs of layers. The recording stays what it is: in a real run a skipped "
            "step changes all that come after.";
        d.devices = {"cpu"};
        d.colours = scalerColours();
        d.dropFiles = "file";
        Parameter initial =
            Parameter::integer("initial", "Start: 2 to the", 24, -24, 40, "The scale of the first step.");
        initial.sliderStep = 1;
        Parameter interval = Parameter::integer("interval", "Growth interval", 200, 1, 1e6,
                                                "Clean steps in a row after which the scale grows.");
        interval.unit = std::string("steps");
        interval.powersOfTwo = true;
        Parameter growth = Parameter::real("growth", "Growth factor", 2, 1, 16, "1: it never grows.");
        growth.sliderStep = 0.5;
        Parameter backoff =
            Parameter::real("backoff", "Backoff factor", 0.5, 0.001, 1, "Multiplies the scale after a skipped step.");
        backoff.sliderStep = 0.05;
        Parameter hysteresis = Parameter::integer(
            "hysteresis", "Hysteresis", 1, 1, 100,
            "From which skipped step on the scale falls, counted anew when it grows: DeepSpeed and Megatron have 2.");
        hysteresis.sliderStep = 1;
        Parameter minimum = Parameter::real("minimum", "Least scale", 0, 0, 1e30, "Below it the scale never falls.");
        hysteresis.advanced = minimum.advanced = true;
        d.parameters = {initial,
                        interval,
                        growth,
                        backoff,
                        hysteresis,
                        minimum,
                        Parameter::choice("input", "Gradients", "example",
                                          {{"example", "recorded", "A small transformer, 3000 steps."},
                                           {"file", "a file", "Your own."}},
                                          "What is played on."),
                        Parameter::file("file", "File", "Gradient norms (*.npy *.npz);;text (*.csv *.txt)",
                                        "One number a step; .npz may have 'exponents' too, as the example.")};
        d.parameters.back().shownWhen = {when("input", {"file"})};
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        std::error_code ignored;
        const auto bytes =
            settings.text("input") == "file" ? std::filesystem::file_size(settings.text("file"), ignored) : 0;
        return 0.1 + (ignored ? 0 : static_cast<double>(bytes) * secondsPerByte);
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        constexpr int64_t always = int64_t(16) << 20, ofStep = 110,
                          ofShare = 8; // what ten players did; read and decoded
        if (settings.text("input") != "file")
            return {always, 0, "a recording", {}};
        const std::string& file = settings.text("file");
        std::error_code ignored;
        const auto bytes = std::filesystem::file_size(file, ignored);
        int64_t steps = ignored ? 0 : static_cast<int64_t>(std::min<uintmax_t>(bytes / 2, mostSteps)), shares = 0;
        if (file.ends_with(".npz"))
            try {
                for (const auto& entry : formats::listTensors(file))
                    (entry.shape.size() > 1 ? shares : steps) = tensor::elementCount(entry.shape);
            } catch (const InputError&) { // run() says it
            }
        return {always + std::clamp<int64_t>(steps, 0, mostSteps) * ofStep +
                    std::clamp<int64_t>(shares, 0, mostSteps * 64) * ofShare,
                0, file, "it: record fewer steps"};
    }

    void run(const Settings& settings, Run& run) override {
        const bool file = settings.text("input") == "file";
        if (file && settings.text("file").empty())
            throw InputError("file is empty, expected a file with one number a step");
        GradientSeries series =
            file ? warplight::precision::readGradientSeries(settings.text("file"), run.cancelToken()) : example();
        if (!series.hasSizes()) {
            warplight::precision::assumeSizesOf(example(), series);
            run.log("The file has the largest gradient of each step alone: the others are taken to lie below it as in "
                    "the recorded example.",
                    Log::Level::Info);
        }
        const Game game = play(settings, series, run);
        for (Figure& figure : headlineFigures(game))
            run.put(std::move(figure));
        run.put(scaleFigure(game));
        run.put(productFigure(game));
        run.put(lossFigure(game, run));
        run.put(playersTable(game, settings.text("input"), settings.text("file")));
    }

  private:
    static GradientSeries example() {
        const std::string_view bytes = gradientExamples[0].contents();
        return warplight::precision::gradientSeriesOf(std::as_bytes(std::span(bytes.data(), bytes.size())),
                                                      "the example");
    }

    static Game play(const Settings& settings, const GradientSeries& series, Run& run) {
        ScalerRules yours;
        yours.initial = std::ldexp(1.0, static_cast<int>(settings.integer("initial")));
        yours.interval = settings.integer("interval");
        yours.growth = settings.real("growth");
        yours.backoff = settings.real("backoff");
        yours.hysteresis = settings.integer("hysteresis");
        yours.minimum = settings.real("minimum");
        Game game{series, {{"yours", "Yours", yours}}, warplight::precision::replayBest(series, run.cancelToken())};
        for (const auto& known : warplight::precision::knownRules())
            game.players.push_back({std::string(known.id), std::string(known.title), known.rules});
        const double fixed = std::ldexp(1.0, warplight::precision::bestStaticExponent(series, run.cancelToken()));
        game.players.push_back({"static", fmt::format("Always {}", powerText(fixed)), {fixed, 1, 1}});
        game.players.push_back({"none", "No scaling", {1, 1, 1}});
        for (Player& p : game.players) {
            p.isScaler = p.id != "static" && p.id != "none";
            p.played = warplight::precision::replay(series, p.rules, run.cancelToken());
        }
        for (Player& p : game.players)
            p.score = warplight::precision::score(p.played, game.best, game.players.back().played);
        return game;
    }
};

} // namespace

std::map<std::string, int64_t> scalerColours() {
    return {{"scaler.yours", 0},   {"scaler.pytorch", 2}, {"scaler.static", 4}, {"scaler.best", 7},
            {"scaler.skipped", 1}, {"scaler.0", 0},       {"scaler.1", 2},      {"scaler.2", 5},
            {"scaler.3", 6},       {"scaler.4", 3},       {"scaler.5", 4},      {"scaler.6", 8},
            {"scaler.7", 9},       {"scaler.limit", 10}};
}

std::unique_ptr<Experiment> makeScalerGame() { return std::make_unique<ScalerGame>(); }

} // namespace warplight::labs::precision
