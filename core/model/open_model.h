// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/model.h"
#include "core/model/model_folder.h"
#include "core/model/tokenizer.h"

#include <filesystem>
#include <memory>

namespace warplight::model {

/// A model and what its tokens stand for.
struct OpenedModel {
    std::unique_ptr<Model> model;
    std::unique_ptr<Tokenizer> tokenizer;
};

/// Reads both from a folder; an empty path: exampleModel(), whose tokens are bytes. Throws InputError as loadModel and
/// tokenizerOf do.
OpenedModel openModel(const std::filesystem::path& folder, Accepted accepted = Accepted::Gpt2);

} // namespace warplight::model
