// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/config.h"
#include "core/model/recipe.h"
#include "core/model/trainer.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace warplight::model {

/// All that a run needs to go on as if it had never stopped, in one file beside the model: weights, what AdamW keeps of
/// the gradients, how many steps are done, the loss scaler, the recipe and what text it was. Random numbers follow from
/// seed and step. One file, since of several the program could be killed between two.
inline constexpr const char* trainingFile = "training.safetensors";

struct TrainingState {
    Config config;
    Recipe recipe;
    int64_t steps = 0;                              ///< done
    int64_t skipped = 0;                            ///< of them, without an update
    std::optional<precision::ScalerState> scaler{}; ///< unset in files of before there were any
    int64_t textTokens = 0;                         ///< of the text it was trained on
    uint64_t textFingerprint = 0;
};

bool holdsTraining(const std::filesystem::path& folder);
/// What a folder's training file says; its numbers stay where they are. Throws InputError naming file and field.
TrainingState readTrainingState(const std::filesystem::path& folder);
/// Takes weights, optimizer and steps from the file of a state that readTrainingState gave. Throws InputError naming
/// the file and what does not fit, also a text other than the one it was trained on.
void resume(Trainer& trainer, const TrainingState& state, const std::filesystem::path& folder);

/// Writes the training file and then the model beside it. Whenever the program is killed, the folder holds a whole
/// training file and a whole model, of this step or of the one before.
void saveCheckpoint(const Trainer& trainer, const std::filesystem::path& folder);

} // namespace warplight::model
