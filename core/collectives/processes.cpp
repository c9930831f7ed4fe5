// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/processes.h"

#include "core/collectives/mpi_job.h"
#include "core/collectives/rank_memory.h"
#include "core/error.h"
#include "core/tensor/pieces.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int mostRanks = 64;
constexpr std::chrono::seconds longestStart{60}; ///< until all ranks are there
constexpr std::chrono::milliseconds poll{5};     ///< between two looks, where nobody rings
constexpr std::chrono::milliseconds goodbye{300};

/// Holds a process, so that a signal cannot reach another one that has got its number.
class ProcessHandle {
  public:
    explicit ProcessHandle(pid_t pid) : file(pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1) {}
    ~ProcessHandle() {
        if (file >= 0)
            close(file);
    }
    ProcessHandle(ProcessHandle&& other) noexcept : file(std::exchange(other.file, -1)) {}
    ProcessHandle& operator=(ProcessHandle&&) = delete;
    void kill() const {
        if (file >= 0)
            syscall(SYS_pidfd_send_signal, file, SIGKILL, nullptr, 0);
    }
    void waitForEnd(std::chrono::milliseconds most) const {
        pollfd look{file, POLLIN, 0};
        if (file >= 0)
            ::poll(&look, 1, static_cast<int>(most.count()));
    }

  private:
    int file;
};

std::string howRankEnded(int rank, const RankRow& row) {
    const int status = row.endStatus;
    const std::string where = fmt::format("Rank {} died in step {}", rank, row.step.load());
    if (WIFSIGNALED(status))
        return fmt::format("{}: signal {} ({}) ended its process.", where, WTERMSIG(status),
                           strsignal(WTERMSIG(status)));
    return fmt::format("{}: its process ended with exit code {}.", where, WEXITSTATUS(status));
}

/// The most that a rank sends and receives: what its log must hold.
std::pair<size_t, size_t> mostMessages(const Schedule& schedule) {
    size_t mostSent = 0, mostReceived = 0;
    Step step;
    for (int rank = 0; rank < schedule.ranks(); ++rank) {
        size_t sent = 0, received = 0;
        for (int64_t index = 0; index < schedule.steps(); ++index) {
            schedule.step(rank, index, step);
            sent += step.sends.size();
            received += step.receives.size();
        }
        mostSent = std::max(mostSent, sent);
        mostReceived = std::max(mostReceived, received);
    }
    return {mostSent, mostReceived};
}

void check(const ProcessCall& call, int ranks, const std::vector<std::vector<std::byte>>& inputs,
           const RunOptions& options) {
    const auto bytes = static_cast<size_t>(call.elements * number::bytes(call.type));
    checkInputs(inputs, ranks, bytes, options);
    if (call.algorithm == mpiLibrary && call.elements > std::numeric_limits<int>::max())
        throw InputError(fmt::format("elements is {}, expected at most {} for the MPI library's own collectives",
                                     call.elements, std::numeric_limits<int>::max()));
}

/// What is known of a call before anybody is asked for anything.
struct Plan {
    std::unique_ptr<Schedule> schedule; ///< none for the library's own
    DataLayout layout;
};

Plan planFor(const ProcessCall& call, int ranks, const RunOptions& options) {
    Plan plan;
    std::pair<size_t, size_t> most;
    if (call.algorithm != mpiLibrary) {
        plan.schedule = makeSchedule(call.algorithm, call.collective, ranks, call.elements, call.options);
        most = mostMessages(*plan.schedule);
    }
    const auto vectorBytes = static_cast<size_t>(call.elements * number::bytes(call.type));
    plan.layout = DataLayout(ranks, vectorBytes, options.repetitions, most.first, most.second);
    return plan;
}

void checkRoom(const DataLayout& layout, size_t already, int ranks, size_t vectorBytes) {
    // Beside what is shared, the results are handed over in vectors of their own.
    const auto results = static_cast<int64_t>(vectorBytes) * ranks;
    const auto shared = static_cast<int64_t>(layout.total - std::min(layout.total, already));
    MemoryNeed need;
    need.bytes = saturatedSum(shared, results);
    need.what = fmt::format("{} ranks with vectors of {}", ranks, memoryText(static_cast<int64_t>(vectorBytes)));
    need.lower = "the vector or the ranks";
    requireMemory(need);
}

} // namespace

std::string whyNoMpi() {
    if (findRankProgram().empty())
        return "Warplight was built without MPI, so there is no warplight-rank beside the program: install "
               "libopenmpi-dev and build again.";
    if (findMpirun().empty())
        return "There is no mpirun on the PATH: install openmpi-bin.";
    return "";
}

