// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace warplight {

/// A line without what only terminals see: colours and other control sequences, control characters (also the zeros of
/// UTF-16), marks without width; no-break spaces become spaces.
std::string plainLine(std::string_view line);

} // namespace warplight
