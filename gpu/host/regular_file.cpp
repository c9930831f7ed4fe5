// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/host/regular_file.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <ios>
#include <sys/stat.h>
#include <unistd.h>

namespace warplight {
namespace {

const char* kindOf(mode_t mode) {
    return S_ISDIR(mode)    ? "is a folder"
           : S_ISFIFO(mode) ? "is a pipe"
           : S_ISSOCK(mode) ? "is a socket"
                            : "is a device";
}

} // namespace

int64_t requireRegularFile(const std::string& file, const std::string& expected) {
    const auto refuse = [&](const char* why) {
        throw InputError(fmt::format("{}: {}, expected {}", file, why, expected));
    };
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        refuse(std::strerror(errno));
    if (!S_ISREG(status.st_mode))
        refuse(kindOf(status.st_mode));
    if (::access(file.c_str(), R_OK) != 0)
        refuse(std::strerror(errno));
    return status.st_size;
}

std::string contentsOfFile(const std::string& file, int64_t most, const std::string& expected,
                           const std::atomic<bool>* cancel) {
    const int64_t bytes = requireRegularFile(file, expected);
    const auto refuseLength = [&](int64_t length) {
        throw InputError(
            fmt::format("{}: has {}, expected {} of at most {}", file, memoryText(length), expected, memoryText(most)));
    };
    if (bytes > most)
        refuseLength(bytes);
    std::ifstream in(file, std::ios::binary);
    std::string text;
    text.reserve(static_cast<size_t>(bytes));
    constexpr size_t piece = 1 << 20;
    while (in) {
        checkCancelled(cancel);
        const size_t had = text.size();
        text.resize(had + piece);
        in.read(text.data() + had, piece);
        text.resize(had + static_cast<size_t>(in.gcount()));
        if (static_cast<int64_t>(text.size()) > most) // it grows while it is read
            refuseLength(static_cast<int64_t>(text.size()));
    }
    if (in.bad() || !in.eof())
        throw InputError(fmt::format("{}: cannot be read to its end, expected {}", file, expected));
    return text;
}

} // namespace warplight
