// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>

namespace warplight {

/// "1 launch", "2 launches": the plural is `one` with an s, or `many`.
inline std::string counted(int64_t count, std::string_view one, std::string_view many = {}) {
    return count == 1     ? fmt::format("1 {}", one)
           : many.empty() ? fmt::format("{} {}s", count, one)
                          : fmt::format("{} {}", count, many);
}

} // namespace warplight
