// SPDX-License-Identifier: GPL-3.0-or-later
// Allreduce between threads beside what the machine copies at all:  allreduce_bench --benchmark_filter=ring
// Bus bandwidth is bytes / t * 2(p - 1)/p: what a ring sends over each link, comparable between rank counts.
#include "core/collectives/threads.h"

#include <algorithm>
#include <barrier>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <thread>
#include <vector>

using namespace warplight;
using namespace warplight::collectives;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t copyBytes = 64 << 20;
constexpr int copyRepetitions = 20;

double seconds(Clock::duration span) { return std::chrono::duration<double>(span).count(); }

/// Bytes that all threads together copy in a second, each from its own buffer to its own; the median of the
/// repetitions, as the allreduce's below.
double copyBandwidth(int threads) {
    std::vector<double> times(copyRepetitions);
    std::barrier meeting(threads);
    std::vector<std::thread> workers;
    for (int thread = 0; thread < threads; ++thread)
        workers.emplace_back([&, thread] {
            std::vector<std::byte> from(copyBytes, std::byte{1}), to(copyBytes, std::byte{2});
            for (double& time : times) {
                meeting.arrive_and_wait();
                const auto start = Clock::now();
                std::memcpy(to.data(), from.data(), copyBytes);
                benchmark::DoNotOptimize(to.data());
                meeting.arrive_and_wait();
                if (thread == 0)
                    time = seconds(Clock::now() - start);
            }
        });
    for (std::thread& worker : workers)
        worker.join();
    std::nth_element(times.begin(), times.begin() + copyRepetitions / 2, times.end());
    return static_cast<double>(copyBytes) * threads / times[copyRepetitions / 2];
}

struct Copy {
    double one, all;
};

void allreduce(benchmark::State& state, const std::string& algorithm, int ranks, int64_t bytes, number::Format type,
               const Copy& copy) {
    const int64_t elementBytes = number::bytes(type);
    const auto schedule = makeSchedule(algorithm, Collective::Allreduce, ranks, bytes / elementBytes);
    // Small numbers of any type: zero bytes would do as well, but not for who looks at them.
    std::vector<std::vector<std::byte>> inputs(static_cast<size_t>(ranks),
                                               std::vector<std::byte>(static_cast<size_t>(bytes), std::byte{0x30}));
    CollectiveCall call;
    call.schedule = schedule.get();
    call.type = type;
    RunOptions options;
    options.warmups = 1;
    options.repetitions = 1;
    const auto once = [&] { return runOnThreads(call, inputs, options).seconds; };
    // As many as half a second takes, all in one run: threads are started once.
    options.repetitions = static_cast<int>(std::clamp(0.5 / once().front(), 5.0, 2000.0));
    std::vector<double> times;
    for (auto _ : state) {
        times = once();
        std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
        state.SetIterationTime(times[times.size() / 2]);
    }
    const double busBandwidth = static_cast<double>(bytes) / times[times.size() / 2] * 2 * (ranks - 1) / ranks;
    state.counters["busbw"] = busBandwidth;
    state.counters["of_one_copy"] = busBandwidth / copy.one;
    state.counters["of_all_copies"] = busBandwidth / copy.all;
}

/// Combining 1 MiB that stays in the second-level cache: bytes of the incoming message a second.
void reduction(benchmark::State& state, number::Format type, Reduction reduction) {
    const int64_t bytes = 1 << 20;
    std::vector<std::byte> into(bytes, std::byte{0x30}), from(bytes, std::byte{0x30});
    for (auto _ : state) {
        combine(type, reduction, into.data(), from.data(), bytes / number::bytes(type));
        benchmark::ClobberMemory();
    }
    state.counters["bytes/s"] =
        benchmark::Counter(static_cast<double>(bytes), benchmark::Counter::kIsIterationInvariantRate);
}

} // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const Copy copy{copyBandwidth(1), copyBandwidth(threads)};
    fmt::print("memcpy of 64 MiB: {:.2f} GB/s with one thread, {:.2f} GB/s with all {} together\n", copy.one * 1e-9,
               copy.all * 1e-9, threads);

    for (const auto& algorithm : algorithms())
        for (const int ranks : {2, 4, 8})
            for (const int64_t bytes : {int64_t{4} << 10, int64_t{1} << 20, int64_t{64} << 20})
                benchmark::RegisterBenchmark(fmt::format("{}/{}/{}/f32", algorithm.id, ranks, bytes).c_str(),
                                             [=](benchmark::State& state) {
                                                 allreduce(state, algorithm.id, ranks, bytes, number::Format::F32,
                                                           copy);
                                             })
                    ->UseManualTime()
                    ->Iterations(1)
                    ->Unit(benchmark::kMicrosecond);
    for (const number::Format type :
         {number::Format::F32, number::Format::F64, number::Format::F16, number::Format::BF16})
        for (const bool isMax : {false, true})
            benchmark::RegisterBenchmark(
                fmt::format("combine/{}/{}", number::name(type), isMax ? "max" : "sum").c_str(),
                [=](benchmark::State& state) { reduction(state, type, isMax ? Reduction::Max : Reduction::Sum); });
    benchmark::RunSpecifiedBenchmarks();
}
