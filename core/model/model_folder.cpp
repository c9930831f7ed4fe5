// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/model_folder.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/tensor_file.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <span>
#include <system_error>
#include <utility>

namespace warplight::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view outerPrefix = "transformer."; ///< of GPT2LMHeadModel's tensors

/// The tensors of a file by the names that a layout gives them, with the specs that load them.
using Tensors = std::map<std::string, std::pair<std::string, formats::TensorEntry>, std::less<>>;

Tensors tensorsOf(const fs::path& file, const std::string& prefix) {
    Tensors found;
    for (auto& [spec, entry] : formats::tensorsOf(file.string())) {
        std::string_view name = entry.name;
        if (!name.starts_with(prefix))
            continue;
        name.remove_prefix(prefix.size());
        if (name.starts_with(outerPrefix))
            name.remove_prefix(outerPrefix.size());
        if (!found.try_emplace(std::string(name), spec, entry).second)
            throw InputError(fmt::format("{}: tensor '{}' comes with and without '{}', expected one of them",
                                         file.string(), echoed(name), outerPrefix));
    }
    return found;
}

/// Whether transformers' files may hold it beside the parameters: masks as buffers, and the embedding once more.
bool isBeside(std::string_view name) {
    return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || name == "lm_head.weight";
}

void requireFit(const fs::path& file, const Tensors& tensors, const ParameterLayout& layout) {
    for (const ParameterPlace& place : layout.places()) {
        const auto found = tensors.find(place.name);
        if (found == tensors.end())
            throw InputError(fmt::format("{}: tensor '{}' is missing, expected it with the shape {}", file.string(),
                                         place.name, tensor::shapeText(place.shape)));
        if (const auto& shape = found->second.second.shape; shape != place.shape)
            throw InputError(fmt::format("{}: tensor '{}' has the shape {}, expected {}", file.string(), place.name,
                                         tensor::shapeText(shape), tensor::shapeText(place.shape)));
    }
    for (const auto& [name, tensor] : tensors)
        if (!isBeside(name) && !layout.find(name))
            throw InputError(fmt::format("{}: tensor '{}' belongs to no layer of this model, expected those of a GPT-2 "
                                         "of the sizes that its config.json has",
                                         file.string(), echoed(name)));
}

void fill(const fs::path& file, const Tensors& tensors, const ParameterLayout& layout, ParameterBuffer& buffer) {
    for (const ParameterPlace& place : layout.places()) {
        const tensor::Tensor loaded = formats::loadTensor(tensors.find(place.name)->second.first);
        for (const float value : loaded.values)
            if (!std::isfinite(value))
                throw InputError(fmt::format("{}: tensor '{}' holds {}, expected finite numbers", file.string(),
                                             place.name, std::isnan(value) ? "NaN" : "infinity"));
        std::copy(loaded.values.begin(), loaded.values.end(), buffer[place].begin());
    }
}

/// The output layer is the embedding; a file that has another one is another model.
void requireTied(const fs::path& file, const Tensors& tensors, const Model& model) {
    const auto head = tensors.find("lm_head.weight");
    if (head == tensors.end())
        return;
    const tensor::Tensor loaded = formats::loadTensor(head->second.first);
    const auto embedding = model.weights[*model.layout.find("wte.weight")];
    if (!std::equal(loaded.values.begin(), loaded.values.end(), embedding.begin(), embedding.end()))
        throw InputError(fmt::format("{}: tensor 'lm_head.weight' differs from 'wte.weight', expected a model whose "
                                     "embedding makes the logits as well",
                                     file.string()));
}

fs::path weightsOf(const fs::path& folder) {
    std::error_code error;
    const bool sharded = !fs::exists(folder / folder::weights, error) && fs::exists(folder / folder::shards, error);
    return folder / (sharded ? folder::shards : folder::weights);
}

} // namespace

std::unique_ptr<Model> loadModel(const fs::path& folder, Accepted accepted) {
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw InputError(fmt::format("{}: is no folder, expected one with {} and {}", folder.string(), folder::config,
                                     folder::weights));
    const fs::path configFile = folder / folder::config;
    constexpr int64_t longest = 1 << 20;
    const std::string text = contentsOfFile(configFile.string(), longest, "the config.json of a GPT-2");
    const Config config =
        accepted == Accepted::Any ? anyConfigFrom(text, configFile.string()) : configFrom(text, configFile.string());
    const fs::path file = weightsOf(folder);
    requireRegularFile(file.string(), "the weights of the model");
    const Tensors tensors = tensorsOf(file, "");
    const ParameterLayout layout(config);
    requireFit(file, tensors, layout);
    requireMemory({saturatedProduct(4, layout.size()), 0, fmt::format("The model in {}", echoed(folder.string())), {}});
    auto model = std::make_unique<Model>(config);
    fill(file, tensors, model->layout, model->weights);
    requireTied(file, tensors, *model);
    return model;
}

void loadParameters(const fs::path& file, const std::string& prefix, const ParameterLayout& layout,
                    ParameterBuffer& buffer) {
    const Tensors tensors = tensorsOf(file, prefix);
    requireFit(file, tensors, layout);
    fill(file, tensors, layout, buffer);
}

std::vector<formats::TensorView> tensorViews(const std::string& prefix, const ParameterLayout& layout,
                                             const ParameterBuffer& buffer) {
    std::vector<formats::TensorView> views;
    for (const ParameterPlace& place : layout.places())
        views.push_back({prefix + place.name, place.shape, buffer[place]});
    return views;
}

void saveModel(const fs::path& folder, const Model& model) {
    std::error_code error;
    fs::create_directories(folder, error); // what is wrong with it, writing tells
    formats::AtomicFile config(folder / folder::config);
    config.stream() << configText(model.config);
    config.commit();
    formats::writeSafetensors(folder / folder::weights, tensorViews("", model.layout, model.weights),
                              {{"format", "pt"}}); // what transformers ask for
}

} // namespace warplight::model
