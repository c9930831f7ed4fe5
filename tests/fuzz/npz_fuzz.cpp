// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes are an archive of arrays or an InputError. libzip reads files: the bytes go through one in memory.
#include "core/error.h"
#include "core/formats/tensor_file.h"

#include <cstdint>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const int memory = memfd_create("npz", 0);
    static const std::string link = "/tmp/warplight_fuzz_" + std::to_string(getpid()) + ".npz";
    static const bool linked = symlink(("/proc/self/fd/" + std::to_string(memory)).c_str(), link.c_str()) == 0;
    static const struct Unlink {
        ~Unlink() { unlink(link.c_str()); }
    } unlinkAtEnd;
    if (!linked || ftruncate(memory, 0) != 0 || pwrite(memory, data, size, 0) != static_cast<ssize_t>(size))
        return 0;
    try {
        for (const auto& entry : warplight::formats::listTensors(link))
            warplight::formats::loadTensor(link + ":" + entry.name);
    } catch (const warplight::InputError&) {
    }
    return 0;
}
