// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/machine.h"

#include "core/cpu/fma_loop.h"
#include "core/cpu/parallel.h"
#include "core/cpu/target.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <system_error>
#include <unistd.h>

namespace warplight::cpu {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string cpuName() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name"))
            return line.substr(line.find(':') + 2);
    return "unknown CPU";
}

/// Bytes/s of a[i] = b[i] + s·c[i] over three arrays of 64 MiB each (McCalpin's STREAM triad: 12 bytes counted per i).
double measureTriad(int threads, double seconds, const std::atomic<bool>* cancel) {
    constexpr int64_t count = 16 << 20, piece = 1 << 18;
    Workspace workspace;
    float *a = workspace.take<float>(count), *b = workspace.take<float>(count), *c = workspace.take<float>(count);
    std::fill_n(a, count, 0.0f);
    std::fill_n(b, count, 1.0f);
    std::fill_n(c, count, 2.0f);
    double best = 0;
    for (const auto begin = Clock::now(); secondsSince(begin) < seconds || best == 0;) {
        const auto start = Clock::now();
        parallelItems(count / piece, threads, cancel, [&](int64_t item, int) {
            for (int64_t i = item * piece; i < (item + 1) * piece; ++i)
                a[i] = b[i] + 3.0f * c[i];
        });
        best = std::max(best, 12.0 * static_cast<double>(count) / secondsSince(start));
    }
    return best;
}

constexpr double glanceSeconds = 0.02, agreement = 1.05;

std::filesystem::path cacheFile() {
    const char* xdg = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    if (xdg && *xdg)
        return std::filesystem::path(xdg) / "warplight" / "peaks.txt";
    return home ? std::filesystem::path(home) / ".cache" / "warplight" / "peaks.txt" : std::filesystem::path();
}

std::string cacheKey(int threads) { return fmt::format("{}|{}|{}", cpuName(), machineInfo().instructionSet, threads); }

} // namespace

MachineInfo machineInfo() {
    MachineInfo info;
    info.cpuName = cpuName();
    info.cores = workerCount(0);
    info.memoryBytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
    info.instructionSet = supportedTargets().front();
#if defined(__x86_64__)
    info.bf16Instructions = __builtin_cpu_supports("avx512bf16");
#endif
    return info;
}

double measureFmaPeak(int threads, double seconds) {
    const int workers = workerCount(threads);
    constexpr int64_t iterations = 200'000; // about a millisecond
    std::atomic<int64_t> rounds{0};
    double flopsOfRound = 0;
    const auto begin = Clock::now();
    // One item a worker, so that each runs for the whole time.
    parallelItems(workers, workers, nullptr, [&](int64_t, int worker) {
        float sink = 0;
        while (secondsSince(begin) < seconds) {
            const double flops = fmaLoop(iterations, &sink);
            rounds.fetch_add(1);
            if (worker == 0)
                flopsOfRound = flops;
        }
        [[maybe_unused]] volatile float kept;
        kept = sink;
    });
    return flopsOfRound * static_cast<double>(rounds.load()) / secondsSince(begin);
}

MachinePeaks measurePeaks(int threads, double seconds, const std::atomic<bool>* cancel) {
    MachinePeaks peaks;
    peaks.threads = workerCount(threads);
    for (int i = 0; i < 4; ++i) { // the best of four short ones: a busy machine only ever makes it slower
        checkCancelled(cancel);
        peaks.fmaFlops = std::max(peaks.fmaFlops, measureFmaPeak(peaks.threads, seconds / 8));
    }
    peaks.bandwidth = measureTriad(peaks.threads, seconds / 2, cancel);
    return peaks;
}

MachinePeaks cachedPeaks(int threads, const std::atomic<bool>* cancel) {
    const int workers = workerCount(threads);
    const std::filesystem::path file = cacheFile();
    const std::string key = cacheKey(workers);
    MachinePeaks kept;
    std::ostringstream others;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) { // key TAB flops TAB bandwidth
        MachinePeaks peaks;
        peaks.threads = workers;
        const size_t tab = line.find('\t');
        if (tab == std::string::npos)
            continue;
        if (line.substr(0, tab) != key)
            others << line << '\n';
        else if (std::sscanf(line.c_str() + tab, "%lf %lf", &peaks.fmaFlops, &peaks.bandwidth) == 2 &&
                 peaks.fmaFlops > 0 && peaks.bandwidth > 0)
            kept = peaks;
    }
    // A peak that was measured while the machine was busy would stand for ever: a glance tells.
    if (kept.fmaFlops > 0 && measureFmaPeak(workers, glanceSeconds) <= kept.fmaFlops * agreement)
        return kept;
    MachinePeaks peaks = measurePeaks(workers, 0.4, cancel);
    peaks.fmaFlops = std::max(peaks.fmaFlops, kept.fmaFlops);
    peaks.bandwidth = std::max(peaks.bandwidth, kept.bandwidth);
    if (!file.empty()) { // a cache that cannot be written is measured anew next time
        std::error_code ignored;
        std::filesystem::create_directories(file.parent_path(), ignored);
        const std::filesystem::path temporary = fmt::format("{}.{}", file.string(), getpid());
        if (std::ofstream(temporary) << others.str() << key << '\t'
                                     << fmt::format("{}\t{}\n", peaks.fmaFlops, peaks.bandwidth))
            std::filesystem::rename(temporary, file, ignored);
        std::filesystem::remove(temporary, ignored);
    }
    return peaks;
}

} // namespace warplight::cpu
