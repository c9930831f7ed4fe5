// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_tests.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::collectives {

constexpr int64_t mostRanks = 1'000'000; ///< more is nonsense in a file

/// A number as it is printed: its value and half a unit of its last digit, by which rounding may have moved it.
struct PrintedNumber {
    double value = 0, halfStep = 0;
};
/// "12.34", "1.2e+03", "8", "nan", "inf", "-nan"; unset for anything else. "N/A" is NaN.
std::optional<PrintedNumber> printedNumber(std::string_view text);

/// 22809 is "2.28.9", 2708 is "2.7.8" (NCCL_VERSION_CODE of nccl.h, whose digits changed with 2.9); "" for nonsense.
std::string ncclVersionText(int64_t code);

/// Counts the ranks that a run names. Where some are left out of what was pasted, the highest number says how many
/// there are.
class RankCount {
  public:
    void add(int64_t group, int64_t rank, std::string host, const std::string& device);
    bool empty() const { return seen.empty(); }
    /// Fills in `ranks`, `hosts` and `devices`, with warnings about what does not fit together. `ranksEach`: a name
    /// stands for so many ranks.
    void into(NcclTests& run, int64_t ranksEach) const;

  private:
    std::set<std::pair<int64_t, int64_t>> seen; ///< (group, rank)
    std::set<std::string> hosts;
    std::vector<NcclTests::Device> devices; ///< in order of appearance
    int64_t repeated = 0;
};

/// Marks the results whose elements are wrong, and warns of them: how many, and which is the first.
void checkNcclValues(NcclTests& run);

/// "64 MiB", "1000 B".
std::string ncclSizeText(int64_t bytes);

/// How far rounding may have moved a row's numbers, for the comparison of its bandwidths.
struct PrintedTiming {
    double seconds = 0, algbw = 0, busbw = 0; ///< half steps
};

/// What a program or a record names: a test that is known, or in `other` the name of one that is not.
void ncclNamedTest(std::string_view program, NcclTest& test, std::string& other);
/// "AlltoAllv", "hypercube"; not "small_run".
bool looksLikeACollective(std::string_view name);

/// Whether an algorithm bandwidth is size over time, as far as rounding and averages of several ranks let it be told.
bool isSizeOverTime(int64_t bytes, double seconds, double algbw, const PrintedTiming& steps);

/// Compares bandwidths with what follows from time, size and ranks; counts what disagrees. One warning a run.
class BandwidthCheck {
  public:
    void add(int64_t bytes, const NcclTiming& timing, const PrintedTiming& steps, const std::string& where);
    /// For files that name no unit of time: the rows' times as the bandwidths say them to be, if they agree on one.
    /// Returns what the times were too small by, 1 in most cases.
    double correctTimeUnit(NcclTests& run);
    /// With the run's test and ranks known; where the file does not name them, they are told from the bandwidths.
    void into(NcclTests& run) const;

    bool ranksAreCut = false; ///< the list of ranks ends in "..."

  private:
    std::optional<int> ranksOf(NcclTest test, int least) const;
    void tellRanks(NcclTests& run) const;

    struct Seen {
        int64_t bytes;
        double seconds, algbw, busbw;
        PrintedTiming steps;
        std::string where;
    };
    std::vector<Seen> seen;
};

} // namespace warplight::collectives
