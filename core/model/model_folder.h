// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/formats/safetensors_file.h"
#include "core/model/model.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::model {

/// A model as a folder that Hugging Face's transformers read and write as well: config.json and model.safetensors (or
/// model.safetensors.index.json and its shards), tensors with or without "transformer." before their names.
namespace folder {
inline constexpr const char *config = "config.json", *weights = "model.safetensors",
                            *shards = "model.safetensors.index.json";
}

/// Of config.json's text. Throws InputError naming `where`, the field and what was expected: for what is no GPT-2, or
/// one that computes something else than Network does.
Config configFrom(std::string_view text, const std::string& where);
/// The same, and that of a model of gated attention units.
Config anyConfigFrom(std::string_view text, const std::string& where);
/// As config.json.
std::string configText(const Config& config);

/// Reads a folder. Throws InputError naming the file and the tensor that is missing, has another shape, holds NaN or
/// infinity, or does not belong to the model, before memory is taken for weights that do not fit.
enum class Accepted { Gpt2, Any };
std::unique_ptr<Model> loadModel(const std::filesystem::path& folder, Accepted accepted = Accepted::Gpt2);

/// Writes config.json and model.safetensors, making the folder if it is not there. Each file appears whole or not at
/// all. Throws as AtomicFile does.
void saveModel(const std::filesystem::path& folder, const Model& model);

/// Fills a buffer from the tensors of a .safetensors file or an index of them, each named prefix + its name. Throws
/// InputError as loadModel does.
void loadParameters(const std::filesystem::path& file, const std::string& prefix, const ParameterLayout& layout,
                    ParameterBuffer& buffer);
/// Views of a buffer as tensors to be written.
std::vector<formats::TensorView> tensorViews(const std::string& prefix, const ParameterLayout& layout,
                                             const ParameterBuffer& buffer);

} // namespace warplight::model
