// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/tokenizer.h"

#include "core/error.h"
#include "core/model/bpe_tokenizer.h"
#include "gpu/host/regular_file.h"

#include <fmt/format.h>
#include <system_error>

namespace warplight::model {
namespace {

namespace fs = std::filesystem;

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

std::unique_ptr<Tokenizer> tokenizerOf(const fs::path& folder, int64_t vocabulary) {
    constexpr int64_t longest = 1 << 28;
    const auto read = [](const fs::path& file) { return contentsOfFile(file.string(), longest, "a tokenizer's file"); };
    const auto has = [&](const char* file) {
        std::error_code error;
        return fs::exists(folder / file, error);
    };
    const fs::path whole = folder / "tokenizer.json", words = folder / "vocab.json", merges = folder / "merges.txt";
    std::unique_ptr<Tokenizer> made;
    std::string where = whole.string();
    if (has("tokenizer.json")) {
        made = bpeTokenizer(bpeOfTokenizer(read(whole), where), where);
    } else if (has("vocab.json")) {
        where = words.string();
        made = bpeTokenizer(bpeOfVocabulary(read(words), where, read(merges), merges.string()), where);
    } else {
        if (vocabulary != byteValues)
            throw InputError(fmt::format("{}: holds no tokenizer for a vocabulary of {}, expected vocab.json and "
                                         "merges.txt, or a vocabulary of {}, one token a byte",
                                         folder.string(), vocabulary, byteValues));
        return byteTokenizer();
    }
    if (made->vocabulary() > vocabulary)
        throw InputError(fmt::format("{}: has {} tokens, expected at most {}, vocab_size of the model", where,
                                     made->vocabulary(), vocabulary));
    return made;
}

} // namespace warplight::model
