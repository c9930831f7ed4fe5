// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::model {

/// Text as tokens and back. Any bytes are text; what is decoded need not be valid UTF-8 before its last token.
class Tokenizer {
  public:
    virtual ~Tokenizer() = default;
    virtual int64_t vocabulary() const = 0;
    virtual std::vector<int32_t> encode(std::string_view text) const = 0;
    /// Tokens that the tokenizer does not have (a model's vocabulary may be larger) are left out.
    virtual std::string decode(std::span<const int32_t> tokens) const = 0;
};

/// A token a byte.
std::unique_ptr<Tokenizer> byteTokenizer();

/// The tokenizer of a model's folder: tokenizer.json, or vocab.json and merges.txt, or bytes where the vocabulary has
/// 256 tokens and there is no such file. Throws InputError naming the file or folder where none fits.
std::unique_ptr<Tokenizer> tokenizerOf(const std::filesystem::path& folder, int64_t vocabulary);

} // namespace warplight::model
