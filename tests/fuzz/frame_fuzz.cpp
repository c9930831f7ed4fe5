// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are a frame or an InputError, and what was read can be written and read again.
#include "core/error.h"
#include "core/lab/frame.h"

#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    try {
        const lab::Frame frame = lab::decode(std::as_bytes(std::span(data, size)));
        const auto bytes = lab::encode(frame);
        if (lab::encode(lab::decode(bytes)) != bytes)
            std::abort();
    } catch (const InputError&) {
    }
    return 0;
}
