// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are a trace as far as they are whole, or an InputError.
#include "core/error.h"
#include "core/profiles/kernel_summary.h"
#include "core/profiles/kineto_trace.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    profiles::TextSource source({reinterpret_cast<const char*>(data), size});
    try {
        const profiles::Profile profile = profiles::readKinetoTrace(source, {"fuzz", nullptr, {}});
        profiles::summariseKernels(profile);
        profiles::summariseCopies(profile);
        profiles::summariseCollectives(profile);
        profiles::overlapOf(profile);
    } catch (const InputError&) {
    }
    return 0;
}
