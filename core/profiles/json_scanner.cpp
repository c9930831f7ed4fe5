// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/json_scanner.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace warplight::profiles {
namespace {

constexpr size_t pieceBytes = 1 << 18;

bool isSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// What matters while passing over a value: quotes and brackets.
constexpr std::array<bool, 256> makeMarks() {
    std::array<bool, 256> marks{};
    for (const char c : {'"', '{', '}', '[', ']'})
        marks[static_cast<unsigned char>(c)] = true;
    return marks;
}
constexpr std::array<bool, 256> marks = makeMarks();

void appendUtf8(std::string& text, uint32_t code) {
    if (code < 0x80) {
        text += static_cast<char>(code);
    } else if (code < 0x800) {
        text += static_cast<char>(0xC0 | code >> 6);
        text += static_cast<char>(0x80 | (code & 63));
    } else if (code < 0x10000) {
        text += static_cast<char>(0xE0 | code >> 12);
        text += static_cast<char>(0x80 | (code >> 6 & 63));
        text += static_cast<char>(0x80 | (code & 63));
    } else {
        text += static_cast<char>(0xF0 | code >> 18);
        text += static_cast<char>(0x80 | (code >> 12 & 63));
        text += static_cast<char>(0x80 | (code >> 6 & 63));
        text += static_cast<char>(0x80 | (code & 63));
    }
}

} // namespace

JsonScanner::JsonScanner(ByteSource& from) : source(from), buffer(pieceBytes) {
    if (refill() && std::string_view(buffer.data(), end).starts_with("\xEF\xBB\xBF"))
        at = 3;
}

bool JsonScanner::refill() {
    before += static_cast<int64_t>(end);
    at = 0;
    end = source.read(buffer.data(), buffer.size());
    return end > 0;
}

void JsonScanner::damaged(std::string expected) {
    throw JsonDamage{offset(), at >= end && !refill(), std::move(expected)};
}

char JsonScanner::peek() {
    while (at < end || refill()) {
        if (!isSpace(buffer[at]))
            return buffer[at];
        ++at;
    }
    return '\0';
}

bool JsonScanner::accept(char c) {
    if (peek() != c || at >= end)
        return false;
    ++at;
    return true;
}

void JsonScanner::expect(char c) {
    if (!accept(c))
        damaged(std::string("a ") + c);
}

bool JsonScanner::nextKey(std::string& key) {
    while (accept(',')) {
    }
    if (accept('}'))
        return false;
    if (peek() != '"')
        damaged("a key or a closing brace");
    readString(key);
    expect(':');
    return true;
}

bool JsonScanner::nextElement() {
    while (accept(',')) {
    }
    if (accept(']'))
        return false;
    if (peek() == '\0')
        damaged("an element or a closing bracket");
    return true;
}

