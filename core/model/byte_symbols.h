// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace warplight::model {

/// GPT-2 writes bytes as characters that can be seen: those of Latin-1 that can stay as they are, and the others, in
/// their order, as U+0100 and onwards (a space is Ġ).
std::string symbolOf(uint8_t byte);

/// The bytes that a text of such characters stands for; unset where another character is in it.
std::optional<std::string> bytesOfSymbols(std::string_view symbols);

} // namespace warplight::model
