// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/frame.h"

#include "core/error.h"
#include "core/lab/cbor.h"
#include "core/lab/json.h"

namespace warplight::lab {

RunId runOf(const Frame& frame) {
    return std::visit([](const auto& held) { return held.run; }, frame);
}

std::vector<std::byte> encode(const Frame& frame) { return toCbor(toJson(frame)); }

Frame decode(std::span<const std::byte> cbor) { return frameFromJson(fromCbor(cbor)); }

} // namespace warplight::lab
