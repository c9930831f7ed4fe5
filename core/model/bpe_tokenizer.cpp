// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/bpe_tokenizer.h"

#include "core/error.h"
#include "core/model/byte_symbols.h"
#include "core/model/pair_merges.h"
#include "core/model/word_splitter.h"
#include "core/text/echo.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fmt/format.h>
#include <optional>
#include <span>

namespace warplight::model {
namespace {

class BpeTokenizer : public Tokenizer {
  public:
    BpeTokenizer(const BpeParts& parts, const std::string& where)
        : special(parts.special.begin(), parts.special.end()) {
        const auto idOf = [&](const std::string& token, const std::string& what) {
            const auto found = parts.vocabulary.find(token);
            if (found == parts.vocabulary.end())
                throw InputError(fmt::format("{}: the vocabulary has no token '{}', expected one for {}", where,
                                             echoed(token), what));
            return found->second;
        };
        for (size_t byte = 0; byte < ofBytes.size(); ++byte)
            ofBytes[byte] = idOf(symbolOf(static_cast<uint8_t>(byte)), fmt::format("the byte {}", byte));
        for (const auto& [left, right] : parts.merges)
            for (const std::string& part : {left, right, left + right}) // the first that is missing is told
                idOf(part, "a merge");
        for (const auto& [left, right] : parts.merges)
            merges.add(parts.vocabulary.at(left), parts.vocabulary.at(right), parts.vocabulary.at(left + right));
        for (const auto& [token, id] : parts.vocabulary)
            put(id, bytesOfSymbols(token).value_or(token));
        for (const auto& [text, id] : special)
            put(id, text);
        // Of two that begin at the same place the longer one counts.
        std::stable_sort(special.begin(), special.end(),
                         [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    }

    int64_t vocabulary() const override { return static_cast<int64_t>(texts.size()); }

    std::vector<int32_t> encode(std::string_view given) const override {
        const std::string whole = asUtf8(given);
        std::string_view text = whole;
        std::vector<int32_t> tokens;
        Known known;
        while (!text.empty()) {
            size_t at = text.size(), length = 0;
            int32_t id = 0;
            for (const auto& [name, token] : special)
                if (const size_t found = text.find(name); found < at) {
                    at = found;
                    length = name.size();
                    id = token;
                }
            splitter.split(text.substr(0, at), [&](std::string_view word) { encodeWord(word, known, tokens); });
            if (length > 0)
                tokens.push_back(id);
            text.remove_prefix(at + length);
        }
        return tokens;
    }

    std::string decode(std::span<const int32_t> tokens) const override {
        std::string text;
        for (const int32_t token : tokens)
            if (token >= 0 && token < vocabulary())
                text += texts[static_cast<size_t>(token)].value_or("");
        return text;
    }

  private:
    using Known = std::unordered_map<std::string, std::vector<int32_t>>; ///< words that came before

    void put(int32_t id, const std::string& text) {
        if (static_cast<size_t>(id) >= texts.size())
            texts.resize(static_cast<size_t>(id) + 1);
        texts[static_cast<size_t>(id)] = text;
    }

    void encodeWord(std::string_view word, Known& known, std::vector<int32_t>& tokens) const {
        constexpr size_t longest = 64, most = 1 << 16; // more would not come again, or fill the memory
        std::string key;
        if (word.size() <= longest) {
            key = word;
            if (const auto found = known.find(key); found != known.end()) {
                tokens.insert(tokens.end(), found->second.begin(), found->second.end());
                return;
            }
        }
        std::vector<int32_t> made;
        made.reserve(word.size());
        for (const char c : word)
            made.push_back(ofBytes[static_cast<uint8_t>(c)]);
        merges.apply(made);
        tokens.insert(tokens.end(), made.begin(), made.end());
        if (!key.empty() && known.size() < most)
            known.emplace(std::move(key), std::move(made));
    }

    std::vector<std::pair<std::string, int32_t>> special;
    std::array<int32_t, 256> ofBytes{};
    PairMerges merges;
    WordSplitter splitter;
    std::vector<std::optional<std::string>> texts; ///< of each token; unset: the number is not used
};

} // namespace

std::unique_ptr<Tokenizer> bpeTokenizer(const BpeParts& parts, const std::string& where) {
    return std::make_unique<BpeTokenizer>(parts, where);
}

} // namespace warplight::model
