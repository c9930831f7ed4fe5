// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are named tensors, each of which can be read or refused, or an InputError.
#include "core/error.h"
#include "core/formats/safetensors.h"

#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    const auto bytes = std::as_bytes(std::span(data, size));
    try {
        for (const auto& entry : formats::readSafetensorsHeader(bytes, "fuzz"))
            formats::readSafetensors(bytes, entry.name, "fuzz");
    } catch (const InputError&) {
    }
    return 0;
}
