// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/rank/worker.h"

#include "core/collectives/miscounting_schedule.h"
#include "core/collectives/rank/mpi_library.h"
#include "core/collectives/rank/mpi_transport.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace warplight::collectives {
namespace {

constexpr std::chrono::milliseconds asleep{1000}; ///< between two looks at what only a bell announces

double secondsNow() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Until the program ends this process.
[[noreturn]] void waitForTheEnd() {
    for (;;)
        pause();
}

/// Large messages are read straight out of the sender's memory where the system lets one process do so; not every
/// container does. Without asking for it, MPI would fail at the first one. The parent has the same memory as before the
/// fork, so there is something to try it on.
void chooseHowToCopy() {
    static const int64_t probe = 1;
    int64_t read = 0;
    const iovec into{&read, sizeof(read)}, from{const_cast<int64_t*>(&probe), sizeof(probe)};
    if (process_vm_readv(getppid(), &into, 1, &from, 1, 0) != sizeof(read))
        setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
}

class Worker {
  public:
    Worker(RankMemory& memory, int rank)
        : memory(memory), head(memory.head()), row(memory.row(rank)), rank(rank), transport(memory, rank) {}

    void run() {
        const RankCommand& command = head.command;
        memory.followData(command.layout.total);
        const bool isFaulty = command.fault.rank == rank && command.fault.kind != Fault::Kind::None;
        const bool isLibrary = command.algorithm == mpiLibrary;

        std::unique_ptr<Schedule> schedule;
        std::optional<MiscountingSchedule> miscounting;
        std::optional<MpiLibrary> library;
        CollectiveCall call{nullptr, command.type, command.reduction, command.divides};
        std::span<std::byte> vector = memory.vector(rank);
        if (isLibrary) {
            library.emplace(command, rank, memory.ranks());
        } else {
            schedule =
                makeSchedule(command.algorithm, command.collective, memory.ranks(), command.elements, command.options);
            call.schedule = schedule.get();
        }
        std::vector<std::byte> longer; // with the element that there is not
        if (isFaulty && command.fault.kind == Fault::Kind::WrongCount) {
            longer.resize(vector.size() + static_cast<size_t>(number::bytes(command.type)));
            vector = longer;
            if (schedule)
                call.schedule = &miscounting.emplace(*schedule, command.fault.step);
        }
        steps = schedule ? schedule->steps() : 1;

        for (int repetition = -command.warmups; repetition < command.repetitions; ++repetition) {
            const bool isLast = repetition + 1 == command.repetitions;
            transport.setWorking(0);
            const auto input = memory.input(rank);
            std::copy(input.begin(), input.end(), vector.begin());
            checkMpi(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
            transport.setWorking(0);
            const double start = secondsNow();
            if (isFaulty)
                goWrong(0);
            if (library) {
                library->run(input, vector);
            } else {
                const bool isSeen = isLast && command.isObserved;
                StepObserver observe;
                if (isFaulty || isSeen)
                    observe = [&](int, int64_t step, std::span<const std::byte>) {
                        if (isSeen)
                            showStep(step);
                        if (isFaulty)
                            goWrong(step + 1);
                    };
                RankLog log;
                runRank(call, transport, vector, isLast && command.keepsLog ? &log : nullptr, observe, nullptr);
                if (isLast)
                    keep(log);
            }
            const double end = secondsNow();
            memory.board().setDone(rank);
            if (repetition >= 0) {
                memory.span(repetition, rank)[0] = start;
                memory.span(repetition, rank)[1] = end;
            }
        }
    }

  private:
    /// Before `step` of the rank that is to go wrong.
    void goWrong(int64_t step) {
        const Fault& fault = head.command.fault;
        if (step < fault.step || step >= steps)
            return;
        transport.setWorking(step);
        if (fault.kind == Fault::Kind::Dies)
            raise(SIGKILL);
        if (fault.kind == Fault::Kind::Hangs)
            waitForTheEnd();
        if (fault.kind == Fault::Kind::Slow)
            std::this_thread::sleep_for(std::chrono::duration<double>(fault.slowSeconds));
    }

    /// The vector lies where the program sees it; it is only to look before the next step.
    void showStep(int64_t step) {
        row.observedStep = step;
        row.waitsForObserver = true;
        head.programBell.ring();
        for (;;) {
            const uint32_t seen = head.ranksBell.now();
            if (!row.waitsForObserver)
                return;
            head.ranksBell.wait(seen, asleep);
        }
    }

    void keep(const RankLog& log) {
        const DataLayout& layout = head.command.layout;
        if (log.sent.size() > layout.mostSent || log.received.size() > layout.mostReceived)
            throw std::logic_error("a rank sent or received more often than its schedule has it");
        std::copy(log.sent.begin(), log.sent.end(), memory.sent(rank));
        std::copy(log.received.begin(), log.received.end(), memory.received(rank));
        row.sent = log.sent.size();
        row.received = log.received.size();
        row.logStart = log.start;
        row.logEnd = log.end;
    }

    RankMemory& memory;
    RankMemory::Head& head;
    RankRow& row;
    int rank;
    int64_t steps = 0;
    MpiTransport transport;
};

[[noreturn]] void fail(RankMemory& memory, int rank, RankRow::Failure failure, const char* sentence) {
    RankRow& row = memory.row(rank);
    std::snprintf(row.sentence, sizeof(row.sentence), "%s", sentence);
    memory.board().setFailed(rank);
    row.failure = failure;
    memory.head().programBell.ring();
    waitForTheEnd();
}

bool allHaveFinished(const RankMemory& memory, uint32_t number) {
    for (int rank = 0; rank < memory.ranks(); ++rank)
        if (memory.row(rank).finished != number)
            return false;
    return true;
}

/// What the next command is, when there is one. MPI gets ahead only in its functions: what this rank has sent may still
/// be on its way while others wait for it.
RankCommand::Kind nextCommand(const RankMemory& memory, uint32_t after) {
    RankMemory::Head& head = memory.head();
    for (;;) {
        const uint32_t seen = head.ranksBell.now();
        if (head.hasEnded)
            return RankCommand::Kind::Quit;
        if (head.commandNumber != after)
            return head.command.kind;
        if (allHaveFinished(memory, after)) {
            head.ranksBell.wait(seen, asleep);
        } else {
            int isThere = 0;
            MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &isThere, MPI_STATUS_IGNORE);
            head.ranksBell.wait(seen, std::chrono::milliseconds(1));
        }
    }
}

} // namespace

