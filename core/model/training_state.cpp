// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/training_state.h"

#include "core/error.h"
#include "core/formats/safetensors_file.h"
#include "core/model/model_folder.h"
#include "core/text/echo.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace warplight::model {
namespace {

namespace fs = std::filesystem;

constexpr const char *weights = "weights.", *first = "adamw.first.", *second = "adamw.second."; // before names

template <class Number>
Number readNumber(const formats::Metadata& metadata, const std::string& key, const std::string& where) {
    const auto found = metadata.find(key);
    const std::string text = found == metadata.end() ? "" : found->second;
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || !(value >= 0))
        throw InputError(fmt::format("{}: '{}' of its metadata is '{}', expected a {}number of at least 0", where, key,
                                     echoed(text), std::is_integral_v<Number> ? "whole " : ""));
    return value;
}

} // namespace

bool holdsTraining(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / trainingFile, error);
}

TrainingState readTrainingState(const fs::path& folder) {
    const fs::path file = folder / trainingFile;
    if (!holdsTraining(folder))
        throw InputError(fmt::format("{}: is not there, expected the checkpoint of a training that was begun in this "
                                     "folder",
                                     file.string()));
    const std::string where = file.string();
    formats::Metadata metadata = formats::safetensorsMetadata(file);
    TrainingState state;
    state.config = anyConfigFrom(metadata["config"], where);
    state.recipe = recipeFrom(metadata["recipe"], where);
    state.steps = readNumber<int64_t>(metadata, "steps", where);
    if (metadata.contains("loss_scale")) {
        state.skipped = readNumber<int64_t>(metadata, "skipped_steps", where);
        precision::ScalerState scaler;
        scaler.scale = readNumber<float>(metadata, "loss_scale", where);
        scaler.clean = readNumber<int64_t>(metadata, "clean_steps", where);
        scaler.forgiving = readNumber<int64_t>(metadata, "forgiving_steps", where);
        if (!(scaler.scale > 0 && scaler.scale <= std::numeric_limits<float>::max()))
            throw InputError(fmt::format("{}: 'loss_scale' of its metadata is '{}', expected a positive number of f32",
                                         where, echoed(metadata["loss_scale"])));
        state.scaler = scaler;
    }
    state.textTokens = readNumber<int64_t>(metadata, "text_tokens", where);
    state.textFingerprint = readNumber<uint64_t>(metadata, "text_fingerprint", where);
    return state;
}

void resume(Trainer& trainer, const TrainingState& state, const fs::path& folder) {
    const fs::path file = folder / trainingFile;
    if (state.textTokens != trainer.corpus.size() || state.textFingerprint != trainer.corpus.fingerprint())
        throw InputError(fmt::format("{}: was trained on another text, of {} tokens, expected to go on with the same",
                                     file.string(), state.textTokens));
    if (!(state.config == trainer.model.config))
        throw InputError(fmt::format("{}: is of another model, expected one of the same sizes", file.string()));
    loadParameters(file, weights, trainer.model.layout, trainer.model.weights);
    loadParameters(file, first, trainer.model.layout, trainer.optimizer.first);
    loadParameters(file, second, trainer.model.layout, trainer.optimizer.second);
    trainer.optimizer.skipped = state.skipped;
    if (state.scaler)
        trainer.scaler.restore(*state.scaler);
    trainer.steps = state.steps;
}

void saveCheckpoint(const Trainer& trainer, const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error); // what is wrong with it, writing tells
    const ParameterLayout& layout = trainer.model.layout;
    std::vector<formats::TensorView> tensors = tensorViews(weights, layout, trainer.model.weights);
    for (const auto& [prefix, buffer] :
         {std::pair(first, &trainer.optimizer.first), std::pair(second, &trainer.optimizer.second)})
        for (formats::TensorView& view : tensorViews(prefix, layout, *buffer))
            tensors.push_back(std::move(view));
    const precision::ScalerState scaler = trainer.scaler.state();
    formats::writeSafetensors(folder / trainingFile, tensors,
                              {{"config", configText(trainer.model.config)},
                               {"recipe", recipeText(trainer.recipe)},
                               {"steps", fmt::format("{}", trainer.steps)},
                               {"skipped_steps", fmt::format("{}", trainer.optimizer.skipped)},
                               {"loss_scale", fmt::format("{}", scaler.scale)},
                               {"clean_steps", fmt::format("{}", scaler.clean)},
                               {"forgiving_steps", fmt::format("{}", scaler.forgiving)},
                               {"text_tokens", fmt::format("{}", trainer.corpus.size())},
                               {"text_fingerprint", fmt::format("{}", trainer.corpus.fingerprint())}});
    saveModel(folder, trainer.model);
}

} // namespace warplight::model
