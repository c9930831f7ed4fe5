// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/model_commands.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/model/model_folder.h"
#include "core/model/network.h"
#include "core/model/tokenizer.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::cli {
namespace {

struct LogitsOptions {
    std::string model, text, tokens, out;
    int threads = 0;
};

constexpr int64_t longestText = int64_t{1} << 26;

std::vector<int32_t> tokensOf(const tensor::Tensor& loaded, const std::string& where, int64_t vocabulary) {
    std::vector<int32_t> tokens;
    for (const float value : loaded.values) {
        if (!(value >= 0) || value >= static_cast<float>(vocabulary) || value != std::floor(value))
            throw InputError(fmt::format("--tokens {}: holds {}, expected whole numbers from 0 to {}", where, value,
                                         vocabulary - 1));
        tokens.push_back(static_cast<int32_t>(value));
    }
    return tokens;
}

void writeLogits(const LogitsOptions& o) {
    std::vector<formats::OutputTensor> outputs{{o.out, {"logits", {}, number::Format::F32}}};
    formats::checkOutputs(outputs);
    const auto loaded = model::loadModel(o.model, model::Accepted::Any);
    const model::Config& config = loaded->config;
    std::vector<int32_t> tokens;
    std::vector<int64_t> shape;
    const std::string given = o.text.empty() ? "--tokens " + o.tokens : "--text " + o.text;
    if (!o.text.empty()) {
        tokens = model::tokenizerOf(o.model, config.vocabulary)->encode(contentsOfFile(o.text, longestText, "a text"));
        shape = {static_cast<int64_t>(tokens.size())};
    } else {
        const tensor::Tensor ids = formats::loadTensor(o.tokens);
        tokens = tokensOf(ids, o.tokens, config.vocabulary);
        shape = ids.shape;
    }
    if (shape.empty() || shape.size() > 2 || tokens.empty())
        throw InputError(fmt::format("{}: has the shape {}, expected [length] or [batch, length] of at least one token",
                                     given, tensor::shapeText(shape)));
    const int64_t length = shape.back(), batch = static_cast<int64_t>(tokens.size()) / length;
    if (length > config.context)
        throw InputError(
            fmt::format("{}: has {} tokens, expected at most {}, the model's context", given, length, config.context));
    shape.push_back(config.vocabulary);
    requireMemory({saturatedSum(model::activationBytes(config, 1, length, false),
                                saturatedProduct(4, saturatedProduct(batch * length, config.vocabulary))),
                   0, fmt::format("Logits {}", tensor::shapeText(shape)), "--tokens"});
    model::Network network(*loaded, 1, length, false);
    tensor::Tensor& made = outputs.front().tensor.tensor;
    made.shape = shape;
    for (int64_t row = 0; row < batch; ++row) {
        const auto logits = network.forward(
            std::span<const int32_t>(tokens).subspan(static_cast<size_t>(row * length), static_cast<size_t>(length)),
            {o.threads, nullptr});
        made.values.insert(made.values.end(), logits.begin(), logits.end());
    }
    formats::saveTensors(outputs);
}

} // namespace

void addLogitsCommand(Command app) {
    const auto given = std::make_shared<LogitsOptions>();
    LogitsOptions& o = *given;
    const Command command = app.command("logits", "A model's logits of every token of a text");
    command.option("--model", &o.model, "Folder with config.json and model.safetensors").required();
    const Option text = command.option("--text", &o.text, "A file, of at most as many tokens as the model's context");
    const Option tokens =
        command.option("--tokens", &o.tokens, "FILE.npy of whole numbers, [length] or [batch, length]");
    text.excludes(tokens);
    command
        .option("-o,--out", &o.out,
                "FILE.npy, FILE.npz[:key] or FILE.safetensors[:name]; [length, vocabulary], "
                "behind batch if there is one")
        .required();
    command.option("--threads", &o.threads, "0 = all").between(int64_t{0}, mostThreads);
    command.needsOneOf(text, tokens, "--text or --tokens");
    command.does([given] {
        writeLogits(*given);
        return 0;
    });
}

} // namespace warplight::cli
