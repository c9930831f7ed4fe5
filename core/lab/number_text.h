// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace warplight::lab {

/// A number as people read it: by "{:.2f}" if such a format is given, else three digits with an SI prefix and the unit
/// (bytes with binary prefixes): "1.24 ms", "2.0 GiB". An unusable format is ignored.
std::string numberText(double value, const std::string& unit, const std::string& format = {});

/// The same, but a whole number without unit and format digit by digit, however large: "71000".
std::string countText(double value, const std::string& unit, const std::string& format = {});

} // namespace warplight::lab
