// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/gpus/gpus.h"

#include "core/collectives/gpus/gpu_rank.h"
#include "core/error.h"
#include "gpu/cuda/device_list.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

namespace warplight::collectives {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int fewestGpus = 2;
/// NCCL joins two GPUs when they first talk to each other, which takes it milliseconds.
constexpr int fewestWarmups = 1;
constexpr auto poll = std::chrono::milliseconds(5);
/// How long a thread that shall stop may stay inside a call of NCCL before its communicator is aborted under it.
constexpr auto grace = std::chrono::milliseconds(500);

/// Unwinds a rank's thread when another has failed.
struct Stopped {};

struct Found {
    int gpus = 0;
    std::shared_ptr<const nccl::Library> library;
    std::string whyNot;
};

Found look() {
    Found found;
    const cuda::DeviceList list = cuda::deviceList();
    found.gpus = static_cast<int>(list.gpus.size());
    if (list.gpus.empty())
        found.whyNot = list.whyNone;
    else if (found.gpus < fewestGpus)
        found.whyNot =
            fmt::format("There is one NVIDIA GPU here ({}); collectives between GPUs need two.", list.gpus[0].name);
    nccl::Library::Opened opened = nccl::Library::open();
    found.library = std::move(opened.library);
    if (found.whyNot.empty())
        found.whyNot = opened.whyNot;
    return found;
}

} // namespace

std::string whyNoNccl() noexcept {
    try {
        return look().whyNot;
    } catch (const std::exception& error) {
        return fmt::format("NCCL cannot be asked: {}.", error.what());
    }
}

int ncclGpuCount() noexcept { return static_cast<int>(cuda::deviceList().gpus.size()); }

std::string ncclName() noexcept {
    try {
        const auto opened = nccl::Library::open();
        return opened.library ? "NCCL " + nccl::versionText(opened.library->version()) : "";
    } catch (const std::exception&) {
        return "";
    }
}

struct GpuRanks::Team {
    std::shared_ptr<const nccl::Library> library;
    std::vector<std::unique_ptr<GpuRank>> ranks;
    bool broken = false;
};

namespace {

/// One run of a team: a thread for each rank, watched by the caller's.
class TeamRun {
  public:
    TeamRun(std::vector<std::unique_ptr<GpuRank>>& ranks, const CollectiveCall& call, bool byLibrary,
            const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options)
        : ranks(ranks),
          call(call),
          byLibrary(byLibrary),
          inputs(inputs),
          options(options),
          logs(ranks.size()),
          seconds(ranks.size(), std::vector<double>(static_cast<size_t>(options.repetitions))),
          ended(ranks.size(), false),
          repetitionsDone(ranks.size(), 0) {
        outcome.results.resize(ranks.size());
    }

    RunOutcome run() {
        std::vector<std::thread> threads;
        for (size_t rank = 0; rank < ranks.size(); ++rank)
            threads.emplace_back([this, rank] { live(rank); });
        watch();
        for (std::thread& thread : threads)
            thread.join();
        if (failure) {
            for (const auto& rank : ranks) // also those that were done before: NCCL may wait for the others in earnest
                rank->abort();
            std::rethrow_exception(failure);
        }
        for (size_t i = 0; i < static_cast<size_t>(options.repetitions); ++i) {
            double slowest = 0;
            for (const std::vector<double>& own : seconds)
                slowest = std::max(slowest, own[i]);
            outcome.seconds.push_back(slowest);
        }
        if (options.keepLog && !byLibrary)
            outcome.log = joinLogs(*call.schedule, call.type, logs);
        return std::move(outcome);
    }

  private:
    void live(size_t rank) {
        try {
            work(rank);
        } catch (const Stopped&) {
            ranks[rank]->abort();
        } catch (...) {
            fail(std::current_exception());
            ranks[rank]->abort();
        }
        const std::lock_guard lock(mutex);
        ended[rank] = true;
        changed.notify_all();
    }

