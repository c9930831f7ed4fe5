// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace warplight::collectives {

/// Memory that processes of one user share. It has no name in any file system: nothing is left of it, however its owner
/// ends, and the size of /dev/shm (64 MB in containers) does not bound it.
class SharedMemory {
  public:
    SharedMemory() = default;
    /// All zero. Throws InputError when there is not so much memory.
    static SharedMemory create(size_t bytes);
    /// What process `owner` holds under `descriptor`. Throws std::runtime_error when that is gone.
    static SharedMemory open(pid_t owner, int descriptor);
    ~SharedMemory();
    SharedMemory(SharedMemory&& other) noexcept;
    SharedMemory& operator=(SharedMemory&& other) noexcept;

    std::byte* data() const { return memory; }
    size_t size() const { return mapped; }
    int descriptor() const { return file; }
    /// At least so many bytes, somewhere else than before. Its owner makes it larger, others see it when they ask.
    /// Throws Cancelled.
    void growTo(size_t bytes, const std::atomic<bool>* cancel = nullptr);
    void followTo(size_t bytes);

  private:
    void map(size_t bytes);

    int file = -1;
    std::byte* memory = nullptr;
    size_t mapped = 0;
};

} // namespace warplight::collectives
