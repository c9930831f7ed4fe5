// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/example_model.h"

#include "core/formats/safetensors.h"
#include "core/model/embedded_model.h" // config.json and model.safetensors
#include "core/model/model_folder.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace warplight::model {

std::unique_ptr<Model> exampleModel() {
    const auto contents = [](std::string_view name) {
        return std::find_if(std::begin(exampleModelFiles), std::end(exampleModelFiles),
                            [&](const EmbeddedFile& file) { return file.name == name; })
            ->contents();
    };
    const std::string where = "the model that comes with the program";
    auto model = std::make_unique<Model>(configFrom(contents(folder::config), where));
    const std::string_view weights = contents(folder::weights);
    for (const ParameterPlace& place : model->layout.places()) {
        const tensor::Tensor loaded = formats::readSafetensors(std::as_bytes(std::span(weights)), place.name, where);
        if (loaded.shape != place.shape)
            throw std::logic_error(where + " has another layout: make it anew, as docs/model.md says");
        std::copy(loaded.values.begin(), loaded.values.end(), model->weights[place].begin());
    }
    return model;
}

} // namespace warplight::model
