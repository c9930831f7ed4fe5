// SPDX-License-Identifier: GPL-3.0-or-later
// PTX text: read and decoded, or refused in a sentence; never anything else.
#include "gpu/error.h"
#include "gpu/virtual/decode/decoder.h"

#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace warplight;
    if (size > 16384)
        return 0;
    try {
        const ptx::Module module = ptx::parse(std::string(reinterpret_cast<const char*>(data), size), "fuzz.ptx");
        for (const ptx::Function& f : module.functions)
            if (f.kernel && f.defined)
                vgpu::decodeKernel(module, "fuzz.ptx", f.name,
                                   [](const std::string&) { return uint64_t(0x1000000000); });
    } catch (const InputError&) {
    }
    return 0;
}
