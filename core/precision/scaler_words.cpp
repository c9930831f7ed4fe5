// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/scaler_words.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <system_error>

namespace warplight::precision {
namespace {

constexpr size_t mostTokens = 20'000;

bool isLetter(char c) { return c >= 'a' && c <= 'z'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isJoiner(char c) { return c == '_' || c == '/' || c == '.' || c == '-'; }
bool isBlank(char c) { return c == ' ' || c == '\t'; }

bool isOne(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// Behind "65,536,000": commas with three digits behind each; `end` if there are none, as in "[1,100]".
size_t behindThousands(std::string_view text, size_t begin, size_t end) {
    if (end - begin > 3 || (begin > 0 && text[begin - 1] == '['))
        return end;
    size_t at = end;
    while (at + 3 < text.size() && text[at] == ',' && isDigit(text[at + 1]) && isDigit(text[at + 2]) &&
           isDigit(text[at + 3]) && (at + 4 == text.size() || !isDigit(text[at + 4])))
        at += 4;
    return at;
}

/// The number that begins there, and where it ends.
size_t readNumber(std::string_view text, size_t at, ScalerWords::Token& token) {
    size_t digits = at;
    while (digits < text.size() && isDigit(text[digits]))
        ++digits;
    size_t end = behindThousands(text, at, digits);
    if (end > digits) {
        for (const char c : text.substr(at, end - at))
            token.number = isDigit(c) ? 10 * token.number + (c - '0') : token.number;
        token.whole = true;
    } else {
        const auto [stop, error] = std::from_chars(text.data() + at, text.data() + text.size(), token.number);
        end = error == std::errc::invalid_argument ? digits : static_cast<size_t>(stop - text.data());
        if (error == std::errc::result_out_of_range)
            token.number = std::numeric_limits<double>::infinity();
        token.whole = end == digits;
    }
    token.kind = ScalerWords::Kind::Number;
    token.text = text.substr(at, end - at);
    return end;
}

/// How many bytes an arrow takes that begins there; 0: there is none.
size_t arrowAt(std::string_view text) {
    for (const std::string_view arrow : {"-->", "==>", "->", "=>", "\xE2\x86\x92", "\xE2\x9E\x9C", "\xE2\x87\x92"})
        if (text.starts_with(arrow))
            return arrow.size();
    return 0;
}

} // namespace

ScalerWords::ScalerWords(std::string_view text) {
    const auto follows = [&](size_t i) { return i < text.size() && (isLetter(text[i]) || isDigit(text[i])); };
    bool glued = false, joined = false;
    for (size_t at = 0; at < text.size() && tokens.size() < mostTokens;) {
        const char c = text[at];
        Token token{Kind::Mark, text.substr(at, 1), 0, false, glued, joined};
        const bool nameBefore = glued && !tokens.empty() && tokens.back().kind == Kind::Word;
        if (isLetter(c)) {
            size_t end = at;
            while (end < text.size() && (isLetter(text[end]) || isDigit(text[end])))
                ++end;
            token.kind = Kind::Word;
            token.text = text.substr(at, end - at);
            at = end;
        } else if (isDigit(c)) {
            at = readNumber(text, at, token);
        } else if (const size_t arrow = arrowAt(text.substr(at))) {
            token.text = "->";
            at += arrow;
        } else if (isBlank(c) || static_cast<unsigned char>(c) >= 0x80) {
            glued = joined = false;
            ++at;
            continue;
        } else if (c == '_' || (isJoiner(c) && nameBefore && follows(at + 1))) {
            joined = nameBefore || joined;
            ++at;
            continue;
        } else {
            ++at;
        }
        glued = true;
        joined = false;
        tokens.push_back(token);
    }
}

std::string_view ScalerWords::word(size_t i) const {
    return i < size() && tokens[i].kind == Kind::Word ? tokens[i].text : std::string_view();
}

bool ScalerWords::isWord(size_t i, std::initializer_list<std::string_view> words) const {
    const std::string_view found = word(i);
    return !found.empty() && isOne(found, words);
}

bool ScalerWords::isMark(size_t i, std::string_view marks) const {
    return i < size() && tokens[i].kind == Kind::Mark && tokens[i].text.size() == 1 &&
           marks.find(tokens[i].text[0]) != marks.npos;
}

bool ScalerWords::behind(size_t i, size_t most, std::initializer_list<std::string_view> words) const {
    for (size_t k = i; k > 0 && most > 0 && tokens[k - 1].kind == Kind::Word; --most)
        if (isOne(tokens[--k].text, words))
            return true;
    return false;
}

bool ScalerWords::near(size_t i, size_t before, size_t after, std::initializer_list<std::string_view> words) const {
    for (size_t k = i, left = before; k > 0 && left > 0;)
        if (tokens[--k].kind == Kind::Word) {
            --left;
            if (isOne(tokens[k].text, words))
                return true;
        }
    for (size_t k = i + 1, left = after; k < size() && left > 0; ++k)
        if (tokens[k].kind == Kind::Word) {
            --left;
            if (isOne(tokens[k].text, words))
                return true;
        }
    return false;
}

bool ScalerWords::contains(std::initializer_list<std::string_view> words) const {
    return std::any_of(tokens.begin(), tokens.end(),
                       [&](const Token& t) { return t.kind == Kind::Word && isOne(t.text, words); });
}

bool ScalerWords::containsStart(std::initializer_list<std::string_view> starts) const {
    return std::any_of(tokens.begin(), tokens.end(), [&](const Token& t) {
        return t.kind == Kind::Word && std::any_of(starts.begin(), starts.end(),
                                                   [&](std::string_view start) { return t.text.starts_with(start); });
    });
}

std::optional<ScalerWords::Value> ScalerWords::valueAt(size_t i) const {
    bool parted = false;
    for (; i < size(); ++i) {
        if (isMark(i, ":=")) {
            parted = true;
        } else if (isMark(i, "\"'([ ")) {
            continue;
        } else if (!parted) {
            return {};
        } else if (isNumber(i)) {
            return Value{tokens[i].number, false};
        } else {
            const bool yes = isWord(i, {"true", "yes"});
            return yes || isWord(i, {"false", "no", "none", "null"}) ? std::optional(Value{yes ? 1.0 : 0.0, true})
                                                                     : std::nullopt;
        }
    }
    return {};
}

size_t ScalerWords::shape(std::initializer_list<std::string_view> starts) const {
    size_t hash = 0;
    for (const Token& t : tokens) {
        if (t.kind != Kind::Word)
            continue;
        if (hash == 0 &&
            std::none_of(starts.begin(), starts.end(), [&](auto start) { return t.text.starts_with(start); }))
            continue;
        hash = hash * 1'000'003 + std::hash<std::string_view>()(t.text) + 1;
    }
    return hash;
}

} // namespace warplight::precision
