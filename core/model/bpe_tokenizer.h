// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace warplight::model {

/// What a byte-level BPE is made of, as its files say it.
struct BpeParts {
    std::unordered_map<std::string, int32_t> vocabulary; ///< tokens, written with GPT-2's characters for bytes
    std::vector<std::pair<std::string, std::string>> merges;
    std::map<std::string, int32_t> special; ///< texts that are one token wherever they stand
};

/// Of vocab.json and merges.txt; "<|endoftext|>" is special where the vocabulary has it. Throws InputError naming
/// `where` (of the file), the field or line and what was expected.
BpeParts bpeOfVocabulary(std::string_view vocabulary, const std::string& vocabularyWhere, std::string_view merges,
                         const std::string& mergesWhere);
/// Of tokenizer.json; one that does something else with text than GPT-2's is refused.
BpeParts bpeOfTokenizer(std::string_view tokenizer, const std::string& where);

/// GPT-2's tokenizer (Radford et al. 2019, section 2.2). What is no UTF-8 becomes U+FFFD before it is encoded. Throws
/// InputError naming `where` when a byte has no token or a merge makes none.
std::unique_ptr<Tokenizer> bpeTokenizer(const BpeParts& parts, const std::string& where);

} // namespace warplight::model
