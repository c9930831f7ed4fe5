// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are runs of nccl-tests, or an InputError; and what we write of a run, we read.
#include "core/collectives/files/nccl_tests.h"
#include "core/error.h"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    profiles::TextSource source({reinterpret_cast<const char*>(data), size});
    try {
        for (const collectives::NcclTests& run : collectives::readNcclTestRuns(source, {"fuzz", nullptr, {}})) {
            int64_t ranks = run.ranks;
            for (const auto& device : run.devices)
                ranks += device.count;
            if (ranks > 10'000) // a line each
                continue;
            const std::string text = collectives::formatNcclTests(run);
            profiles::TextSource again(text);
            if (collectives::readNcclTestRuns(again, {"again", nullptr, {}}).at(0).rows.size() != run.rows.size())
                std::abort();
        }
    } catch (const InputError&) {
    }
    return 0;
}
