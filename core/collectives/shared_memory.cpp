// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/shared_memory.h"

#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace warplight::collectives {
namespace {

constexpr size_t reservedAtOnce = 64 << 20; ///< some 20 ms, between two looks at whether anybody still waits for it

/// Reserved now: a page that is not there when somebody writes to it ends the process.
void reserve(int file, size_t from, size_t to, const std::atomic<bool>* cancel) {
    for (size_t at = from; at < to;) {
        if (cancel && *cancel)
            throw Cancelled();
        const size_t bytes = std::min(to - at, reservedAtOnce);
        const int failed = posix_fallocate(file, static_cast<off_t>(at), static_cast<off_t>(bytes));
        if (failed == EINTR)
            continue;
        if (failed != 0)
            throw InputError(fmt::format("{} of memory to share between processes cannot be had: {}",
                                         memoryText(static_cast<int64_t>(to)), std::strerror(failed)));
        at += bytes;
    }
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

void SharedMemory::growTo(size_t bytes, const std::atomic<bool>* cancel) {
    if (bytes <= mapped)
        return;
    reserve(file, mapped, bytes, cancel);
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

} // namespace warplight::collectives
