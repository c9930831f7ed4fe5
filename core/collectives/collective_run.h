// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/message_log.h"
#include "core/collectives/reduction.h"
#include "core/collectives/transport.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace warplight::collectives {

/// A collective to be run, the same for every rank and transport.
struct CollectiveCall {
    const Schedule* schedule = nullptr;
    number::Format type = number::Format::F32;
    Reduction reduction = Reduction::Sum;
    bool divides = true; ///< Average: false leaves the sum. What is only passed on is never divided
};

/// What a rank notes down of a run; its own, without locks. Times are of one clock for all ranks.
struct RankLog {
    struct Sent {
        int64_t step;
        int32_t to;
        double start;
    };
    struct Received {
        int64_t step;
        int32_t from;
        Range range;
        bool reduce;
        double end;
    };
    std::vector<Sent> sent;
    std::vector<Received> received;
    double start = 0, end = 0;
};

/// Called by every rank after each of its steps with its vector; null = nobody looks.
using StepObserver = std::function<void(int rank, int64_t step, std::span<const std::byte> vector)>;

/// One rank's part: sends, receives and combines, step by step, in place.
/// vector: schedule->elements() elements. `log` and `observe` may be null. `cancel` is looked at before every step.
void runRank(const CollectiveCall& call, Transport& transport, std::span<std::byte> vector, RankLog* log,
             const StepObserver& observe, const std::atomic<bool>* cancel);

/// Bytes that runRank() of all ranks together holds at most besides their vectors: what came in before it may take the
/// place of what is still being sent.
int64_t heldBytes(const Schedule& schedule, number::Format type);

/// Joins what the ranks noted down. Throws std::logic_error when a message was received that nobody sent.
MessageLog joinLogs(const Schedule& schedule, number::Format type, const std::vector<RankLog>& logs);

} // namespace warplight::collectives
