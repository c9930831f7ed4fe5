// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/model_commands.h"
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/model/model_folder.h"
#include "core/model/tokenizer.h"
#include "core/model/trainer.h"
#include "core/model/training_state.h"
#include "core/text/counted.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace warplight::cli {
namespace {

/// What is not given is unset: a run that is resumed has it from its checkpoint.
struct TrainOptions {
    std::string text, out, format = "text";
    std::optional<std::string> preset, architecture, schedule, precision;
    std::optional<int64_t> steps, batch, length, warmup, growthInterval, gradientShift;
    std::optional<uint64_t> seed;
    std::optional<double> rate, weightDecay, clip, lossScale;
    int64_t every = 100; ///< steps from checkpoint to checkpoint
    int threads = 0;
    bool resume = false;
};

namespace fs = std::filesystem;
using model::Config;
using model::Recipe;
using model::Schedule;
using model::TrainingState;

constexpr int64_t longestText = int64_t{4} << 30;

/// Takes over what was given. In a run that goes on, only the number of steps may differ from what it began with.
template <class Value, class Given>
void take(const char* flag, const std::optional<Given>& given, Value& value, bool resumed) {
    if (!given)
        return;
    if (resumed && *given != value)
        throw InputError(
            fmt::format("{} {}: the run was begun with {}, expected the same or nothing", flag, *given, value));
    value = *given;
}

Recipe recipeOf(const TrainOptions& o, Recipe recipe, bool resumed) {
    if (o.steps)
        recipe.steps = *o.steps;
    if (!resumed)
        recipe.warmup = std::min<int64_t>(recipe.warmup, recipe.steps / 10);
    take("--batch", o.batch, recipe.batch, resumed);
    take("--length", o.length, recipe.length, resumed);
    take("--seed", o.seed, recipe.seed, resumed);
    take("--lr", o.rate, recipe.rate, resumed);
    take("--warmup", o.warmup, recipe.warmup, resumed);
    take("--weight-decay", o.weightDecay, recipe.weightDecay, resumed);
    take("--clip", o.clip, recipe.clip, resumed);
    std::string schedule = recipe.schedule == Schedule::Cosine ? "cosine" : "constant";
    take("--schedule", o.schedule, schedule, resumed);
    recipe.schedule = schedule == "cosine" ? Schedule::Cosine : Schedule::Constant;
    std::string precision(model::traitsOf(recipe.precision).id);
    take("--precision", o.precision, precision, resumed);
    recipe.precision = model::precisionByName(precision);
    take("--loss-scale", o.lossScale, recipe.lossScale, resumed);
    take("--growth-interval", o.growthInterval, recipe.growthInterval, resumed);
    take("--gradient-shift", o.gradientShift, recipe.gradientShift, resumed);
    model::check(recipe, "train");
    return recipe;
}

Config configOf(const TrainOptions& o, model::Architecture architecture) {
    const Config preset = model::presetByName(o.preset.value_or("tiny"));
    return architecture == model::Architecture::Gau ? model::withGatedUnits(preset) : preset;
}

/// A new run does not write over a model that somebody may want to keep.
void requireNoModel(const fs::path& folder) {
    for (const char* file : {model::trainingFile, model::folder::weights, model::folder::config})
        if (std::error_code error; fs::exists(folder / file, error))
            throw InputError(fmt::format("--out {}: holds {} already, expected --resume or another folder",
                                         echoed(folder.string()), file));
}

model::Corpus readText(const std::string& file) {
    const int64_t bytes = requireRegularFile(file, "a text that can be read");
    requireMemory({saturatedProduct(5, bytes), 0, fmt::format("The text {} as tokens", echoed(file)), {}});
    return {model::byteTokenizer()->encode(contentsOfFile(file, longestText, "a text")), file};
}

/// A line on standard error now and then, a line a step on standard output for programs.
class Progress {
  public:
    Progress(bool lines, const Recipe& all) : asJson(lines), recipe(all) {}

    void add(const model::StepReport& r) {
        if (asJson)
            std::cout << nlohmann::json{{"step", r.step},
                                        {"loss", r.loss},
                                        {"learning_rate", r.rate},
                                        {"gradient_norm", r.gradientNorm},
                                        {"loss_scale", r.lossScale},
                                        {"skipped", r.skipped},
                                        {"updates_lost", r.updates.lostShare()},
                                        {"gradients_zeroed", r.rounded.share(r.rounded.zeroed)},
                                        {"gradients_zero", r.rounded.share(r.rounded.zeros)},
                                        {"gradients_infinite", r.rounded.share(r.rounded.infinite)},
                                        {"seconds", r.seconds}}
                             .dump()
                      << '\n'
                      << std::flush;
        seconds += r.seconds;
        ++steps;
        loss = r.loss;
        const auto now = std::chrono::steady_clock::now();
        if (now - told < std::chrono::seconds(1) && r.step + 1 < recipe.steps)
            return;
        told = now;
        std::cerr << fmt::format("step {} of {}: loss {:.4f}, gradient norm {:.3g}, {:.0f} tokens/s{}\n", r.step + 1,
                                 recipe.steps, r.loss, r.gradientNorm, tokensPerSecond(),
                                 r.lossScale == 1 ? "" : fmt::format(", loss scale {:g}", r.lossScale));
    }

    double tokensPerSecond() const {
        return seconds > 0 ? static_cast<double>(steps * recipe.batch * recipe.length) / seconds : 0;
    }
    double loss = 0;

