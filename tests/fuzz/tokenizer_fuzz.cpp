// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are a tokenizer's files or an InputError; any text comes back from its tokens.
#include "core/error.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/byte_symbols.h"
#include "core/text/echo.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace warplight;

namespace {

std::unique_ptr<model::Tokenizer> fewPairs() {
    model::BpeParts parts;
    for (int32_t byte = 0; byte < 256; ++byte)
        parts.vocabulary.emplace(model::symbolOf(static_cast<uint8_t>(byte)), byte);
    int32_t id = 256;
    for (const auto& [left, right] : {std::pair("a", "a"), std::pair("aa", "a"), std::pair("aa", "aa")}) {
        parts.merges.emplace_back(left, right);
        parts.vocabulary.emplace(std::string(left) + right, id++);
    }
    parts.special.emplace("<|endoftext|>", id);
    return model::bpeTokenizer(parts, "fuzz");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const auto tokenizer = fewPairs();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (tokenizer->decode(tokenizer->encode(text)) != asUtf8(text))
        std::abort();
    const size_t zero = text.find('\0');
    try {
        const model::BpeParts parts =
            zero == std::string_view::npos
                ? model::bpeOfTokenizer(text, "fuzz")
                : model::bpeOfVocabulary(text.substr(0, zero), "fuzz", text.substr(zero + 1), "merges");
        model::bpeTokenizer(parts, "fuzz")->encode("any text");
    } catch (const InputError&) {
    }
    return 0;
}
