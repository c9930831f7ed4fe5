// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/tokenizer.h"

#include "core/error.h"

#include <fmt/format.h>
#include <system_error>

namespace warplight::model {
namespace {

constexpr int32_t byteValues = 256;

class ByteTokenizer : public Tokenizer {
  public:
    int64_t vocabulary() const override { return byteValues; }

    std::vector<int32_t> encode(std::string_view text) const override {
        std::vector<int32_t> tokens;
        tokens.reserve(text.size());
        for (const char c : text)
            tokens.push_back(static_cast<uint8_t>(c));
        return tokens;
    }

    std::string decode(std::span<const int32_t> tokens) const override {
        std::string text;
        for (const int32_t token : tokens)
            if (token >= 0 && token < byteValues)
                text += static_cast<char>(token);
        return text;
    }
};

} // namespace

std::unique_ptr<Tokenizer> byteTokenizer() { return std::make_unique<ByteTokenizer>(); }

std::unique_ptr<Tokenizer> tokenizerOf(const std::filesystem::path& folder, int64_t vocabulary) {
    for (const char* file : {"vocab.json", "tokenizer.json"})
        if (std::error_code error; std::filesystem::exists(folder / file, error))
            throw InputError(fmt::format("{}: tokenizers of pairs are not read yet, expected a model of bytes",
                                         (folder / file).string()));
    if (vocabulary != byteValues)
        throw InputError(fmt::format("{}: holds no tokenizer for a vocabulary of {}, expected vocab.json and "
                                     "merges.txt, or a vocabulary of {}, one token a byte",
                                     folder.string(), vocabulary, byteValues));
    return byteTokenizer();
}

} // namespace warplight::model
