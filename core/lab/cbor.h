// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace warplight::lab {

/// JSON as CBOR (RFC 8949); binary values with a subtype become byte strings with that tag.
/// Bytes of texts that are not UTF-8 become U+FFFD: nothing invalid leaves the program or gets into a file.
std::vector<std::byte> toCbor(const nlohmann::json& json);

/// The inverse for one item that fills `cbor` exactly. Throws InputError for anything that is not well-formed, is
/// nested deeper than any message of ours, or has map keys other than text.
nlohmann::json fromCbor(std::span<const std::byte> cbor);

} // namespace warplight::lab
