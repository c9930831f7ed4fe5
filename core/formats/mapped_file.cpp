// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/mapped_file.h"

#include "core/error.h"
#include "gpu/host/regular_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace warplight::formats {

MappedFile::MappedFile(const std::string& file) {
    requireRegularFile(file, "a file that can be read"); // before it is opened: opening a pipe waits
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (descriptor < 0 || ::fstat(descriptor, &status) != 0) {
        const std::string why = std::strerror(errno);
        if (descriptor >= 0)
            ::close(descriptor);
        throw InputError(fmt::format("{}: {}, expected a file that can be read", file, why));
    }
    size = static_cast<size_t>(status.st_size);
    void* mapped = size ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
    ::close(descriptor);
    if (mapped == MAP_FAILED)
        throw InputError(
            fmt::format("{}: {}, expected a file that can be mapped into memory", file, std::strerror(errno)));
    begin = mapped;
}

MappedFile::~MappedFile() {
    if (begin)
        ::munmap(begin, size);
}

} // namespace warplight::formats