/// From mpirun's start to the end of all processes.
class ProcessRanks::Session {
  public:
    explicit Session(int ranks) : memory(ranks, newToken()) {
        job = std::make_unique<MpiJob>(ranks, findRankProgram(),
                                       std::vector<std::string>{std::to_string(getpid()),
                                                                std::to_string(memory.descriptor()),
                                                                std::to_string(memory.head().token)});
    }
    ~Session() { end(); }

    void waitUntilReady(const std::atomic<bool>* cancel) {
        const auto latest = Clock::now() + longestStart;
        for (;;) {
            const uint32_t seen = memory.head().programBell.now();
            int ready = 0;
            for (int rank = 0; rank < memory.ranks(); ++rank) {
                throwIfDead(rank);
                ready += memory.row(rank).isReady ? 1 : 0;
            }
            if (ready == memory.ranks()) {
                processes = rankProcesses();
                job->forgetNames();
                return;
            }
            look(cancel);
            if (Clock::now() > latest)
                throw std::runtime_error(fmt::format("{} of {} ranks have started within {} s", ready, memory.ranks(),
                                                     longestStart.count()));
            memory.head().programBell.wait(seen, poll);
        }
    }

    size_t dataBytes() const { return memory.dataBytes(); }

    /// Writes down what the ranks are to do. Throws InputError, without having asked anybody for anything.
    void prepare(const ProcessCall& call, const Plan& plan, const std::vector<std::vector<std::byte>>& inputs,
                 const RunOptions& options) {
        memory.reserveData(plan.layout.total, options.cancel);
        RankCommand command{};
        command.kind = RankCommand::Kind::Run;
        call.algorithm.copy(command.algorithm, sizeof(command.algorithm) - 1);
        command.options = call.options;
        command.collective = call.collective;
        command.elements = call.elements;
        command.type = call.type;
        command.reduction = call.reduction;
        command.divides = call.divides;
        command.keepsLog = options.keepLog;
        command.isObserved = options.observe != nullptr;
        command.repetitions = options.repetitions;
        command.warmups = options.warmups;
        command.fault = options.fault;
        command.layout = plan.layout;
        memory.head().command = command;
        for (int rank = 0; rank < memory.ranks(); ++rank) {
            copyInPieces(inputs[static_cast<size_t>(rank)], memory.input(rank), options.cancel);
        }
    }

    RunOutcome run(const Plan& plan, const RunOptions& options) {
        const int ranks = memory.ranks();
        const uint32_t number = ++memory.head().commandNumber;
        memory.head().ranksBell.ring();
        watch(number, options);

        RunOutcome outcome;
        for (int repetition = 0; repetition < options.repetitions; ++repetition) {
            double first = std::numeric_limits<double>::infinity(), last = 0;
            for (int rank = 0; rank < ranks; ++rank) {
                first = std::min(first, memory.span(repetition, rank)[0]);
                last = std::max(last, memory.span(repetition, rank)[1]);
            }
            outcome.seconds.push_back(last - first);
        }
        std::vector<RankLog> logs(static_cast<size_t>(ranks));
        for (int rank = 0; rank < ranks; ++rank) {
            const auto vector = memory.vector(rank);
            auto& result = outcome.results.emplace_back();
            growTo(result, vector.size(), options.cancel);
            copyInPieces(vector, result, options.cancel);
            const RankRow& row = memory.row(rank);
            RankLog& log = logs[static_cast<size_t>(rank)];
            log.sent.assign(memory.sent(rank), memory.sent(rank) + row.sent);
            log.received.assign(memory.received(rank), memory.received(rank) + row.received);
            log.start = row.logStart;
            log.end = row.logEnd;
        }
        if (options.keepLog && plan.schedule)
            outcome.log = joinLogs(*plan.schedule, memory.head().command.type, logs);
        return outcome;
    }

    /// In order, where everybody is well: MPI puts away what it made.
    void sayGoodbye() {
        memory.head().command.kind = RankCommand::Kind::Quit;
        ++memory.head().commandNumber;
        memory.head().ranksBell.ring();
        for (const auto latest = Clock::now() + goodbye; Clock::now() < latest && !job->hasEnded();) {
            job->readOutput();
            memory.head().programBell.wait(memory.head().programBell.now(), std::chrono::milliseconds(1));
        }
    }

  private:
    static uint64_t newToken() {
        std::random_device random;
        return uint64_t{random()} << 32 | random();
    }

