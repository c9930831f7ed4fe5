// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_facts.h"

#include "core/text/counted.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <iterator>
#include <limits>
#include <system_error>

namespace warplight::collectives {
namespace {

struct Known {
    NcclTest test;
    std::string_view name;
};
constexpr std::array<Known, 10> known{{{NcclTest::Unknown, "unknown"},
                                       {NcclTest::AllReduce, "all_reduce"},
                                       {NcclTest::AllGather, "all_gather"},
                                       {NcclTest::ReduceScatter, "reduce_scatter"},
                                       {NcclTest::Broadcast, "broadcast"},
                                       {NcclTest::Reduce, "reduce"},
                                       {NcclTest::AllToAll, "alltoall"},
                                       {NcclTest::SendRecv, "sendrecv"},
                                       {NcclTest::Gather, "gather"},
                                       {NcclTest::Scatter, "scatter"}}};

/// Beyond rounding: averages over threads and processes are taken of times and of bandwidths one by one.
constexpr double slack = 2e-3;

bool near(double value, double expected, double step) {
    return std::fabs(value - expected) <= step + slack * std::fabs(expected);
}

/// Whether the test adds up, and whether it has a root: what the columns redop and root tell.
bool reduces(NcclTest t) { return t == NcclTest::AllReduce || t == NcclTest::Reduce || t == NcclTest::ReduceScatter; }
bool isRooted(NcclTest t) {
    return t == NcclTest::Broadcast || t == NcclTest::Reduce || t == NcclTest::Gather || t == NcclTest::Scatter;
}

/// "allreduce" of "all_reduce" and of "AllReduce", as rccl-tests and others write.
std::string plainName(std::string_view name) {
    std::string plain;
    for (const char c : name.substr(0, 64))
        if (std::isalnum(static_cast<unsigned char>(c)))
            plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return plain;
}

bool hasReduction(const NcclTests& run) {
    return std::any_of(run.rows.begin(), run.rows.end(),
                       [](const NcclRow& r) { return !r.redop.empty() && r.redop != "none"; });
}
bool hasRoot(const NcclTests& run) {
    return std::any_of(run.rows.begin(), run.rows.end(), [](const NcclRow& r) { return !!r.root; });
}

} // namespace

bool isSizeOverTime(int64_t bytes, double seconds, double algbw, const PrintedTiming& steps) {
    const double expected = static_cast<double>(bytes) / seconds;
    return near(algbw, expected, steps.algbw + expected * steps.seconds / seconds);
}

std::string ncclSizeText(int64_t bytes) {
    constexpr std::array<std::string_view, 5> units{"KiB", "MiB", "GiB", "TiB", "PiB"};
    std::string text = fmt::format("{} B", bytes);
    for (const std::string_view unit : units) {
        if (bytes == 0 || bytes % 1024 != 0)
            break;
        bytes /= 1024;
        text = fmt::format("{} {}", bytes, unit);
    }
    return text;
}

std::string_view nameOf(NcclTest test) {
    return std::find_if(known.begin(), known.end(), [&](const Known& k) { return k.test == test; })->name;
}

NcclTest ncclTestOf(std::string_view program) {
    if (const size_t slash = program.find_last_of("/\\"); slash != program.npos)
        program.remove_prefix(slash + 1);
    for (const std::string_view ending : {".exe", "_mpi", "_perf"})
        if (program.ends_with(ending))
            program.remove_suffix(ending.size());
    if (program == "all_to_all" || program == "all_to_all_single") // PyTorch's names
        return NcclTest::AllToAll;
    if (program == "all_gather_into_tensor")
        return NcclTest::AllGather;
    if (program == "reduce_scatter_tensor")
        return NcclTest::ReduceScatter;
    const std::string plain = plainName(program);
    const auto found = std::find_if(known.begin() + 1, known.end(), [&](const Known& k) {
        std::string name(k.name);
        std::erase(name, '_');
        return name == plain;
    });
    return found == known.end() ? NcclTest::Unknown : found->test;
}

void ncclNamedTest(std::string_view program, NcclTest& test, std::string& other) {
    test = ncclTestOf(program);
    other.clear();
    if (test != NcclTest::Unknown)
        return;
    program.remove_prefix(std::min(program.find_last_of("/\\") + 1, program.size())); // npos + 1 is the beginning
    program = program.substr(0, std::min<size_t>(program.find("_perf"), 40));
    const bool name = !program.empty() && std::all_of(program.begin(), program.end(),
                                                      [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (name)
        other = program;
}

bool looksLikeACollective(std::string_view name) {
    const std::string letters = plainName(name);
    constexpr std::array<std::string_view, 11> beginnings{"allreduce", "allgather", "alltoall", "reduce",
                                                          "gather",    "scatter",   "bcast",    "broadcast",
                                                          "sendrecv",  "hypercube", "bisection"};
    return std::any_of(beginnings.begin(), beginnings.end(),
                       [&](std::string_view beginning) { return letters.starts_with(beginning); });
}

std::optional<double> busFactor(NcclTest test, int ranks) {
    if (ranks < 1)
        return {};
    const double others = static_cast<double>(ranks - 1) / ranks;
    switch (test) {
    case NcclTest::Unknown:
        return {};
    case NcclTest::AllReduce:
        return 2 * others;
    case NcclTest::AllGather:
    case NcclTest::ReduceScatter:
    case NcclTest::AllToAll:
    case NcclTest::Gather:
    case NcclTest::Scatter:
        return others;
    case NcclTest::Broadcast:
    case NcclTest::Reduce:
    case NcclTest::SendRecv:
        return 1.0;
    }
    return {};
}

std::optional<PrintedNumber> printedNumber(std::string_view text) {
    if (text == "N/A" || text == "n/a" || text == "-nan")
        return PrintedNumber{std::numeric_limits<double>::quiet_NaN(), 0};
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc::invalid_argument || read.ptr != text.data() + text.size())
        return {};
    if (read.ec == std::errc::result_out_of_range || !std::isfinite(value))
        return PrintedNumber{std::numeric_limits<double>::quiet_NaN(), 0};
    const size_t mark = text.find_first_of("eE"), point = text.find('.');
    int exponent = 0;
    if (mark != text.npos) {
        const std::string_view digits = text.substr(mark + 1 + (text[mark + 1] == '+'));
        std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    }
    const size_t end = std::min(mark, text.size());
    const int decimals = point < end ? static_cast<int>(end - point) - 1 : 0;
    return PrintedNumber{value, 0.5 * std::pow(10.0, exponent - decimals)};
}

std::string ncclVersionText(int64_t code) {
    if (code < 1000 || code > 999'999)
        return {};
    const int64_t major = code < 10'000 ? 1000 : 10'000;
    return fmt::format("{}.{}.{}", code / major, code % major / 100, code % 100);
}

void RankCount::add(int64_t group, int64_t rank, std::string host, const std::string& device) {
    if (!seen.insert({group, rank}).second) {
        ++repeated;
        return;
    }
    if (!host.empty())
        hosts.insert(std::move(host));
    if (device.empty()) // its line was cut
        return;
    const auto same = std::find_if(devices.begin(), devices.end(), [&](const auto& d) { return d.name == device; });
    if (same != devices.end())
        ++same->count;
    else
        devices.push_back({device, 1});
}

void RankCount::into(NcclTests& run, int64_t ranksEach) const {
    int64_t first = 0, groups = 0, inGroup = 0, highest = 0;
    bool uneven = false;
    for (auto at = seen.begin(); at != seen.end(); ++at) {
        ++inGroup;
        highest = std::max(highest, at->second);
        if (const auto next = std::next(at); next == seen.end() || next->first != at->first) {
            first = groups++ == 0 ? inGroup : first;
            uneven = uneven || inGroup != first;
            inGroup = 0;
        }
    }
    const auto ranksOf = [&](int64_t names) { return static_cast<int>(std::min(names * ranksEach, mostRanks)); };
    // Numbers go on from group to group, or begin anew in each; processes of several ranks count them all.
    const auto named = static_cast<int64_t>(seen.size());
    const bool partial = ranksEach == 1 && groups == 1 && highest + 1 > named && highest < mostRanks;
    run.ranks = partial ? static_cast<int>(highest + 1) : ranksOf(first);
    run.hosts = static_cast<int>(hosts.size());
    for (const NcclTests::Device& device : devices)
        run.devices.push_back({device.name, ranksOf(device.count)});
    if (partial)
        run.warnings.push_back(fmt::format("Of its ranks {} named, the highest is rank {}: {} are taken.",
                                           named == 1 ? "one is" : fmt::format("{} are", named), highest,
                                           counted(highest + 1, "rank")));
    if (uneven)
        run.warnings.push_back(fmt::format("The {} groups of ranks differ in size; bandwidths are checked with the {} "
                                           "of the first.",
                                           groups, counted(run.ranks, "rank")));
    if (repeated > 0)
        run.warnings.push_back(fmt::format("{} named twice: several runs of one process each, as a build without MPI "
                                           "makes them?",
                                           repeated == 1 ? "1 rank is" : fmt::format("{} ranks are", repeated)));
}

void BandwidthCheck::add(int64_t bytes, const NcclTiming& timing, const PrintedTiming& steps,
                         const std::string& where) {
    if (bytes > 0 && timing.seconds > 0 && timing.algbw > 0 && timing.busbw >= 0)
        seen.push_back({bytes, timing.seconds, timing.algbw, timing.busbw, steps, where});
}

double BandwidthCheck::correctTimeUnit(NcclTests& run) {
    const auto fitting = [&](double factor) {
        return std::count_if(seen.begin(), seen.end(), [&](const Seen& s) {
            PrintedTiming steps = s.steps;
            steps.seconds *= factor;
            return isSizeOverTime(s.bytes, s.seconds * factor, s.algbw, steps);
        });
    };
    const auto all = static_cast<std::ptrdiff_t>(seen.size());
    if (2 * fitting(1) >= all)
        return 1;
    for (const double factor : {1e3, 1e6, 1e-3})
        if (4 * fitting(factor) >= 3 * all) {
            for (Seen& s : seen)
                s.seconds *= factor, s.steps.seconds *= factor;
            for (NcclRow& row : run.rows)
                for (auto* half : {&row.outOfPlace, &row.inPlace})
                    if (*half)
                        (*half)->seconds *= factor;
            return factor;
        }
    return 1;
}

/// The one number of ranks, from `least` on, that makes every bus bandwidth of its algorithm bandwidth.
std::optional<int> BandwidthCheck::ranksOf(NcclTest test, int least) const {
    // factor(n) = k (n - 1) / n: the ratio of the bandwidths and its rounding leave a range of n.
    const double k = test == NcclTest::AllReduce ? 2 : 1;
    double from = std::max(least, 2), to = static_cast<double>(mostRanks);
    for (const Seen& s : seen) {
        const double low = (s.busbw - s.steps.busbw) / (s.algbw + s.steps.algbw) / k;
        const double high = (s.busbw + s.steps.busbw) / std::max(s.algbw - s.steps.algbw, 1e-30) / k;
        from = std::max(from, low < 1 ? 1 / (1 - low) : to + 1);
        if (high < 1)
            to = std::min(to, 1 / (1 - high));
    }
    const double first = std::ceil(from - 1e-9), last = std::floor(to + 1e-9);
    return first == last ? std::optional(static_cast<int>(first)) : std::nullopt;
}

/// Where the file names no rank, or its bandwidths cannot be those of so few.
void BandwidthCheck::tellRanks(NcclTests& run) const {
    if (seen.empty() || run.form == NcclTests::Form::Markdown || !run.testName.empty())
        return;
    NcclTest test = run.test;
    if (test == NcclTest::Unknown) {
        const bool more =
            std::all_of(seen.begin(), seen.end(), [](const Seen& s) { return s.busbw > 1.005 * s.algbw; });
        test = hasRoot(run) ? NcclTest::Gather : more ? NcclTest::AllReduce : NcclTest::ReduceScatter;
        if (hasReduction(run) != reduces(test))
            test = NcclTest::AllToAll; // or all-gather, with the same factor
    }
    const auto one = busFactor(test, 1);
    // Bandwidths of the fewer ranks that a cut list names would be lower.
    const auto factor = busFactor(test, run.ranks);
    const auto above = std::count_if(seen.begin(), seen.end(), [&](const Seen& s) {
        return factor && s.busbw - s.steps.busbw > (1 + slack) * *factor * (s.algbw + s.steps.algbw);
    });
    const bool tooFew = one == 0.0 && (run.ranks == 1 || ranksAreCut) && above > 0;
    if (one != 0.0 || !(run.ranks == 0 || tooFew))
        return;
    if (const auto ranks = ranksOf(test, run.ranks + 1)) {
        if (tooFew)
            run.warnings.push_back(fmt::format("{} named, but the bus bandwidths are those of {}, which are taken.",
                                               run.ranks == 1 ? "One rank is" : fmt::format("{} ranks are", run.ranks),
                                               counted(*ranks, "rank")));
        run.ranks = *ranks;
        run.ranksFromBandwidths = true;
    } else if (tooFew && run.ranks == 1) {
        run.warnings.push_back("One rank is named, but the bus bandwidths are those of more; how many is not known.");
        run.ranks = 0;
    }
}

void BandwidthCheck::into(NcclTests& run) const {
    const auto factorFits = [&](double factor) {
        return std::all_of(seen.begin(), seen.end(), [&](const Seen& s) {
            return near(s.busbw, s.algbw * factor, s.steps.busbw + factor * s.steps.algbw);
        });
    };
    tellRanks(run);
    if (!run.testName.empty())
        run.warnings.push_back(
            fmt::format("The test {} is not known: its bus bandwidths are not checked.", run.testName));
    else if (run.test == NcclTest::Unknown && run.ranks > 1 && !seen.empty()) {
        const bool reducing = hasReduction(run), rooted = hasRoot(run);
        // Those that a reduction and a root leave over, told apart by their factor; all-gather and all-to-all, or
        // all-reduce and a plain send between two ranks, are not.
        std::vector<NcclTest> fitting;
        for (const Known& k : known) {
            const NcclTest t = k.test;
            const auto factor = busFactor(t, run.ranks);
            if (factor && isRooted(t) == rooted && (reduces(t) == reducing || (reducing && t == NcclTest::SendRecv)) &&
                factorFits(*factor))
                fitting.push_back(t);
        }
        if (fitting.size() == 1) {
            run.test = fitting[0];
            run.testFromBandwidths = true;
        }
    }
    const auto factor = busFactor(run.test, run.ranks);
    int64_t wrongBus = 0, wrongAlgorithm = 0;
    std::string bus, algorithm;
    for (const Seen& s : seen) {
        const double size = static_cast<double>(s.bytes), algbw = size / s.seconds;
        const double step = algbw * s.steps.seconds / s.seconds;
        if (!isSizeOverTime(s.bytes, s.seconds, s.algbw, s.steps) && wrongAlgorithm++ == 0)
            algorithm = fmt::format("{} says {:.4g} GB/s, its size and time make {:.4g}", s.where, s.algbw * 1e-9,
                                    algbw * 1e-9);
        else if (factor && !near(s.busbw, algbw * *factor, s.steps.busbw + step * *factor) && wrongBus++ == 0)
            bus = fmt::format("{} says {:.4g} GB/s, its time and {} make {:.4g}", s.where, s.busbw * 1e-9,
                              counted(run.ranks, "rank"), algbw * *factor * 1e-9);
    }
    if (wrongAlgorithm > 0)
        run.warnings.push_back(fmt::format("The algorithm bandwidth of {} of {} results is not size over time: {}.",
                                           wrongAlgorithm, seen.size(), algorithm));
    if (wrongBus > 0)
        run.warnings.push_back(fmt::format("The bus bandwidth of {} of {} results is not that of {}: {}.", wrongBus,
                                           seen.size(), nameOf(run.test), bus));
}

} // namespace warplight::collectives
