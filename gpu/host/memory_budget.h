// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace warplight {

/// What somebody is about to take, stated before it is.
struct MemoryNeed {
    int64_t bytes = 0;        ///< that are written to
    int64_t addressSpace = 0; ///< besides, that is reserved only: stacks of threads, the virtual GPU's memory
    std::string what;         ///< "8 ranks of 256 MiB": begins the sentence
    std::string lower;        ///< "bytes or ranks": what to make smaller
};

struct FreeMemory {
    int64_t bytes = 0;
    std::string where; ///< "on this machine", "in this container", "under ulimit -v"
};

/// Bytes that can still be had without anybody being ended for it: MemAvailable, or what the control groups of this
/// process (version 1 or 2, with what they could let go of) leave, or RLIMIT_AS and RLIMIT_DATA, whichever is least.
/// `root` is where /proc and /sys lie.
FreeMemory freeMemory(const std::string& root = "");

/// Bytes that can still be reserved under RLIMIT_AS and RLIMIT_DATA; bytes is INT64_MAX where neither limits it.
FreeMemory freeAddressSpace();

/// "3.2 GB": memory is counted as /proc and ulimit do, told as people buy it.
std::string memoryText(int64_t bytes);

/// Sums and products of sizes that stop at INT64_MAX instead of running over.
int64_t saturatedSum(int64_t a, int64_t b);
int64_t saturatedProduct(int64_t a, int64_t b);

/// Throws InputError with the figure, what is free and what to lower when the need is more than that.
void requireMemory(const MemoryNeed& need);
void requireMemory(const MemoryNeed& need, const FreeMemory& memory, const FreeMemory& addressSpace);

} // namespace warplight
