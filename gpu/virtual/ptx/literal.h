// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/ptx/syntax.h"

#include <optional>
#include <string>

namespace warplight::ptx {

/// A number as PTX writes it (4.5): 12, -3 (the sign apart), 0x1F, 017, 0b101, 12U, 0f3F800000, 0d…, 1.5. Nothing if
/// the word is none.
std::optional<Operand> readLiteral(std::string word, bool negative);

} // namespace warplight::ptx
