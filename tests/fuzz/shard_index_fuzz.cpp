// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are an index of shards or an InputError.
#include "core/error.h"
#include "core/formats/sharded.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        warplight::formats::parseShardIndex({reinterpret_cast<const char*>(data), size}, "fuzz");
    } catch (const warplight::InputError&) {
    }
    return 0;
}