  private:
    const bool asJson;
    const Recipe recipe;
    std::chrono::steady_clock::time_point told{};
    double seconds = 0;
    int64_t steps = 0;
};

void train(const TrainOptions& o) {
    const fs::path folder = o.out;
    TrainingState state;
    if (o.resume) {
        state = model::readTrainingState(folder);
        if (const auto was = model::nameOf(state.config.architecture); o.architecture && *o.architecture != was)
            throw InputError(fmt::format("--architecture {}: the run in {} is of {}, expected the same or nothing",
                                         *o.architecture, echoed(o.out), was));
        if (o.preset && !(configOf(o, state.config.architecture) == state.config))
            throw InputError(fmt::format("--preset {}: the run in {} is of another model, expected the same or nothing",
                                         *o.preset, echoed(o.out)));
    } else {
        requireNoModel(folder);
        state.config = configOf(o, model::architectureByName(o.architecture.value_or("gpt2")));
    }
    Recipe recipe = recipeOf(o, state.recipe, o.resume);
    if (recipe.steps < state.steps)
        throw InputError(fmt::format("--steps {}: the run has done {} already, expected at least as many", recipe.steps,
                                     state.steps));
    if (recipe.length == 0)
        recipe.length = state.config.context;
    formats::checkWritableFolder(folder);
    const model::Corpus corpus = readText(o.text);
    requireMemory({model::trainingBytes(state.config, recipe, o.threads), 0,
                   fmt::format("Training with {} of {} tokens", counted(recipe.batch, "sequence"), recipe.length),
                   "--batch or --length"});
    model::Model made(state.config);
    if (!o.resume)
        model::initialise(made.config, made.layout, made.weights, recipe.seed);
    model::Trainer trainer(made, corpus, recipe, {o.threads, nullptr});
    if (o.resume)
        model::resume(trainer, state, folder);
    std::error_code error;
    if (fs::create_directories(folder, error); error)
        throw InputError(
            fmt::format("--out {}: {}, expected a folder that can be made", echoed(o.out), error.message()));
    std::cerr << fmt::format("{} parameters, {} bytes of text, from step {} to {}\n", made.layout.count(),
                             corpus.size(), trainer.steps, recipe.steps);
    Progress progress(o.format == "json", recipe);
    if (trainer.done()) {
        model::saveModel(folder, made); // the run may have been killed before it
        std::cerr << "nothing is left to do: give more --steps\n";
        return;
    }
    bool kept = false;
    while (!trainer.done()) {
        progress.add(trainer.step());
        kept = trainer.steps % o.every == 0;
        if (kept)
            model::saveCheckpoint(trainer, folder);
    }
    if (!kept)
        model::saveCheckpoint(trainer, folder);
    if (o.format == "text")
        std::cout << fmt::format("{} after {}: loss {:.4f}, {:.0f} tokens/s\n", o.out, counted(trainer.steps, "step"),
                                 progress.loss, progress.tokensPerSecond());
}

} // namespace

void addTrainCommand(Command app) {
    const auto given = std::make_shared<TrainOptions>();
    TrainOptions& o = *given;
    const Command command = app.command("train", "A small GPT-2 on a text of your own, byte by byte");
    command.option("--text", &o.text, "A file; its bytes are the tokens").required();
    command.option("-o,--out", &o.out, "Folder for config.json, model.safetensors and training.safetensors").required();
    command
        .option("--preset", &o.preset,
                "tiny (2 layers, 128 features, context 128) or small (6 layers, 256 features, context 256)")
        .oneOf(model::presetNames());
    command
        .option("--architecture", &o.architecture,
                "gpt2 (attention and an MLP a block) or gau (two gated attention units instead, as many "
                "parameters) (default gpt2)")
        .oneOf(model::architectureNames());
    command.option("--steps", &o.steps, "All steps of the run, also when it is resumed (default 1000)");
    command.option("--seed", &o.seed, "Of the first weights and of which sequences a step sees (default 1)");
    command.option("--batch", &o.batch, "Sequences a step (default 8)");
    command.option("--length", &o.length, "Tokens of a sequence (default: the preset's context)");
    command.option("--lr", &o.rate, "Highest learning rate (default 0.001)");
    command.option("--schedule", &o.schedule, "cosine (down to a tenth) or constant (default cosine)")
        .oneOf({"cosine", "constant"});
    command.option("--warmup", &o.warmup, "Steps in which the rate rises (default 100, at most a tenth of all)");
    command.option("--weight-decay", &o.weightDecay, "AdamW's, of matrices and embeddings (default 0.1)");
    command.option("--clip", &o.clip, "Largest norm of all gradients together, 0: no bound (default 1)");
    command.option("--checkpoint-every", &o.every, "Steps from one checkpoint to the next")
        .between(int64_t{1}, int64_t{1'000'000'000});
    command.flag("--resume", o.resume,
                 "Go on where the last checkpoint in --out stands, bit by bit as if never stopped");
    command
        .option(
            "--precision", &o.precision,
            fmt::format("What is rounded to which format: {} (default f32)", fmt::join(model::precisionNames(), ", ")))
        .oneOf(model::precisionNames());
    command.option("--loss-scale", &o.lossScale,
                   "What the loss is multiplied by, at first (default 1; f16-static 1024, f16-dynamic 65536)");
    command.option("--growth-interval", &o.growthInterval,
                   "Clean steps after which the scale of f16-dynamic doubles (default 2000)");
    command.option("--gradient-shift", &o.gradientShift,
                   "Divides the loss by 2 to the power of this for the backward pass alone, to stand for the small "
                   "gradients of deep networks (default 0)");
    command.option("--threads", &o.threads, "0 = all; the result has the same bits for any number")
        .between(int64_t{0}, mostThreads);
    command.option("--format", &o.format, "text, or json: a line a step").oneOf({"text", "json"});
    command.does([given] {
        train(*given);
        return 0;
    });
}

} // namespace warplight::cli