    void work(size_t index) {
        GpuRank& rank = *ranks[index];
        const auto goOn = [this] {
            if (stop)
                throw Stopped();
        };
        rank.prepare(call, inputs[index]);
        for (int repetition = -std::max(options.warmups, fewestWarmups); repetition < options.repetitions;
             ++repetition) {
            const bool isLast = repetition + 1 == options.repetitions;
            const bool logs = isLast && options.keepLog && !byLibrary;
            rank.clearMarks();
            rank.putBack();
            rank.meet();
            rank.mark();
            if (byLibrary)
                rank.runLibrary(call);
            else
                runSchedule(rank, logs, isLast && options.observe, goOn);
            rank.mark();
            rank.await(goOn);
            if (repetition >= 0)
                seconds[index][static_cast<size_t>(repetition)] = rank.secondsAt(rank.markCount() - 1);
            if (logs)
                noteDown(rank, this->logs[index]);
            const std::lock_guard lock(mutex);
            ++repetitionsDone[index];
        }
        rank.download(outcome.results[index]);
    }

    void runSchedule(GpuRank& rank, bool marks, bool observes, const std::function<void()>& goOn) {
        Step step;
        std::vector<std::byte> seen;
        for (int64_t i = 0; i < call.schedule->steps(); ++i) {
            goOn();
            call.schedule->step(rank.rank(), i, step);
            rank.runStep(call, step);
            if (marks)
                rank.mark();
            if (observes) {
                rank.await(goOn);
                rank.download(seen);
                options.observe(rank.rank(), i, seen);
            }
        }
        rank.divideSum(call);
    }

    /// Mark 0 is the start, mark i + 1 the end of step i.
    void noteDown(const GpuRank& rank, RankLog& log) const {
        Step step;
        for (int64_t i = 0; i < call.schedule->steps(); ++i) {
            call.schedule->step(rank.rank(), i, step);
            const double begin = rank.secondsAt(static_cast<size_t>(i)),
                         end = rank.secondsAt(static_cast<size_t>(i + 1));
            for (const Step::Send& send : step.sends)
                log.sent.push_back({i, send.to, begin});
            for (const Step::Receive& receive : step.receives)
                log.received.push_back({i, receive.from, receive.range, receive.reduce, end});
        }
        log.start = 0;
        log.end = rank.secondsAt(rank.markCount() - 1);
    }

    void fail(std::exception_ptr why) {
        const std::lock_guard lock(mutex);
        if (!failure)
            failure = std::move(why);
        stop = true;
    }

    bool allEnded() const {
        return std::all_of(ended.begin(), ended.end(), [](bool e) { return e; });
    }

    /// Until all threads have ended, whichever way.
    void watch() {
        std::unique_lock lock(mutex);
        std::vector<int> done = repetitionsDone;
        Clock::time_point since = Clock::now(), stopped;
        bool aborted = false;
        while (!changed.wait_for(lock, poll, [&] { return allEnded(); })) {
            const Clock::time_point now = Clock::now();
            if (stop) {
                stopped = stopped == Clock::time_point() ? now : stopped;
                if (now - stopped > grace && !std::exchange(aborted, true))
                    for (size_t rank = 0; rank < ranks.size(); ++rank)
                        if (!ended[rank])
                            ranks[rank]->abort();
                continue;
            }
            if (done != repetitionsDone) {
                done = repetitionsDone;
                since = now;
            }
            std::exception_ptr why;
            if (options.cancel && options.cancel->load(std::memory_order_relaxed))
                why = std::make_exception_ptr(Cancelled());
            else if (now - since > options.timeout)
                why = std::make_exception_ptr(tooSlow());
            if (why) {
                failure = why;
                stop = true;
            }
        }
    }

    RankFailure tooSlow() const {
        const int least = *std::min_element(repetitionsDone.begin(), repetitionsDone.end());
        std::vector<int> late;
        for (size_t rank = 0; rank < ranks.size(); ++rank)
            if (repetitionsDone[rank] == least && !ended[rank])
                late.push_back(static_cast<int>(rank));
        return {late.empty() ? 0 : late[0],
                fmt::format(
                    "A collective between {} GPUs did not come to its end within {:.1f} s: rank{} {} did not finish.",
                    ranks.size(), std::chrono::duration<double>(options.timeout).count(), late.size() == 1 ? "" : "s",
                    fmt::join(late, ", "))};
    }

