// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are a signal with samples, or an InputError: as a WAV file and as a table.
#include "core/error.h"
#include "core/formats/signal_file.h"
#include "core/text/echo.h"

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    const std::span bytes(data, size);
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto check = [](const auto& read) {
        try {
            if (read().samples.empty())
                std::abort();
        } catch (const InputError& error) {
            if (!isUtf8(sentenceOf(error)))
                std::abort();
        }
    };
    check([&] { return formats::readWav(std::as_bytes(bytes), "fuzz"); });
    check([&] { return formats::readSignalTable(text, "fuzz"); });
    check([&] { return formats::readSignalTable(text, "fuzz", "x"); });
    return 0;
}
