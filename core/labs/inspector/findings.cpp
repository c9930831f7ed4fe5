// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/inspector/findings.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using Severity = lab::Source::Severity;

constexpr double wellUsed = 0.75, badlyUsed = 0.5; ///< shares of the fetched bytes
constexpr double manyPasses = 1.25;                ///< of the ideal number, from which conflicts are worth a remark
constexpr double shareWorthSaying = 0.01;          ///< of the launch's sectors or passes

double ratio(uint64_t a, uint64_t b) { return b ? static_cast<double>(a) / static_cast<double>(b) : 0; }

bool isShared(const gpu::LineCount& line) { return line.wavefronts > 0; }

/// "load", "store", "atomic operation", "copy".
std::string kindOf(const gpu::LineCount& line) {
    const size_t guard = line.text.starts_with('@') ? line.text.find(' ') + 1 : 0;
    const auto begins = [&](const char* with) { return line.text.compare(guard, std::strlen(with), with) == 0; };
    return begins("cp.async")                 ? "copy"
           : begins("atom") || begins("red.") ? "atomic operation"
           : begins("st.")                    ? "store"
                                              : "load";
}

std::string lanesOf(const Inspection& of, int line) {
    const auto found = of.accesses.find(line);
    return found == of.accesses.end() || found->second.empty() ? "" : ": " + laneWords(found->second[0].access);
}

std::string bufferOf(const Inspection& of, int line) {
    const auto found = of.accesses.find(line);
    return found == of.accesses.end() || found->second.empty() || found->second[0].buffer.empty()
               ? ""
               : fmt::format(" of {}", found->second[0].buffer);
}

void globalAccesses(const Inspection& of, std::vector<Remark>& all) {
    uint64_t counted = 0, bad = 0;
    for (const gpu::LineCount& line : of.stats.lines) {
        if (line.requests == 0 || line.sectors == 0 || line.text.find(".local") != std::string::npos)
            continue;
        ++counted;
        const double used = std::min(1.0, ratio(line.idealSectors, line.sectors));
        if (used >= wellUsed || ratio(line.sectors, of.stats.globalSectors) < shareWorthSaying)
            continue;
        ++bad;
        all.push_back(
            {used < badlyUsed ? Severity::Warning : Severity::Note,
             fmt::format("{:.0f} % of the bytes that this {}{} moves are used, {:.1f} sectors of 32 B a request "
                         "where {:.1f} would do{}",
                         100 * used, kindOf(line), bufferOf(of, line.line), ratio(line.sectors, line.requests),
                         ratio(line.idealSectors, line.requests), lanesOf(of, line.line)),
             line.line});
    }
    if (counted > 0 && bad == 0)
        all.push_back({Severity::Good,
                       fmt::format("All {} accesses to global memory use what they fetch: {:.1f} sectors a request.",
                                   counted, ratio(of.stats.globalSectors, of.stats.globalRequests)),
                       0});
}

void bankConflicts(const Inspection& of, std::vector<Remark>& all) {
    uint64_t counted = 0, bad = 0;
    for (const gpu::LineCount& line : of.stats.lines) {
        if (!isShared(line))
            continue;
        ++counted;
        if (ratio(line.wavefronts, line.idealWavefronts) < manyPasses ||
            ratio(line.wavefronts, of.stats.sharedWavefronts) < shareWorthSaying)
            continue;
        ++bad;
        all.push_back(
            {ratio(line.wavefronts, line.idealWavefronts) >= 2 ? Severity::Warning : Severity::Note,
             fmt::format("This {} goes {:.1f} times over the banks of shared memory where {:.1f} would do: bank "
                         "conflicts{}",
                         kindOf(line), ratio(line.wavefronts, line.requests),
                         ratio(line.idealWavefronts, line.requests), lanesOf(of, line.line)),
             line.line});
    }
    if (counted > 0 && bad == 0)
        all.push_back({Severity::Good,
                       fmt::format("No bank conflicts to speak of: {} passes over shared memory where {} would do.",
                                   of.stats.sharedWavefronts, of.stats.sharedIdealWavefronts),
                       0});
}

