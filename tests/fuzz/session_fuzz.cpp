// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes open as a session as far as they are whole, or are an InputError.
#include "core/error.h"
#include "core/lab/session.h"

#include <cstdint>
#include <sstream>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    std::istringstream stream(std::string(reinterpret_cast<const char*>(data), size));
    try {
        lab::readSession(stream, "fuzz");
    } catch (const InputError&) {
    }
    return 0;
}