void JsonScanner::readString(std::string& text, size_t longest) {
    text.clear();
    expect('"');
    const auto hex4 = [&] {
        uint32_t code = 0;
        for (int i = 0; i < 4; ++i) {
            const char c = next();
            const char lower = static_cast<char>(c | 0x20);
            if (c >= '0' && c <= '9')
                code = code * 16 + static_cast<uint32_t>(c - '0');
            else if (lower >= 'a' && lower <= 'f')
                code = code * 16 + static_cast<uint32_t>(lower - 'a' + 10);
            else
                damaged("four hexadecimal digits");
        }
        return code;
    };
    const auto keep = [&](auto append) {
        if (text.size() < longest)
            append();
    };
    uint32_t high = 0; // the first half of a surrogate pair
    while (true) {
        // The run up to the next quote or backslash, as it stands: control characters are kept.
        if (at >= end && !refill())
            damaged("a closing quote");
        const char* from = buffer.data() + at;
        const char* to = from;
        const char* last = buffer.data() + end;
        while (to < last && *to != '"' && *to != '\\')
            ++to;
        keep([&] { text.append(from, std::min(static_cast<size_t>(to - from), longest - text.size())); });
        at += static_cast<size_t>(to - from);
        if (to == last)
            continue;
        if (buffer[at++] == '"')
            return;
        const char escaped = next();
        if (escaped != 'u')
            high = 0;
        switch (escaped) {
        case 'n':
            keep([&] { text += '\n'; });
            break;
        case 't':
            keep([&] { text += '\t'; });
            break;
        case 'r':
            keep([&] { text += '\r'; });
            break;
        case 'b':
            keep([&] { text += '\b'; });
            break;
        case 'f':
            keep([&] { text += '\f'; });
            break;
        case 'u': {
            uint32_t code = hex4();
            if (code >= 0xD800 && code < 0xDC00) {
                high = code;
                break;
            }
            if (code >= 0xDC00 && code < 0xE000)
                code = high ? 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) : 0xFFFD;
            high = 0;
            keep([&] { appendUtf8(text, code); });
            break;
        }
        case '\0':
            if (at >= end)
                damaged("a closing quote");
            [[fallthrough]];
        default:
            keep([&] { text += escaped; }); // also what is no escape: Windows paths
        }
    }
}

void JsonScanner::readScalar(std::string& text) {
    constexpr size_t longest = 64; // digits of a number; longer ones are no number that means something
    const char first = peek();
    if (first == '"') {
        readString(text, longest);
        return;
    }
    text.clear();
    while (at < end || refill()) {
        const char c = buffer[at];
        if (c == ',' || c == '}' || c == ']' || isSpace(c))
            break;
        if (c == '"' || c == '{' || c == '[' || c == ':')
            damaged("a number, a string, true, false or null");
        if (text.size() < longest)
            text += c;
        ++at;
    }
    if (text.empty())
        damaged("a value");
}

void JsonScanner::skipString() {
    while (at < end || refill()) {
        const char* from = buffer.data() + at;
        const auto* quote = static_cast<const char*>(std::memchr(from, '"', end - at));
        const size_t length = quote ? static_cast<size_t>(quote - from) : end - at;
        const auto* slash = static_cast<const char*>(std::memchr(from, '\\', length));
        if (slash) {
            at += static_cast<size_t>(slash - from) + 1;
            next(); // whatever is escaped
        } else {
            at += length;
            if (quote) {
                ++at;
                return;
            }
        }
    }
    damaged("a closing quote");
}

void JsonScanner::skipValue() {
    const char first = peek();
    if (first == '{' || first == '[') {
        ++at;
        skipToEnd();
    } else if (first == '"') {
        ++at;
        skipString();
    } else {
        bool any = false;
        while (at < end || refill()) {
            const char c = buffer[at];
            if (c == ',' || c == '}' || c == ']' || isSpace(c))
                break;
            if (c == '"' || c == '{' || c == '[' || c == ':')
                damaged("a value");
            any = true;
            ++at;
        }
        if (!any)
            damaged("a value");
    }
}

void JsonScanner::skipToEnd() {
    int64_t depth = 1;
    while (at < end || refill()) {
        const char* p = buffer.data() + at;
        const char* last = buffer.data() + end;
        while (p < last && !marks[static_cast<unsigned char>(*p)])
            ++p;
        at = static_cast<size_t>(p - buffer.data());
        if (p == last)
            continue;
        ++at;
        if (*p == '"')
            skipString();
        else if (*p == '{' || *p == '[')
            ++depth;
        else if (--depth == 0)
            return;
    }
    damaged("a closing bracket");
}

bool JsonScanner::seek(std::string_view text) {
    size_t matched = 0; // the texts that are sought have no prefix that repeats inside them
    while (at < end || refill()) {
        const char c = buffer[at++];
        matched = c == text[matched] ? matched + 1 : c == text[0] ? 1 : 0;
        if (matched == text.size())
            return true;
    }
    return false;
}

} // namespace warplight::profiles