    /// Until all ranks have finished that command.
    void watch(uint32_t number, const RunOptions& options) {
        for (;;) {
            const uint32_t seen = memory.head().programBell.now();
            int finished = 0;
            for (int rank = 0; rank < memory.ranks(); ++rank) {
                RankRow& row = memory.row(rank);
                if (row.waitsForObserver) {
                    options.observe(rank, row.observedStep, memory.vector(rank));
                    row.waitsForObserver = false;
                    memory.head().ranksBell.ring();
                }
                if (row.failure == RankRow::Failure::Mismatch)
                    throw CountMismatch(row.sentence);
                if (row.failure == RankRow::Failure::Other)
                    throw RankFailure(rank, row.sentence);
                finished += row.finished == number ? 1 : 0;
            }
            throwFirstDeath();
            if (finished == memory.ranks())
                return;
            look(options.cancel);
            if (const auto stall = memory.board().stall(Clock::now(), options.timeout))
                throw RankFailure(stall->rank, stall->sentence);
            memory.head().programBell.wait(seen, std::min(poll, std::max(options.timeout / 4, poll / 5)));
        }
    }

    void throwIfDead(int rank) const {
        if (memory.row(rank).endedAt != 0)
            throw RankFailure(rank, howRankEnded(rank, memory.row(rank)));
    }

    /// One that died may take others along.
    void throwFirstDeath() const {
        int first = -1;
        for (int rank = 0; rank < memory.ranks(); ++rank)
            if (const int64_t at = memory.row(rank).endedAt; at != 0)
                if (first < 0 || at < memory.row(first).endedAt)
                    first = rank;
        if (first >= 0)
            throwIfDead(first);
    }

    void look(const std::atomic<bool>* cancel) {
        checkCancelled(cancel);
        job->readOutput();
        if (job->hasEnded())
            throw std::runtime_error(job->howItEnded());
    }

    /// Of all ranks that have got so far: the process that watches, and the one that works.
    std::vector<ProcessHandle> rankProcesses() const {
        std::vector<ProcessHandle> all;
        for (int rank = 0; rank < memory.ranks(); ++rank)
            for (const pid_t pid : {memory.row(rank).supervisor.load(), memory.row(rank).worker.load()})
                all.emplace_back(pid);
        return all;
    }

    /// Ranks do not share mpirun's process group: each gets one from it. Workers first, so that everybody is waited for
    /// by who started it.
    void end() {
        memory.head().hasEnded = true; // whoever comes now goes again
        memory.head().ranksBell.ring();
        if (processes.empty()) // still starting
            processes = rankProcesses();
        for (int rank = 0; rank < memory.ranks(); ++rank) {
            const auto index = static_cast<size_t>(rank) * 2;
            const bool isAlone = memory.row(rank).worker == 0 || memory.row(rank).endedAt != 0;
            processes[isAlone ? index : index + 1].kill();
        }
        job->end();
        for (const ProcessHandle& process : processes)
            process.kill();
        for (const ProcessHandle& process : processes)
            process.waitForEnd(goodbye);
    }

    RankMemory memory;
    std::unique_ptr<MpiJob> job;
    std::vector<ProcessHandle> processes;
};

ProcessRanks::ProcessRanks(int ranks) : ranks(ranks) {
    if (const std::string why = whyNoMpi(); !why.empty())
        throw InputError(why);
    if (ranks < 1 || ranks > mostRanks)
        throw InputError(fmt::format("ranks is {}, expected 1 to {} processes", ranks, mostRanks));
}

ProcessRanks::~ProcessRanks() {
    if (session)
        session->sayGoodbye();
}

RunOutcome ProcessRanks::run(const ProcessCall& call, const std::vector<std::vector<std::byte>>& inputs,
                             const RunOptions& options) {
    check(call, ranks, inputs, options);
    const Plan plan = planFor(call, ranks, options);
    checkRoom(plan.layout, session ? session->dataBytes() : 0, ranks, inputs.front().size());
    try {
        if (!session) {
            session = std::make_unique<Session>(ranks);
            session->waitUntilReady(options.cancel);
        }
    } catch (...) {
        session.reset();
        throw;
    }
    session->prepare(call, plan, inputs, options);
    try {
        return session->run(plan, options);
    } catch (...) {
        session.reset();
        throw;
    }
}

RunOutcome runOnProcesses(const ProcessCall& call, const std::vector<std::vector<std::byte>>& inputs,
                          const RunOptions& options) {
    return ProcessRanks(static_cast<int>(inputs.size())).run(call, inputs, options);
}

} // namespace warplight::collectives
