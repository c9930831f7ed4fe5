// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/memory.h"

#include "core/collectives/collective_run.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <sys/resource.h>
#include <thread>

namespace warplight::labs::allreduce {
namespace {

/// A process that MPI has started, with what it keeps for each other rank (some 30 MB measured with Open MPI 4.1).
constexpr int64_t processBytes = 48 << 20;
/// A message of a log: as its sender and its receiver noted it, and joined.
constexpr int64_t loggedBytes =
    sizeof(collectives::RankLog::Sent) + sizeof(collectives::RankLog::Received) + 2 * sizeof(collectives::Message);
/// Of a simulated rank: its state, its links, its part of a step (measured: 0.5 to 1.2 kB).
constexpr int64_t simulatedRankBytes = 2048;

int64_t messagesOf(const collectives::Schedule& schedule) {
    int64_t messages = 0;
    collectives::Step step;
    for (int64_t index = 0; index < schedule.steps(); ++index)
        for (int rank = 0; rank < schedule.ranks(); ++rank) {
            schedule.step(rank, index, step);
            messages += static_cast<int64_t>(step.sends.size());
        }
    return messages;
}

} // namespace

int64_t vectorBytes(const CollectiveJob& job) { return saturatedProduct(job.ranks, job.bytes()); }

int64_t runBytes(const CollectiveJob& job, bool keepsLog) {
    const auto schedule = scheduleOf(job);
    const int64_t vectors = vectorBytes(job);
    const bool isLibrary = job.algorithm.ends_with("-library");
    const int64_t held = isLibrary ? vectors : collectives::heldBytes(*schedule, job.type);
    const int64_t log = keepsLog ? loggedBytes * messagesOf(*schedule) : 0;
    // Inputs and results, twice in memory that processes share, once in that of GPUs and the way there.
    const int64_t copies = job.transport == "mpi" || job.transport == "simulated" ? 4 : job.transport == "nccl" ? 3 : 2;
    const int64_t processes = job.transport == "mpi" ? processBytes * job.ranks : 0;
    return saturatedSum(saturatedProduct(copies, vectors), saturatedSum(held, log + processes));
}

int64_t simulationBytes(int64_t ranks) {
    constexpr int64_t mostBins = 1024; // of what goes from whom to whom
    const int64_t bins = std::min(ranks, mostBins);
    return ranks * simulatedRankBytes + bins * bins * static_cast<int64_t>(sizeof(int64_t));
}

int64_t runAddressSpace(const CollectiveJob& job) {
    if (job.transport != "threads")
        return 0;
    constexpr int64_t usual = 8 << 20, most = int64_t{1} << 30;
    rlimit stack{};
    const bool isLimited = getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur != RLIM_INFINITY;
    const int64_t stacks = job.ranks * (isLimited ? std::min(static_cast<int64_t>(stack.rlim_cur), most) : usual);
    // glibc reserves 64 MiB for what each thread allocates, for at most eight threads a core.
    constexpr int64_t arena = 64 << 20;
    const int64_t arenas = std::min<int64_t>(job.ranks, 8 * std::max(1u, std::thread::hardware_concurrency()));
    return stacks + arenas * arena;
}

} // namespace warplight::labs::allreduce
