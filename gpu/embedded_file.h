// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

namespace warplight {

/// A file that is part of the program (cmake/warplight_embed.cmake).
struct EmbeddedFile {
    std::string_view name; ///< without its folder, "softmax.ptx"
    const char *begin, *end;
    std::string_view contents() const { return {begin, static_cast<size_t>(end - begin)}; }
};

} // namespace warplight
