// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/echo.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <new>
#include <stdexcept>
#include <system_error>

namespace warplight {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Bytes of the character that begins here, by the Unicode standard's table 3-7; 0: none does.
size_t characterBytes(std::string_view text) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
    const auto within = [&](size_t i, uint8_t low, uint8_t high) { return byte(i) >= low && byte(i) <= high; };
    const uint8_t first = byte(0);
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    const size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (!within(1, low, high))
        return 0;
    for (size_t i = 2; i < bytes; ++i)
        if (!within(i, 0x80, 0xBF))
            return 0;
    return bytes;
}

/// The longest beginning of valid UTF-8 that ends with a whole character.
std::string_view beginning(std::string_view text, size_t most) {
    size_t end = std::min(text.size(), most);
    while (end > 0 && end < text.size() && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80)
        --end;
    return text.substr(0, end);
}

/// Valid UTF-8, cut. Its length is told in bytes: what that many characters are is another question.
std::string cut(std::string_view text) {
    if (text.size() <= longestEcho)
        return std::string(text);
    return fmt::format("{}… ({} bytes)", beginning(text, longestEcho), text.size());
}

/// A word of a message that echoed() has cut stays as it is, in its quotes and with its mark.
constexpr size_t longestWord = longestEcho + 16;

std::string withCutWords(const std::string& text) {
    std::string result;
    for (size_t at = 0; at < text.size();) {
        const size_t begin = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
        const size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
        result.append(text, at, begin - at);
        const std::string_view word = std::string_view(text).substr(begin, end - begin);
        result += word.size() <= longestWord ? std::string(word) : cut(word);
        at = end;
    }
    return result;
}

} // namespace

std::string echoed(std::string_view value) {
    // Of a megabyte only the beginning is looked at.
    constexpr size_t seen = longestEcho + 4;
    if (value.size() <= seen)
        return cut(asUtf8(value));
    return fmt::format("{}… ({} bytes)", beginning(asUtf8(value.substr(0, seen)), longestEcho), value.size());
}

bool isUtf8(std::string_view text) {
    while (!text.empty()) {
        const size_t bytes = characterBytes(text);
        if (bytes == 0)
            return false;
        text.remove_prefix(bytes);
    }
    return true;
}

std::string asUtf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    while (!text.empty()) {
        const size_t bytes = characterBytes(text);
        valid += bytes == 0 ? replacement : text.substr(0, bytes);
        text.remove_prefix(std::max<size_t>(bytes, 1));
    }
    return valid;
}

std::string sentenceOf(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const std::length_error*>(&error))
        return "There is not enough memory for this: choose a smaller problem, or give the program more (ulimit -v, "
               "the container's limit).";
    if (const auto* system = dynamic_cast<const std::system_error*>(&error);
        system && system->code() == std::errc::resource_unavailable_try_again)
        return "No more threads can be started: choose fewer threads or ranks, or allow more (ulimit -u, ulimit -v).";
    return withCutWords(asUtf8(error.what()));
}

} // namespace warplight
