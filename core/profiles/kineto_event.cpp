// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/kineto_event.h"

#include "core/profiles/local_number.h"
#include "core/profiles/text.h"

#include <algorithm>

namespace warplight::profiles {
namespace {

bool sameWord(std::string_view text, std::string_view lower) {
    return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
               return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
           });
}

} // namespace

std::string_view ownerOf(std::string_view process, int64_t device) {
    const size_t blank = process.rfind(' ');
    if (blank == process.npos || plainInteger(process.substr(blank + 1)) != device)
        return process;
    const std::string_view before = trimmed(process.substr(0, blank));
    for (const std::string_view word : {"GPU", "gpu", "device"})
        if (before.ends_with(word))
            return trimmed(before.substr(0, before.size() - word.size()));
    return before.ends_with(']') ? before : process; // "rank 0" is a name
}

KinetoWanted wantedOf(std::string_view category) {
    if (category.empty())
        return KinetoWanted::Unknown;
    if (sameWord(category, "kernel"))
        return KinetoWanted::Kernel;
    if (sameWord(category, "gpu_memcpy") || sameWord(category, "memcpy"))
        return KinetoWanted::Copy;
    if (sameWord(category, "gpu_memset") || sameWord(category, "memset"))
        return KinetoWanted::Fill;
    if (sameWord(category, "cuda_profiler_range"))
        return KinetoWanted::Range;
    return KinetoWanted::No;
}
KinetoWanted wantedOf(const KinetoEvent& event) {
    return event.phase && event.phase != 'X' ? KinetoWanted::No : wantedOf(std::string_view(event.category));
}

} // namespace warplight::profiles
