// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/provenance.h"

#include "core/error.h"
#include "core/lab/json_members.h"

#include <fmt/format.h>

namespace warplight::lab {
namespace {

constexpr auto& names = vocabulary::EnumNames<Provenance>::names;

} // namespace

std::string_view name(Provenance provenance) { return names.at(static_cast<size_t>(provenance)); }

Provenance provenanceByName(std::string_view name) {
    for (size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) {
            return static_cast<Provenance>(i);
        }
    }
    throw InputError(fmt::format("\"{}\" is no provenance: expected one of {}", name, fmt::join(names, ", ")));
}

} // namespace warplight::lab