void wholeLaunch(const Inspection& of, const vgpu::GpuProfile& gpu, std::vector<Remark>& all) {
    const gpu::LaunchStats& s = of.stats;
    const double lanes = ratio(s.threadInstructions, s.warpInstructions);
    if (lanes < 24)
        all.push_back(
            {lanes < 16 ? Severity::Warning : Severity::Note,
             fmt::format("On average {:.1f} of a warp's 32 lanes work: {} of {} branches part the lanes of a warp.",
                         lanes, s.divergentBranches, s.branches),
             0});
    for (const gpu::LineCount& line : s.lines)
        if (line.text.find(".local") != std::string::npos && line.requests > 0) {
            all.push_back({Severity::Note,
                           "Local memory is used: an array whose place is not known to the compiler, or registers that "
                           "did not fit.",
                           line.line});
            break;
        }
    if (!s.modelled)
        return;
    const gpu::Modelled& m = *s.modelled;
    if (s.blocks < static_cast<uint64_t>(gpu.multiprocessors))
        all.push_back({Severity::Note,
                       fmt::format("{} block{} for the {} multiprocessors of a {}: the rest stay idle.", s.blocks,
                                   s.blocks == 1 ? "" : "s", gpu.multiprocessors, gpu.name),
                       0});
    if (m.occupancy < 0.5)
        all.push_back(
            {Severity::Note,
             fmt::format("{} limit{} a multiprocessor to {} block{}, {:.0f} % of the threads it could hold.",
                         m.occupancyLimit == "registers" ? "Registers"
                         : m.occupancyLimit == "threads" ? "Threads"
                         : m.occupancyLimit == "blocks"  ? "The number of blocks"
                                                         : "Shared memory",
                         m.occupancyLimit == "shared memory" || m.occupancyLimit == "blocks" ? "s" : "",
                         m.blocksPerMultiprocessor, m.blocksPerMultiprocessor == 1 ? "" : "s", 100 * m.occupancy),
             0});
}

} // namespace

std::string laneWords(const gpu::MemoryAccess& a) {
    const int lanes = std::popcount(a.lanes);
    if (lanes < 2)
        return fmt::format("one lane, {} B", a.bytes);
    int64_t stride = 0;
    bool regular = true, same = true;
    int previous = -1, first = -1;
    for (int i = 0; i < 32; ++i) {
        if (!(a.lanes >> i & 1))
            continue;
        if (first < 0)
            first = i;
        if (previous >= 0) {
            const auto step =
                static_cast<int64_t>(a.address[static_cast<size_t>(i)] - a.address[static_cast<size_t>(previous)]);
            if (i - previous != 1)
                regular = false;
            else if (previous == first)
                stride = step;
            else
                regular = regular && step == stride;
            same = same && step == 0;
        }
        previous = i;
    }
    if (same)
        return fmt::format("all lanes at the same {} B", a.bytes);
    if (regular && stride == a.bytes)
        return fmt::format("lanes are consecutive, {} B each", a.bytes);
    if (regular)
        return fmt::format("lanes stride by {} B", stride);
    return fmt::format("lanes are scattered, {} B each", a.bytes);
}

std::vector<Remark> remarks(const Inspection& of, const vgpu::GpuProfile& gpu) {
    std::vector<Remark> all;
    if (of.fault) {
        all.push_back({Severity::Error, of.fault->message, of.fault->line});
        return all;
    }
    for (const gpu::Finding& f : of.stats.findings)
        all.push_back({f.note ? Severity::Note : Severity::Error,
                       f.count > 1 ? fmt::format("{} ({} times)", f.message, f.count) : f.message, f.line});
    globalAccesses(of, all);
    bankConflicts(of, all);
    wholeLaunch(of, gpu, all);
    if (std::all_of(of.stats.findings.begin(), of.stats.findings.end(), [](const auto& f) { return f.note; }))
        all.push_back({Severity::Good,
                       fmt::format("No race, no access out of bounds and no read of unwritten memory in {} block{}.",
                                   of.stats.blocks, of.stats.blocks == 1 ? "" : "s"),
                       0});
    std::stable_sort(all.begin(), all.end(), [](const Remark& a, const Remark& b) { return a.severity > b.severity; });
    return all;
}

} // namespace warplight::labs::inspector
