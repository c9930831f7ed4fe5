// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/collective_run.h"
#include "core/collectives/processes.h"
#include "core/collectives/rank_board.h"
#include "core/collectives/shared_memory.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace warplight::collectives {

/// A counter in shared memory that processes sleep at until somebody rings.
class ProcessBell {
  public:
    uint32_t now() const { return count.load(std::memory_order_seq_cst); }
    void ring();
    /// Until it has rung since `seen`, or the time is over, or for no reason.
    void wait(uint32_t seen, std::chrono::milliseconds most);

  private:
    std::atomic<uint32_t> count;
};

/// Where in the data memory a call's arrays lie, bytes from its start. Rows of vectors begin on pages of their own.
struct DataLayout {
    size_t rowBytes = 0;
    size_t inputs = 0, vectors = 0; ///< [ranks] rows
    size_t spans = 0;               ///< seconds of the steady clock [repetitions, ranks, 2]
    size_t sent = 0, received = 0;  ///< [ranks, most...]
    size_t mostSent = 0, mostReceived = 0;
    size_t total = 0;

    DataLayout() = default;
    DataLayout(int ranks, size_t vectorBytes, int repetitions, size_t mostSent, size_t mostReceived);
};

/// What all ranks are to do next.
struct RankCommand {
    enum class Kind : int32_t { Run, Quit } kind;
    char algorithm[32];
    AlgorithmOptions options;
    Collective collective;
    int64_t elements;
    number::Format type;
    Reduction reduction;
    bool divides, keepsLog, isObserved;
    int repetitions, warmups;
    Fault fault;
    DataLayout layout;
};

/// One rank's row; it writes, the program reads.
struct alignas(64) RankRow {
    std::atomic<int32_t> supervisor, worker; ///< process ids
    std::atomic<bool> isReady;               ///< for commands
    std::atomic<int64_t> endedAt;            ///< nanoseconds of the steady clock; 0: the worker lives
    std::atomic<int32_t> endStatus;          ///< of waitpid, valid when it has ended
    std::atomic<uint32_t> finished;          ///< the last command that is done
    std::atomic<int64_t> step;               ///< that it is in
    enum class Failure : int32_t { None, Mismatch, Other };
    std::atomic<Failure> failure;
    char sentence[512]; ///< of the failure
    std::atomic<bool> waitsForObserver;
    int64_t observedStep;
    size_t sent, received; ///< entries of its log
    double logStart, logEnd;
};

/// The memory by which the program and the ranks' processes talk, over the whole of a session.
class RankMemory {
  public:
    struct Head {
        uint64_t token; ///< of this session, so that nobody takes another's memory for it
        int32_t ranks, dataDescriptor;
        std::atomic<bool> hasEnded;
        alignas(64) std::atomic<uint32_t> commandNumber;
        RankCommand command;
        alignas(64) ProcessBell ranksBell;   ///< there is a new command, or an observer is done
        alignas(64) ProcessBell programBell; ///< a rank has something to tell
    };

    RankMemory(int ranks, uint64_t token);                     ///< the program's
    RankMemory(pid_t program, int descriptor, uint64_t token); ///< a rank's; throws std::runtime_error

    Head& head() const { return *reinterpret_cast<Head*>(control.data()); }
    RankRow& row(int rank) const;
    int ranks() const { return head().ranks; }
    RankBoard board() const;
    int descriptor() const { return control.descriptor(); }

    /// The program's: at least so much. Throws InputError.
    void reserveData(size_t bytes, const std::atomic<bool>* cancel = nullptr);
    size_t dataBytes() const { return data.size(); }
    /// A rank's: what the program has reserved.
    void followData(size_t bytes) { data.followTo(bytes); }
    std::span<std::byte> input(int rank) const;
    std::span<std::byte> vector(int rank) const;
    double* span(int repetition, int rank) const;
    RankLog::Sent* sent(int rank) const;
    RankLog::Received* received(int rank) const;

  private:
    size_t vectorBytes() const;

    SharedMemory control, data;
};

} // namespace warplight::collectives
