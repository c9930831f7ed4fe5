// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are a log of loss scalers, or an InputError.
#include "core/error.h"
#include "core/precision/scaler_log.h"
#include "core/text/echo.h"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    profiles::TextSource source({reinterpret_cast<const char*>(data), size});
    try {
        const precision::ScalerLog log = precision::readScalerLog(source, {"fuzz", nullptr, {}});
        int64_t skips = 0;
        for (const precision::ScalerEvent& e : log.events) {
            if (e.scaler >= log.scalers.size() || e.skipped < 0)
                std::abort();
            skips += e.skipped;
        }
        if (log.events.empty() || precision::summaryOf(log).skips != skips || (log.steps && *log.steps < skips))
            std::abort();
        for (const std::string& name : log.scalers)
            if (!isUtf8(name))
                std::abort();
    } catch (const InputError&) {
    }
    return 0;
}
