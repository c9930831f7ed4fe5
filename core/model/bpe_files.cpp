// SPDX-License-Identifier: GPL-3.0-or-later
// The files in which transformers keep GPT-2's tokenizer.
#include "core/error.h"
#include "core/model/bpe_tokenizer.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace warplight::model {
namespace {

using nlohmann::json;

constexpr int64_t mostTokens = 1 << 24;
constexpr const char* endOfText = "<|endoftext|>";

[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& expected) {
    throw InputError(fmt::format("{}: {}, expected {}", where, what, expected));
}

json objectOf(std::string_view text, const std::string& where, const char* expected) {
    json object = json::parse(text, nullptr, false);
    if (!object.is_object())
        refuse(where, "is no JSON object", expected);
    return object;
}

int32_t idOf(const json& id, const std::string& token, const std::string& where) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(mostTokens))
        refuse(where,
               fmt::format("the number of token '{}' is {}", echoed(token),
                           echoed(id.dump(-1, ' ', false, json::error_handler_t::replace))),
               fmt::format("a whole number from 0 to {}", mostTokens - 1));
    return id.get<int32_t>();
}

std::unordered_map<std::string, int32_t> vocabularyOf(const json& tokens, const std::string& where) {
    std::unordered_map<std::string, int32_t> vocabulary;
    std::set<int32_t> taken;
    for (const auto& [token, number] : tokens.items()) {
        const int32_t id = idOf(number, token, where);
        if (!taken.insert(id).second)
            refuse(where, fmt::format("token '{}' has the number {}, as another one", echoed(token), id),
                   "a number a token");
        vocabulary.emplace(token, id);
    }
    return vocabulary;
}

/// "left right", each without a space.
std::pair<std::string, std::string> mergeOf(std::string_view text, const std::string& where) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == text.size() ||
        text.find(' ', space + 1) != std::string_view::npos)
        refuse(where, fmt::format("is '{}'", echoed(text)), "two tokens with a space between them");
    return {std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

/// A part of tokenizer.json that must be of a type, or must not be there (an empty type).
void requireType(const json& tokenizer, const char* part, const std::string& type, const std::string& where) {
    const auto found = tokenizer.find(part);
    const bool there = found != tokenizer.end() && !found->is_null();
    const std::string has = !there ? "missing"
                            : found->is_object() && found->value("type", json()).is_string()
                                ? found->at("type").get<std::string>()
                                : "of no type";
    if (type.empty() ? there : has != type)
        refuse(where, fmt::format("{} is {}", part, echoed(has)), type.empty() ? "none, as GPT-2's" : type);
}

} // namespace

BpeParts bpeOfVocabulary(std::string_view vocabulary, const std::string& vocabularyWhere, std::string_view merges,
                         const std::string& mergesWhere) {
    BpeParts parts;
    parts.vocabulary = vocabularyOf(objectOf(vocabulary, vocabularyWhere, "{token: number}"), vocabularyWhere);
    for (size_t line = 1; !merges.empty(); ++line) {
        const size_t end = std::min(merges.find('\n'), merges.size());
        std::string_view text = merges.substr(0, end);
        merges.remove_prefix(std::min(end + 1, merges.size()));
        if (text.ends_with('\r'))
            text.remove_suffix(1);
        if (text.empty() || (line == 1 && text.starts_with("#version")))
            continue;
        parts.merges.push_back(mergeOf(text, fmt::format("{}, line {}", mergesWhere, line)));
    }
    if (const auto end = parts.vocabulary.find(endOfText); end != parts.vocabulary.end())
        parts.special.emplace(endOfText, end->second);
    return parts;
}

BpeParts bpeOfTokenizer(std::string_view text, const std::string& where) {
    const json tokenizer = objectOf(text, where, "a tokenizer.json");
    requireType(tokenizer, "normalizer", "", where);
    requireType(tokenizer, "pre_tokenizer", "ByteLevel", where);
    requireType(tokenizer, "model", "BPE", where);
    for (const auto& [flag, right] : {std::pair("add_prefix_space", false), std::pair("use_regex", true)})
        if (const json& before = tokenizer["pre_tokenizer"]; before.contains(flag) && before[flag] != right)
            refuse(where, fmt::format("pre_tokenizer.{} is not {}", flag, right), "it as GPT-2 has it");
    const json& model = tokenizer["model"];
    if (!model.contains("vocab") || !model["vocab"].is_object() || !model.contains("merges") ||
        !model["merges"].is_array())
        refuse(where, "model.vocab or model.merges is missing", "{token: number} and a list of pairs");
    BpeParts parts;
    parts.vocabulary = vocabularyOf(model["vocab"], where + ", model.vocab");
    size_t number = 0;
    for (const json& merge : model["merges"]) {
        const std::string at = fmt::format("{}, model.merges[{}]", where, number++);
        if (merge.is_string())
            parts.merges.push_back(mergeOf(merge.get<std::string>(), at));
        else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
            parts.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
        else
            refuse(at, "is no pair", "two tokens");
    }
    if (const auto added = tokenizer.find("added_tokens"); added != tokenizer.end() && added->is_array())
        for (const json& token : *added) {
            if (!token.is_object() || !token.contains("content") || !token["content"].is_string() ||
                !token.contains("id") || token["content"].get<std::string>().empty())
                refuse(where, "one of added_tokens has no content or id", "both");
            const std::string content = token["content"].get<std::string>();
            parts.special[content] = idOf(token["id"], content, where + ", added_tokens");
        }
    return parts;
}

} // namespace warplight::model
