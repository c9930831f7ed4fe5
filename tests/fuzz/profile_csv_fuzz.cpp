// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are tables of Nsight Compute or Nsight Systems, or an InputError.
#include "core/error.h"
#include "core/profiles/kernel_names.h"
#include "core/profiles/kernel_summary.h"
#include "core/profiles/open_profile.h"

#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    profiles::TextSource source({reinterpret_cast<const char*>(data), size});
    try {
        const profiles::Profile profile = profiles::readProfile(source, {"fuzz", nullptr, {}});
        for (const std::string& name : profile.names) {
            profiles::shortName(name);
            profiles::classOf(name);
        }
        profiles::summariseKernels(profile);
        profiles::summariseCopies(profile);
        profiles::summariseCollectives(profile);
        profiles::overlapOf(profile);
    } catch (const InputError&) {
    }
    return 0;
}
