// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/model_commands.h"
#include "core/error.h"
#include "core/model/decoder.h"
#include "core/model/generate.h"
#include "core/model/open_model.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::cli {
namespace {

struct GenerateOptions {
    std::string model, prompt, format = "text";
    bool greedy = false;
    int64_t tokens = 200, most = 0;
    uint64_t seed = 1;
    double temperature = 1;
    int threads = 0;
};

/// Prints bytes as they come, whole characters at a time.
class Characters {
  public:
    void add(std::string_view bytes) {
        waiting += bytes;
        print(endOfWhole());
    }
    void end() { print(waiting.size()); }

  private:
    /// Before a character of UTF-8 that has begun and may still end.
    size_t endOfWhole() const {
        for (size_t back = 1; back <= std::min<size_t>(3, waiting.size()); ++back) {
            const auto byte = static_cast<uint8_t>(waiting[waiting.size() - back]);
            const size_t wants = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
            if (wants > 1)
                return waiting.size() - (wants > back ? back : 0);
            if (byte < 0x80)
                break;
        }
        return waiting.size();
    }
    void print(size_t count) {
        std::cout << asUtf8(std::string_view(waiting).substr(0, count)) << std::flush;
        waiting.erase(0, count);
    }
    std::string waiting;
};

void generateText(const GenerateOptions& o) {
    const model::Sampling sampling{o.greedy, o.temperature, o.most, o.seed};
    const model::Sampler checked(sampling); // before a model is read
    const auto [loaded, tokenizer] = model::openModel(o.model, model::Accepted::Any);
    const std::vector<int32_t> prompt = tokenizer->encode(o.prompt);
    if (prompt.empty())
        throw InputError("--prompt: is empty, expected at least one character");
    requireMemory({model::generationBytes(loaded->config), 0, "What the model keeps of all tokens", {}});
    const bool asJson = o.format == "json";
    Characters characters;
    if (!asJson)
        characters.add(o.prompt);
    const auto begin = std::chrono::steady_clock::now();
    const auto written = model::generate(*loaded, prompt, o.tokens, sampling, {o.threads, nullptr},
                                         [&, &tokens = *tokenizer](int32_t token) {
                                             if (!asJson)
                                                 characters.add(tokens.decode(std::span(&token, 1)));
                                         });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (asJson) {
        std::cout << nlohmann::json{{"prompt", asUtf8(o.prompt)},
                                    {"prompt_tokens", prompt},
                                    {"text", asUtf8(tokenizer->decode(written))},
                                    {"tokens", written},
                                    {"seconds", seconds}}
                         .dump(2)
                  << '\n';
        return;
    }
    characters.end();
    std::cout << std::endl;
    std::cerr << fmt::format("{:.0f} tokens/s\n", static_cast<double>(written.size()) / seconds);
}

} // namespace

void addGenerateCommand(Command app) {
    const auto given = std::make_shared<GenerateOptions>();
    GenerateOptions& o = *given;
    const Command command = app.command("generate", "What a model writes behind a prompt");
    command.option("--model", &o.model,
                   "Folder with config.json and model.safetensors (default: the small model that comes with the "
                   "program, which has read its documents)");
    command.option("--prompt", &o.prompt, "Text that it goes on with").required();
    command.option("--tokens", &o.tokens, "How many it writes").between(int64_t{1}, int64_t{10'000'000});
    command.flag("--greedy", o.greedy, "Always the likeliest token");
    command.option("--temperature", &o.temperature, "Below 1 the likely becomes likelier");
    command.option("--top-k", &o.most, "Only the likeliest so many tokens (default: all)");
    command.option("--seed", &o.seed, "Of the choices");
    command.option("--threads", &o.threads, "0 = all").between(int64_t{0}, mostThreads);
    command.option("--format", &o.format, "text or json").oneOf({"text", "json"});
    command.does([given] {
        generateText(*given);
        return 0;
    });
}

} // namespace warplight::cli
