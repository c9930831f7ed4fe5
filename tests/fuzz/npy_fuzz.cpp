// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are an array or an InputError.
#include "core/error.h"
#include "core/formats/npy.h"

#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        warplight::formats::readNpy(std::as_bytes(std::span(data, size)), "fuzz");
    } catch (const warplight::InputError&) {
    }
    return 0;
}
