// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/text/lower_case.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace warplight::profiles {

/// At most `longest` characters of UTF-8, the rest of it told by "…" at the end.
std::string shortened(std::string_view text, size_t longest);
/// The same with the middle left out: names differ at their ends.
std::string withoutMiddle(std::string_view text, size_t longest);

std::string_view trimmed(std::string_view text); ///< without blanks, tabs and line ends around it

} // namespace warplight::profiles
