// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

namespace warplight::lab {

/// Where a number comes from. Every number that Warplight shows carries one, and they are never mixed in one column.
enum class Provenance {
    Measured,  ///< a clock, an allocator or a file said so
    Counted,   ///< exact counts of what the run did (accesses, elements, iterations) or of what it computed
    Modelled,  ///< a formula or a time model says so
    Reference, ///< a known result or ceiling to compare with
};

std::string_view name(Provenance provenance);       ///< "measured", ...
Provenance provenanceByName(std::string_view name); ///< throws InputError

} // namespace warplight::lab
