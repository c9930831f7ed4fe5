// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/model_head.h"

#include "core/error.h"
#include "core/model/model_folder.h"
#include "core/model/network.h"
#include "core/model/open_model.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace warplight::labs::attention {
namespace {

namespace fs = std::filesystem;

fs::path folderOf(const std::string& model) {
    std::error_code ignored;
    const fs::path path = model;
    return fs::is_directory(path, ignored) ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// A token as an axis can show it.
std::string readable(std::string_view token) {
    std::string text;
    for (const char c : token) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == ' ')
            text += "␣";
        else if (c == '\n')
            text += "⏎";
        else if (byte < ' ' || byte == 0x7F || (byte >= 0x80 && token.size() == 1)) // a piece of a longer character
            text += fmt::format("\\x{:02X}", byte);
        else
            text += c;
    }
    return asUtf8(text);
}

} // namespace

ModelInputs readByModel(const ModelHead& which, const std::atomic<bool>* cancel) {
    const auto [model, tokenizer] = model::openModel(which.model.empty() ? fs::path() : folderOf(which.model));
    const model::Config& config = model->config;
    const auto require = [&](const char* name, int64_t given, int64_t count) {
        if (given >= count)
            throw InputError(
                fmt::format("{} is {}, expected 0 to {}: the model has {}", name, given, count - 1, count));
    };
    require("layer", which.layer, config.layers);
    require("head", which.head, config.heads);
    const std::vector<int32_t> all = tokenizer->encode(which.text);
    if (all.empty())
        throw InputError("text is empty, expected at least one character");
    const auto length = std::min(static_cast<int64_t>(all.size()), config.context);
    const std::span<const int32_t> seen(all.data(), static_cast<size_t>(length));
    requireMemory({model::activationBytes(config, 1, length, false), 0,
                   fmt::format("A pass of the model over {} tokens", length), "text"});
    model::Network network(*model, 1, length, false);
    network.forwardBlocks(seen, which.layer + 1, {0, cancel});
    const model::BlockActivations& block = network.activations().blocks[static_cast<size_t>(which.layer)];
    const int64_t features = config.headFeatures(), begin = which.head * length * features;
    const auto part = [&](const float* x) { return std::vector<float>(x + begin, x + begin + length * features); };
    ModelInputs result{
        {length, length, features, part(block.q), part(block.k)}, {}, static_cast<int64_t>(all.size()) - length};
    for (const int32_t token : seen)
        result.tokens.push_back(readable(tokenizer->decode(std::span(&token, 1))));
    return result;
}

double secondsToRead(const ModelHead& which) {
    constexpr double weightsASecond = 1e8, flopsASecond = 2e10, longest = 1024;
    if (which.model.empty())
        return 0.05;
    try {
        const std::string file = (folderOf(which.model) / model::folder::config).string();
        const auto weights = static_cast<double>(
            model::ParameterLayout(model::configFrom(contentsOfFile(file, 1 << 20, "the config.json of a GPT-2"), file))
                .count());
        const double tokens = std::min(longest, static_cast<double>(which.text.size()));
        return weights / weightsASecond + 2 * weights * tokens / flopsASecond;
    } catch (const std::exception&) {
        return 0;
    }
}

} // namespace warplight::labs::attention
