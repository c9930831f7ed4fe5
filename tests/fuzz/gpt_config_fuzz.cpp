// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are a model's config.json, and a recipe of training, or an InputError.
#include "core/error.h"
#include "core/model/model_folder.h"
#include "core/model/recipe.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace warplight;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        const model::Config config = model::configFrom(text, "fuzz");
        if (!(model::configFrom(model::configText(config), "again") == config))
            std::abort();
        if (model::ParameterLayout(config).size() < 1)
            std::abort();
    } catch (const InputError&) {
    }
    try {
        const model::Recipe recipe = model::recipeFrom(text, "fuzz");
        if (!(model::recipeFrom(model::recipeText(recipe), "again") == recipe))
            std::abort();
    } catch (const InputError&) {
    }
    return 0;
}
