#include "core/collectives/shared_memory.h"

#include "core/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <optional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace warplight::collectives {
namespace {

std::optional<int64_t> numberIn(const char* path) {
    std::ifstream file(path);
    int64_t number = 0;
    if (file >> number)
        return number;
    return std::nullopt;
}

void reserve(int file, size_t from, size_t to) {
    // Reserved now: a page that is not there when somebody writes to it ends the process.
    int failed = EINTR;
    while (failed == EINTR)
        failed = posix_fallocate(file, static_cast<off_t>(from), static_cast<off_t>(to - from));
    if (failed != 0)
        throw InputError(fmt::format("{:.1f} MB of memory to share between processes cannot be had: {}",
                                     static_cast<double>(to) * 1e-6, std::strerror(failed)));
}

} // namespace

SharedMemory SharedMemory::create(size_t bytes) {
    SharedMemory shared;
    shared.file = memfd_create("warplight-ranks", MFD_CLOEXEC);
    if (shared.file < 0)
        throw std::runtime_error(fmt::format("there is no memory to share: {}", std::strerror(errno)));
    shared.growTo(bytes);
    return shared;
}

SharedMemory SharedMemory::open(pid_t owner, int descriptor) {
    SharedMemory shared;
    const std::string path = fmt::format("/proc/{}/fd/{}", owner, descriptor);
    shared.file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status {};
    if (shared.file < 0 || fstat(shared.file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        throw std::runtime_error(fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
    shared.map(static_cast<size_t>(status.st_size));
    return shared;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : file(std::exchange(other.file, -1)),
      memory(std::exchange(other.memory, nullptr)),
      mapped(std::exchange(other.mapped, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
    std::swap(file, other.file);
    std::swap(memory, other.memory);
    std::swap(mapped, other.mapped);
    return *this;
}

SharedMemory::~SharedMemory() {
    if (memory)
        munmap(memory, mapped);
    if (file >= 0)
        close(file);
}

void SharedMemory::growTo(size_t bytes) {
    if (bytes <= mapped)
        return;
    reserve(file, mapped, bytes);
    map(bytes);
}

void SharedMemory::followTo(size_t bytes) {
    if (bytes > mapped)
        map(bytes);
}

void SharedMemory::map(size_t bytes) {
    void* place = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (place == MAP_FAILED)
        throw std::runtime_error(fmt::format("{:.1f} MB of shared memory cannot be mapped: {}",
                                             static_cast<double>(bytes) * 1e-6, std::strerror(errno)));
    if (memory)
        munmap(memory, mapped);
    memory = static_cast<std::byte*>(place);
    mapped = bytes;
}

int64_t availableMemory() {
    int64_t available = std::numeric_limits<int64_t>::max();
    std::ifstream info("/proc/meminfo");
    for (std::string word; info >> word;)
        if (word == "MemAvailable:") {
            int64_t kibibytes = 0;
            if (info >> kibibytes)
                available = kibibytes * 1024;
        }
    // Of version 2 and 1; "max" is no number.
    for (const auto& [limit, used] :
         {std::pair("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
          {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}}) {
        const auto most = numberIn(limit), now = numberIn(used);
        if (most && now)
            available = std::min(available, std::max<int64_t>(0, *most - *now));
    }
    return available;
}

} // namespace warplight::collectives
