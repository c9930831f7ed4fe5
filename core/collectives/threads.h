// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/collective_run.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace warplight::collectives {

/// What is to go wrong, for trying out what happens then. A rank that dies says nothing to anybody; WrongCount: it
/// believes that the vector has one element more.
struct Fault {
    enum class Kind { None, Dies, Hangs, Slow, WrongCount } kind = Kind::None;
    int rank = 0;
    int64_t step = 0;       ///< from which on
    double slowSeconds = 0; ///< Slow: before every step
};

struct RunOptions {
    int repetitions = 1; ///< timed, after `warmups`; the vectors are put back in between
    int warmups = 0;
    bool keepLog = false;                      ///< of the last repetition
    std::chrono::milliseconds timeout{10'000}; ///< nobody got ahead for so long: the run ends with RankFailure
    Fault fault;
    StepObserver observe;                      ///< of the last repetition; called by all ranks at once
    const std::atomic<bool>* cancel = nullptr; ///< throws Cancelled (gpu/error.h)
};

struct RunOutcome {
    std::vector<double> seconds;                 ///< one per repetition: first rank's start to last rank's end
    MessageLog log;                              ///< empty unless kept
    std::vector<std::vector<std::byte>> results; ///< one vector per rank
};

/// Throws InputError unless there is a vector of that many bytes for every rank and the run is repeated at least once.
void checkInputs(const std::vector<std::vector<std::byte>>& inputs, int ranks, size_t bytes, const RunOptions& options);

/// Ranks are threads of this process, joined by bounded channels with one writer and one reader each.
/// inputs: one vector per rank. Throws RankFailure, CountMismatch, Cancelled, whatever `observe` throws, and InputError
/// for more ranks than threads can stand for (1024) or vectors of another length; no thread is left behind then.
RunOutcome runOnThreads(const CollectiveCall& call, const std::vector<std::vector<std::byte>>& inputs,
                        const RunOptions& options);

} // namespace warplight::collectives
