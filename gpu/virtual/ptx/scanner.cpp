// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/ptx/scanner.h"

#include "gpu/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace warplight::ptx {
namespace {

bool isWordCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           c == '%' || c == '.';
}

} // namespace

Scanner::Scanner(std::string_view ptx, std::string file) : text(ptx), fileName(std::move(file)) {}

void Scanner::skipBlanks() {
    while (at < text.size()) {
        const char c = text[at];
        if (c == '\n') {
            ++currentLine;
            ++at;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\0' || c == '\f' || c == '\v') {
            ++at;
        } else if (text.substr(at, 2) == "//") {
            at = std::min(text.find('\n', at), text.size());
        } else if (text.substr(at, 2) == "/*") {
            const size_t end = text.find("*/", at + 2);
            if (end == std::string_view::npos)
                fail("the end of a comment");
            for (; at < end + 2; ++at)
                currentLine += text[at] == '\n';
        } else {
            return;
        }
    }
}

bool Scanner::atEnd() {
    skipBlanks();
    return at >= text.size();
}

char Scanner::peek() { return atEnd() ? '\0' : text[at]; }

int Scanner::line() {
    skipBlanks();
    return currentLine;
}

bool Scanner::accept(char c) {
    if (peek() != c || atEnd())
        return false;
    ++at;
    return true;
}

void Scanner::expect(char c) {
    if (!accept(c))
        fail(fmt::format("'{}'", c));
}

std::string_view Scanner::peekWord() {
    skipBlanks();
    size_t end = at;
    const char first = at < text.size() ? text[at] : '\0';
    const bool directive = first == '.', number = first >= '0' && first <= '9';
    while (end < text.size()) {
        // ".reg.b16 a" and ".align 4.b8" need no blanks.
        if (end > at && text[end] == '.' && (directive || (number && end + 1 < text.size() && text[end + 1] == 'b')))
            break;
        if (isWordCharacter(text[end]))
            ++end;
        else if (text.substr(end, 2) == "::" && end > at)
            end += 2;
        else
            break;
    }
    return text.substr(at, end - at);
}

std::string Scanner::word() {
    const std::string_view found = peekWord();
    at += found.size();
    return std::string(found);
}

bool Scanner::acceptWord(std::string_view wanted) {
    if (peekWord() != wanted)
        return false;
    at += wanted.size();
    return true;
}

std::string Scanner::quoted() {
    expect('"');
    const size_t end = text.find('"', at);
    if (end == std::string_view::npos)
        fail("the end of a string");
    std::string found(text.substr(at, end - at));
    at = end + 1;
    return found;
}

void Scanner::skipTo(char c) {
    for (; at < text.size() && text[at] != c; ++at)
        currentLine += text[at] == '\n';
    if (at >= text.size())
        fail(fmt::format("'{}'", c));
    ++at;
}

void Scanner::fail(const std::string& expected) {
    const std::string_view found = at < text.size()
                                       ? text.substr(at, std::min<size_t>(text.find_first_of(";\n", at) - at, 24))
                                       : "the end of the text";
    throw InputError(fmt::format("{}:{}: expected {}, found '{}'", fileName, currentLine, expected, found));
}

} // namespace warplight::ptx