    std::vector<std::unique_ptr<GpuRank>>& ranks;
    const CollectiveCall& call;
    bool byLibrary;
    const std::vector<std::vector<std::byte>>& inputs;
    const RunOptions& options;
    RunOutcome outcome;
    std::vector<RankLog> logs;
    std::vector<std::vector<double>> seconds; ///< [ranks, repetitions]
    std::atomic<bool> stop = false;
    std::mutex mutex; ///< of the following
    std::condition_variable changed;
    std::exception_ptr failure;
    std::vector<bool> ended;
    std::vector<int> repetitionsDone;
};

} // namespace

GpuRanks::GpuRanks(int count) : team(std::make_unique<Team>()) {
    const Found found = look();
    if (!found.whyNot.empty())
        throw InputError(found.whyNot);
    if (count < fewestGpus || count > found.gpus)
        throw InputError(
            fmt::format("ranks is {}, expected 2 to {}, the number of NVIDIA GPUs here", count, found.gpus));
    team->library = found.library;
    for (int rank = 0; rank < count; ++rank)
        team->ranks.push_back(std::make_unique<GpuRank>(rank, found.library));
    std::vector<nccl::CommHandle> comms(static_cast<size_t>(count));
    std::vector<int> ordinals(static_cast<size_t>(count));
    std::iota(ordinals.begin(), ordinals.end(), 0);
    if (const nccl::Result result = found.library->commInitAll(comms.data(), count, ordinals.data());
        result != nccl::Result::Success)
        throw nccl::NcclError(
            result, fmt::format("joining {} GPUs: ncclCommInitAll failed with {}", count, found.library->text(result)));
    for (size_t rank = 0; rank < comms.size(); ++rank)
        team->ranks[rank]->join(comms[rank]);
}

GpuRanks::~GpuRanks() {
    for (const auto& rank : team->ranks)
        rank->leave();
}

int GpuRanks::ranks() const { return static_cast<int>(team->ranks.size()); }

std::vector<std::string> GpuRanks::names() const {
    std::vector<std::string> names;
    for (const auto& rank : team->ranks)
        names.push_back(rank->name());
    return names;
}

RunOutcome GpuRanks::run(const CollectiveCall& call, std::string_view algorithm,
                         const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options) {
    const bool byLibrary = algorithm == ncclLibraryAlgorithm;
    if (team->broken)
        throw InputError("these GPUs took part in a run that failed, expected ranks that were joined anew");
    if (call.schedule->ranks() != ranks() || inputs.size() != team->ranks.size())
        throw InputError(fmt::format("there are {} ranks in the schedule and {} vectors, expected {}, one for each GPU",
                                     call.schedule->ranks(), inputs.size(), ranks()));
    elementType(number::name(call.type));
    const auto bytes = static_cast<size_t>(call.schedule->elements() * number::bytes(call.type));
    checkInputs(inputs, ranks(), bytes, options);
    if (options.fault.kind != Fault::Kind::None)
        throw InputError("a fault is set, expected none on GPUs: faults are tried out between threads or processes");
    const Collective collective = call.schedule->collective();
    if (byLibrary && (collective == Collective::ReduceScatter || collective == Collective::AllGather) &&
        call.schedule->elements() % ranks() != 0)
        throw InputError(fmt::format("there are {} elements, expected a multiple of {} ranks for NCCL's own {}",
                                     call.schedule->elements(), ranks(),
                                     collective == Collective::AllGather ? "all-gather" : "reduce-scatter"));
    team->broken = true; // unless it ends as it should
    RunOutcome outcome = TeamRun(team->ranks, call, byLibrary, inputs, options).run();
    team->broken = false;
    return outcome;
}

RunOutcome runOnGpus(const CollectiveCall& call, std::string_view algorithm,
                     const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options) {
    return GpuRanks(call.schedule->ranks()).run(call, algorithm, inputs, options);
}

} // namespace warplight::collectives
