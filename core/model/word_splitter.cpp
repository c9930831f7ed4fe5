// SPDX-License-Identifier: GPL-3.0-or-later
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/model/word_splitter.h"

#include <cstddef>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <pcre2.h>
#include <stdexcept>
#include <utility>

namespace warplight::model {
namespace {

// White space as Unicode's property White_Space has it; PCRE2's \s would take U+180E as well.
#define WHITE R"(\p{Z}\x{9}-\x{d}\x{85})"
constexpr std::string_view words = "'(?:s|t|re|ve|m|ll|d)"
                                   R"(| ?\p{L}++| ?\p{N}++)"
                                   "| ?[^" WHITE R"(\p{L}\p{N}]++)"
                                   "|[" WHITE "]+(?![^" WHITE "])|[" WHITE "]+";
#undef WHITE

} // namespace

struct WordSplitter::Pattern {
    pcre2_code* code = nullptr;
    ~Pattern() { pcre2_code_free(code); }
};

WordSplitter::WordSplitter() {
    auto made = std::make_unique<Pattern>();
    int error = 0;
    size_t at = 0;
    made->code =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(words.data()), words.size(), PCRE2_UTF, &error, &at, nullptr);
    if (!made->code)
        throw std::runtime_error(fmt::format("PCRE2 does not take the pattern of words (error {} at {})", error, at));
    pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE); // faster where there is such a thing
    pattern = std::move(made);
}

WordSplitter::~WordSplitter() = default;

void WordSplitter::split(std::string_view text, const std::function<void(std::string_view)>& use) const {
    const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
        pcre2_match_data_create_from_pattern(pattern->code, nullptr), pcre2_match_data_free);
    if (!match)
        throw std::bad_alloc();
    size_t at = 0;
    while (at < text.size()) {
        const int found = pcre2_match(pattern->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                      PCRE2_NO_UTF_CHECK, match.get(), nullptr);
        if (found < 0)
            throw std::runtime_error(fmt::format("PCRE2 finds no word at byte {} of a text (error {})", at, found));
        const size_t* bounds = pcre2_get_ovector_pointer(match.get());
        use(text.substr(bounds[0], bounds[1] - bounds[0]));
        at = bounds[1];
    }
}

} // namespace warplight::model
