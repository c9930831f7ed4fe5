// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace warplight::cpu {

/// How to execute. The defaults are right for speed; results do not depend on them, not in a single bit.
struct RunOptions {
    int threads = 0;                           ///< 0 = all of the machine's
    const std::atomic<bool>* cancel = nullptr; ///< looked at between pieces of work (every 20 ms); throws Cancelled
};

/// What a run cost besides time.
struct RunCost {
    int64_t extraBytes = 0; ///< the largest number of bytes held at one time beyond inputs and outputs (measured)
    int threadsUsed = 1;
};

/// One implementation of a ladder.
template <class Id>
struct RungInfo {
    Id id;
    std::string_view name;     ///< as on the command line
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
};

} // namespace warplight::cpu
