// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/threads.h"

#include "core/collectives/miscounting_schedule.h"
#include "core/collectives/thread_transport.h"
#include "core/error.h"
#include "core/tensor/release.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int mostThreads = 1024;
constexpr std::chrono::milliseconds longestPoll{10}; ///< between two looks at the board and the wish to cancel

constexpr double longestSleep = 1e6;  ///< seconds; the clock counts in nanoseconds
constexpr size_t copyPiece = 1 << 20; ///< bytes between two looks at whether the run has ended

/// A rank that is to die: unwinds its thread, which then says nothing to anybody.
struct Died {};

void check(const CollectiveCall& call, const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options) {
    const int ranks = call.schedule->ranks();
    if (ranks > mostThreads)
        throw InputError(fmt::format("ranks is {}, expected at most {} on threads", ranks, mostThreads));
    const auto bytes = static_cast<size_t>(call.schedule->elements() * number::bytes(call.type));
    checkInputs(inputs, ranks, bytes, options);
}

class ThreadRun {
  public:
    ThreadRun(const CollectiveCall& call, const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options)
        : call(call),
          inputs(inputs),
          options(options),
          ranks(call.schedule->ranks()),
          network(ranks),
          logs(static_cast<size_t>(ranks)),
          spans(static_cast<size_t>(ranks) * static_cast<size_t>(options.repetitions)) {
        outcome.results.resize(static_cast<size_t>(ranks));
    }
    ~ThreadRun() {
        network.end(); // does nothing to those that have ended
        for (std::thread& thread : threads)
            thread.join();
    }

    RunOutcome run() {
        for (int rank = 0; rank < ranks; ++rank)
            threads.emplace_back([this, rank] { live(rank); });
        watch();
        if (failure) {
            releaseResults();
            std::rethrow_exception(failure);
        }
        for (int repetition = 0; repetition < options.repetitions; ++repetition) {
            const Span* of = &spans[static_cast<size_t>(repetition) * static_cast<size_t>(ranks)];
            Clock::time_point first = of->start, last = of->end;
            for (int rank = 1; rank < ranks; ++rank) {
                first = std::min(first, of[rank].start);
                last = std::max(last, of[rank].end);
            }
            outcome.seconds.push_back(std::chrono::duration<double>(last - first).count());
        }
        if (options.keepLog)
            outcome.log = joinLogs(*call.schedule, call.type, logs);
        return std::move(outcome);
    }

  private:
    struct Span {
        Clock::time_point start, end;
    };

    /// Of a thread from its start to its end. Nothing may leave it but by way of fail().
    void live(int rank) {
        try {
            work(rank);
        } catch (const RunEnded&) {
        } catch (const Died&) {
        } catch (...) {
            network.board().setFailed(rank);
            fail(std::current_exception());
        }
        const std::lock_guard lock(mutex);
        ++finished;
        allFinished.notify_one();
    }

    void work(int rank) {
        const bool isFaulty = options.fault.rank == rank && options.fault.kind != Fault::Kind::None;
        CollectiveCall own = call;
        const MiscountingSchedule miscounting(*call.schedule, options.fault.step);
        if (isFaulty && options.fault.kind == Fault::Kind::WrongCount)
            own.schedule = &miscounting;
        const std::vector<std::byte>& input = inputs[static_cast<size_t>(rank)];
        std::vector<std::byte>& vector = outcome.results[static_cast<size_t>(rank)];
        const auto bytes = static_cast<size_t>(own.schedule->elements() * number::bytes(call.type));
        vector.reserve(bytes);
        ThreadTransport transport(network, rank);
        for (int repetition = -options.warmups; repetition < options.repetitions; ++repetition) {
            const bool isLast = repetition + 1 == options.repetitions;
            network.board().setWorking(rank, 0);
            putBack(input, vector);
            vector.resize(bytes); // one element more where it miscounts
            network.meet(rank);
            const Clock::time_point start = Clock::now();
            if (isFaulty)
                goWrong(rank, 0);
            StepObserver observe = isLast ? options.observe : nullptr;
            if (isFaulty)
                observe = [&, inner = observe](int of, int64_t step, std::span<const std::byte> seen) {
                    if (inner)
                        inner(of, step, seen.first(input.size()));
                    goWrong(rank, step + 1);
                };
            runRank(own, transport, vector, isLast && options.keepLog ? &logs[static_cast<size_t>(rank)] : nullptr,
                    observe, options.cancel);
            const Clock::time_point end = Clock::now();
            network.board().setDone(rank);
            if (repetition >= 0)
                spans[static_cast<size_t>(repetition) * static_cast<size_t>(ranks) + static_cast<size_t>(rank)] = {
                    start, end};
            network.meet(rank); // nobody starts anew while others still read from its vector
        }
        vector.resize(input.size());
    }

