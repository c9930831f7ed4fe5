// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"
#include "core/model/recipe.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace warplight::cli {

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

struct GenerateOptions {
    std::string model, prompt, format = "text";
    bool greedy = false;
    int64_t tokens = 200, most = 0;
    uint64_t seed = 1;
    double temperature = 1;
    int threads = 0;
};

struct LogitsOptions {
    std::string model, text, tokens, out;
    int threads = 0;
};

/// Registers `train`, `generate` and `logits`; each fills its options when it is given.
Command addTrainCommand(Command app, TrainOptions& options);
Command addGenerateCommand(Command app, GenerateOptions& options);
Command addLogitsCommand(Command app, LogitsOptions& options);

/// Trains a model on a text: a line of figures a step (json) or what was reached (text) on standard output, progress on
/// standard error. Throws InputError before the first step for whatever is wrong.
void train(const TrainOptions& options);
/// Prints the prompt and what the model makes of it, as valid UTF-8.
void generateText(const GenerateOptions& options);
/// Writes the logits [tokens, vocabulary] of a text or of tokens [length] or [batch, length].
void writeLogits(const LogitsOptions& options);

} // namespace warplight::cli
