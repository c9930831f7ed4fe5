// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace warplight {

/// What messages repeat of a value, a name or a word that somebody gave: all of it up to 200 bytes.
inline constexpr size_t longestEcho = 200;

/// A value as messages repeat it: valid UTF-8, and of a long one the beginning and its length.
std::string echoed(std::string_view value);

bool isUtf8(std::string_view text);
/// The same text, with U+FFFD for each byte that is no part of UTF-8.
std::string asUtf8(std::string_view text);

/// What is said of an exception where it leaves the program: its sentence in valid UTF-8, words cut as echoed() does,
/// whoever wrote it. What the standard library throws without one gets a sentence: no memory, no more threads.
std::string sentenceOf(const std::exception& error);

} // namespace warplight
