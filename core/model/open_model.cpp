// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/open_model.h"

#include "core/model/example_model.h"

#include <utility>

namespace warplight::model {

OpenedModel openModel(const std::filesystem::path& folder, Accepted accepted) {
    if (folder.empty())
        return {exampleModel(), byteTokenizer()};
    auto model = loadModel(folder, accepted);
    auto tokenizer = tokenizerOf(folder, model->config.vocabulary);
    return {std::move(model), std::move(tokenizer)};
}

} // namespace warplight::model
