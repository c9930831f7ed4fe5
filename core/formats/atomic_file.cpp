#include "core/formats/atomic_file.h"

#include "core/error.h"

#include <fmt/format.h>
#include <unistd.h>

namespace warplight::formats {

AtomicFile::AtomicFile(std::filesystem::path file)
    : target(std::move(file)),
      temporary(fmt::format("{}.part{}", target.string(), getpid())),
      out(temporary, std::ios::binary | std::ios::trunc) {
    if (!out)
        throw InputError(fmt::format(
            "{}: cannot be written, expected a file name in a folder that exists and allows it", target.string()));
}

AtomicFile::~AtomicFile() {
    out.close();
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
}

void AtomicFile::commit() {
    out.close();
    if (!out)
        throw std::runtime_error(fmt::format("{}: writing failed, is the disk full?", target.string()));
    std::error_code error;
    std::filesystem::rename(temporary, target, error);
    if (error)
        throw std::runtime_error(fmt::format("{}: {}", target.string(), error.message()));
}

} // namespace warplight::formats
