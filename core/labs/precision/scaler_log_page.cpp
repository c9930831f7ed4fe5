// SPDX-License-Identifier: GPL-3.0-or-later
// What a loss scaler did in somebody's training, from the log.
#include "core/error.h"
#include "core/labs/precision/embedded_gradients.h" // resources/examples/gradients.npz, loss_scaler.log
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/scaler_log_figures.h"
#include "core/precision/scaler_log.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using warplight::precision::ScalerLog;

constexpr double bytesPerSecond = 2e7; ///< that are read, where each line tells something
constexpr double packing = 12;         ///< of a log in .gz

class ScalerLogPage : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.scaler-log";
        d.lab = "Precision";
        d.title = "Scaler log";
        d.sentence = "The loss scale of a training run and the steps that it skipped, from the run's log.";
        d.question = "How often did my loss scaler skip a step, and did its scale settle or fall and fall?";
        d.about =
            "Drop a training log on the window, or paste some of its lines. Lines that tell of a loss scaler are found "
            "by their words and numbers, whatever stands around them: launchers' labels, progress bars, colours, "
            "times.\n\n"
            "**apex**: `Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 32768.0`\n\n"
            "**DeepSpeed**: `OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, reducing to 32768`, "
            "`step=10, skipped=3`\n\n"
            "**fairseq**: `NOTE: gradient overflow detected, ignoring gradient, setting loss scale to: 64.0`\n\n"
            "**Megatron**: `iteration 10/ 500 | loss scale: 65536.0 | number of skipped iterations: 1 |`\n\n"
            "**PyTorch, Hugging Face and others**: dictionaries, JSON and CSV with `loss_scale`, `grad_scale` or "
            "`amp/scale` in them. GradScaler itself prints nothing: print `scaler.get_scale()` after each step.\n\n"
            "A scale that falls time after time to nothing means gradients that are NaN or infinite at any scale.";
        d.devices = {"cpu"};
        d.colours = scalerColours();
        d.dropFiles = "file";
        Parameter text = Parameter::text("text", "Pasted log", "", "Lines of a log, as many as you like.");
        text.multiline = true;
        d.parameters = {
            Parameter::choice("input", "Log", "example",
                              {{"example", "an example", "A small transformer that PyTorch trained in FP16."},
                               {"file", "a file", "Your own."},
                               {"text", "pasted text", "Your own."}},
                              "What is read."),
            Parameter::file("file", "File", "Training logs (*.log *.txt *.out *.err *.csv *.json *.jsonl *.gz)",
                            "What a training run printed; it is read where it lies."),
            text,
            Parameter::choice("over", "Drawn over", "auto",
                              {{"auto", "steps or events", "Steps where most lines tell one and they never go back."},
                               {"steps", "steps", "Lines that tell none stand evenly between those that do."},
                               {"events", "events", "One after the other, as the log has them."}},
                              "What the axis counts."),
            Parameter::integer("rows", "Rows", 500, 1, 100000, "Events in the table.")};
        d.parameters[1].shownWhen = {when("input", {"file"})};
        d.parameters[2].shownWhen = {when("input", {"text"})};
        d.parameters[4].advanced = true;
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return 0.05 + bytesOf(settings) / bytesPerSecond;
    }

    /// Of each event some 200 bytes, and as much again in figures; a line that tells one has at least 30.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        const double events =
            std::min(bytesOf(settings) / 30, static_cast<double>(warplight::precision::mostScalerEvents));
        return {(int64_t(16) << 20) + static_cast<int64_t>(events * 400), 0, "a log's events", "it: cut the log"};
    }

    void run(const Settings& settings, Run& run) override {
        const std::string& input = settings.text("input");
        if (input == "file" && settings.text("file").empty())
            throw InputError("file is empty, expected the log of a training run");
        if (input == "text" && settings.text("text").empty())
            throw InputError("text is empty, expected lines of a training run's log");
        const ScalerLog log = read(settings, run);
        for (const std::string& warning : log.warnings)
            run.log(warning, Log::Level::Warning);
        if (input == "example")
            run.log("This log is an example, of a small transformer that PyTorch trained in FP16. Drop yours on the "
                    "window, or paste it.",
                    Log::Level::Info);
        const ScalerLogAxis axis(log, settings.text("over"));
        for (Figure& figure : logHeadlines(log))
            run.put(std::move(figure));
        if (auto figure = logScaleFigure(log, axis, run))
            run.put(std::move(*figure));
        run.put(logSkipFigure(log, axis));
        if (log.scalers.size() > 1)
            run.put(logScalerTable(log));
        run.put(logEventTable(log, settings.integer("rows")));
    }

  private:
    static double bytesOf(const Settings& settings) {
        const std::string& input = settings.text("input");
        if (input != "file")
            return static_cast<double>(input == "text" ? settings.text("text").size() : 0);
        const std::string& file = settings.text("file");
        std::error_code ignored;
        const auto bytes = std::filesystem::file_size(file, ignored);
        return ignored ? 0 : static_cast<double>(bytes) * (file.ends_with(".gz") ? packing : 1);
    }

    static ScalerLog read(const Settings& settings, Run& run) {
        const std::string& input = settings.text("input");
        profiles::Reading reading{input == "text" ? "the pasted text" : "the example", run.cancelToken(), {}};
        if (input != "file") {
            const std::string_view text =
                input == "text" ? std::string_view(settings.text("text")) : gradientExamples[1].contents();
            profiles::TextSource source(text);
            return warplight::precision::readScalerLog(source, reading);
        }
        reading.name = settings.text("file");
        reading.progress = [&](double fraction) { run.progress(fraction, "reading"); };
        const auto source = profiles::openFile(reading.name);
        return warplight::precision::readScalerLog(*source, reading);
    }
};

} // namespace

std::unique_ptr<Experiment> makeScalerLog() { return std::make_unique<ScalerLogPage>(); }

} // namespace warplight::labs::precision