int workAsRank(RankMemory& memory, int rank) {
    RankRow& row = memory.row(rank);
    chooseHowToCopy();
    MPI_Init(nullptr, nullptr);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int ownRank = -1, ranks = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &ownRank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ownRank != rank || ranks != memory.ranks()) {
        const std::string sentence = fmt::format("mpirun started rank {} of {} as rank {} of {}: it does not belong to "
                                                 "the MPI library that warplight-rank was built with.",
                                                 rank, memory.ranks(), ownRank, ranks);
        fail(memory, rank, RankRow::Failure::Other, sentence.c_str());
    }
    {
        Worker worker(memory, rank);
        row.isReady = true;
        memory.head().programBell.ring();
        for (uint32_t number = 0; nextCommand(memory, number) == RankCommand::Kind::Run;
             row.finished = number, memory.head().programBell.ring()) {
            number = memory.head().commandNumber;
            try {
                worker.run();
            } catch (const CountMismatch& mismatch) {
                fail(memory, rank, RankRow::Failure::Mismatch, mismatch.what());
            } catch (const std::exception& error) {
                const std::string sentence = fmt::format("Rank {} failed: {}", rank, error.what());
                fail(memory, rank, RankRow::Failure::Other, sentence.c_str());
            }
        }
    }
    MPI_Finalize();
    return 0;
}

} // namespace warplight::collectives
