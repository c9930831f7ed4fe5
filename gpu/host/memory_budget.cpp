// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/host/memory_budget.h"

#include "gpu/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace warplight {
namespace {

constexpr int64_t unlimited = std::numeric_limits<int64_t>::max();

std::optional<int64_t> numberIn(const std::string& path) {
    std::ifstream file(path);
    int64_t number = 0;
    if (file >> number) // "max" is none
        return number;
    return std::nullopt;
}

/// The number behind `name` in a file of names and numbers.
int64_t numberOf(const std::string& path, const std::string& name) {
    std::ifstream file(path);
    int64_t number = 0;
    for (std::string word; file >> word;)
        if (word == name && file >> number)
            return number;
    return -1;
}

/// What one control group leaves. Pages of files that it has read it could let go of.
int64_t leftBy(const std::string& folder, const char* limit, const char* used, const char* file) {
    const auto most = numberIn(folder + limit), now = numberIn(folder + used);
    if (!most || !now)
        return unlimited;
    const int64_t files = std::clamp<int64_t>(numberOf(folder + "/memory.stat", file), 0, *now);
    return std::max<int64_t>(0, *most - (*now - files));
}

/// The least that this process's control groups and all above them leave.
int64_t leftByControlGroups(const std::string& root) {
    int64_t left = unlimited;
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) { // "0::/user.slice", "7:memory:/docker/4711"
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos)
            continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const bool isUnified = controllers.empty();
        std::string name;
        std::istringstream words(controllers);
        bool isOfMemory = isUnified;
        while (std::getline(words, name, ','))
            isOfMemory = isOfMemory || name == "memory";
        if (!isOfMemory)
            continue;
        for (std::string at = line.substr(second + 1);; at = at.substr(0, at.rfind('/'))) {
            const std::string folder = root + "/sys/fs/cgroup" + (isUnified ? "" : "/memory") + at;
            left = std::min(left, isUnified ? leftBy(folder, "/memory.max", "/memory.current", "inactive_file")
                                            : leftBy(folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                                     "total_inactive_file"));
            if (at.empty())
                break;
            if (at.find('/') == std::string::npos)
                at.clear();
        }
    }
    // Where a container does not see the path that it has outside.
    left = std::min(left, leftBy(root + "/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file"));
    return std::min(left, leftBy(root + "/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                 "total_inactive_file"));
}

} // namespace

FreeMemory freeAddressSpace() {
    FreeMemory least{unlimited, ""};
    std::array<int64_t, 6> pages{}; // of /proc/self/statm: size, resident, shared, text, lib, data
    std::ifstream statm("/proc/self/statm");
    for (int64_t& count : pages)
        statm >> count;
    struct Limit {
        int resource;
        int64_t used;
        const char* where;
    };
    for (const Limit& limit :
         {Limit{RLIMIT_AS, pages[0], "under ulimit -v"}, Limit{RLIMIT_DATA, pages[5], "under ulimit -d"}}) {
        rlimit most{};
        if (getrlimit(static_cast<__rlimit_resource>(limit.resource), &most) != 0 || most.rlim_cur == RLIM_INFINITY)
            continue;
        const int64_t left = static_cast<int64_t>(std::min<rlim_t>(most.rlim_cur, unlimited)) -
                             limit.used * static_cast<int64_t>(sysconf(_SC_PAGE_SIZE));
        if (left < least.bytes)
            least = {std::max<int64_t>(0, left), limit.where};
    }
    return least;
}

FreeMemory freeMemory(const std::string& root) {
    FreeMemory least{unlimited, "on this machine"};
    if (const int64_t kibibytes = numberOf(root + "/proc/meminfo", "MemAvailable:"); kibibytes >= 0)
        least.bytes = kibibytes * 1024;
    if (const int64_t left = leftByControlGroups(root); left < least.bytes)
        least = {left, "in this container"};
    if (const FreeMemory space = freeAddressSpace(); space.bytes < least.bytes)
        least = space;
    return least;
}

std::string memoryText(int64_t bytes) {
    constexpr std::array units{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = static_cast<double>(bytes);
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < units.size(); ++unit)
        value /= 1000;
    return fmt::format("{:.3g} {}", value, units[unit]);
}

int64_t saturatedSum(int64_t a, int64_t b) {
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? unlimited : sum;
}

int64_t saturatedProduct(int64_t a, int64_t b) {
    int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? unlimited : product;
}

void requireMemory(const MemoryNeed& need, const FreeMemory& memory, const FreeMemory& addressSpace) {
    const std::string lower = need.lower.empty() ? "" : fmt::format(": choose less of {}", need.lower);
    const int64_t space = saturatedSum(need.bytes, need.addressSpace);
    if (need.bytes > memory.bytes)
        throw InputError(fmt::format("{} would need about {} of memory, and {} are free {}{}", need.what,
                                     memoryText(need.bytes), memoryText(memory.bytes), memory.where, lower));
    if (space > addressSpace.bytes)
        throw InputError(fmt::format("{} would need about {} of address space, and {} are left {}{}", need.what,
                                     memoryText(space), memoryText(addressSpace.bytes), addressSpace.where, lower));
}

void requireMemory(const MemoryNeed& need) {
    if (need.bytes > 0 || need.addressSpace > 0)
        requireMemory(need, freeMemory(), freeAddressSpace());
}

} // namespace warplight