    /// In pieces: the first time its memory is new, which takes long enough for somebody to cancel.
    void putBack(const std::vector<std::byte>& input, std::vector<std::byte>& vector) const {
        vector.clear();
        for (size_t done = 0; done < input.size(); done += copyPiece) {
            if (network.hasEnded())
                throw RunEnded();
            const auto piece = std::span(input).subspan(done, std::min(copyPiece, input.size() - done));
            vector.insert(vector.end(), piece.begin(), piece.end());
        }
    }

    /// Before `step` of the rank that is to go wrong.
    void goWrong(int rank, int64_t step) {
        if (step < options.fault.step || step >= call.schedule->steps())
            return;
        network.board().setWorking(rank, step);
        if (options.fault.kind == Fault::Kind::Dies)
            throw Died();
        if (options.fault.kind == Fault::Kind::Hangs)
            network.wait(rank, [] { return false; });
        if (options.fault.kind == Fault::Kind::Slow) {
            const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                                  std::min(options.fault.slowSeconds, longestSleep)));
            for (auto now = Clock::now(); now < until && !network.hasEnded(); now = Clock::now())
                std::this_thread::sleep_for(std::min<Clock::duration>(until - now, longestPoll));
        }
    }

    /// Whoever waits for the failed run to end need not wait for much memory to be given back.
    void releaseResults() {
        constexpr size_t much = 64 << 20;
        if (outcome.results.size() * inputs.front().size() < much)
            return;
        for (std::thread& thread : threads) // they hold it until they end
            thread.join();
        threads.clear();
        releaseBeside(std::make_shared<RunOutcome>(std::move(outcome)));
    }

    void fail(std::exception_ptr why) {
        {
            const std::lock_guard lock(mutex);
            if (!failure)
                failure = std::move(why);
        }
        network.end();
    }

    /// Until all threads have ended, whichever way.
    void watch() {
        const auto poll = std::clamp<Clock::duration>(options.timeout / 4, std::chrono::milliseconds(1), longestPoll);
        std::unique_lock lock(mutex);
        while (!allFinished.wait_for(lock, poll, [&] { return finished == ranks; })) {
            if (failure)
                continue;
            lock.unlock();
            if (options.cancel && options.cancel->load(std::memory_order_relaxed))
                fail(std::make_exception_ptr(Cancelled()));
            else if (const auto stall = network.board().stall(Clock::now(), options.timeout))
                fail(std::make_exception_ptr(RankFailure(stall->rank, stall->sentence)));
            lock.lock();
        }
    }

    const CollectiveCall& call;
    const std::vector<std::vector<std::byte>>& inputs;
    const RunOptions& options;
    int ranks;
    ThreadNetwork network;
    std::vector<RankLog> logs;
    std::vector<Span> spans; ///< [repetitions, ranks]
    RunOutcome outcome;
    std::mutex mutex; ///< of the three below
    std::condition_variable allFinished;
    int finished = 0;
    std::exception_ptr failure;
    std::vector<std::thread> threads;
};

} // namespace

void checkInputs(const std::vector<std::vector<std::byte>>& inputs, int ranks, size_t bytes,
                 const RunOptions& options) {
    if (inputs.size() != static_cast<size_t>(ranks))
        throw InputError(fmt::format("there are {} vectors, expected {}, one for each rank", inputs.size(), ranks));
    for (size_t rank = 0; rank < inputs.size(); ++rank)
        if (inputs[rank].size() != bytes)
            throw InputError(
                fmt::format("rank {}'s vector has {} bytes, expected {}", rank, inputs[rank].size(), bytes));
    if (options.repetitions < 1 || options.warmups < 0)
        throw InputError(fmt::format("there are {} repetitions after {} warm-ups, expected at least 1 after 0",
                                     options.repetitions, options.warmups));
}

RunOutcome runOnThreads(const CollectiveCall& call, const std::vector<std::vector<std::byte>>& inputs,
                        const RunOptions& options) {
    check(call, inputs, options);
    return ThreadRun(call, inputs, options).run();
}

} // namespace warplight::collectives
