// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/byte_source.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// What a program of nccl-tests measures: all_reduce_perf, all_gather_perf …
enum class NcclTest {
    Unknown,
    AllReduce,
    AllGather,
    ReduceScatter,
    Broadcast,
    Reduce,
    AllToAll,
    SendRecv,
    Gather,
    Scatter
};

std::string_view nameOf(NcclTest test); ///< "all_reduce"; "unknown"
/// Of a program's path or name, "./build/all_reduce_perf_mpi", or a collective's, "all_reduce"; Unknown for others.
NcclTest ncclTestOf(std::string_view program);

/// Bus bandwidth over algorithm bandwidth: 2(n-1)/n for all-reduce, (n-1)/n where every rank keeps its own part, 1
/// where everything passes through one rank (nccl-tests, doc/PERFORMANCE.md). Unset when the test or the ranks are
/// unknown.
std::optional<double> busFactor(NcclTest test, int ranks);

/// Of the single iterations of a measurement (-I).
struct NcclSpread {
    double min = 0, max = 0, p99 = 0; ///< seconds
    double variation = 0;             ///< standard deviation over mean
};

/// What was measured for one size, out of place or in place. NaN: the file has N/A or nan there.
struct NcclTiming {
    double seconds = 0;
    bool cpuTime = false;         ///< of the host's calls (-C), not of the operation
    double algbw = 0, busbw = 0;  ///< bytes a second
    std::optional<int64_t> wrong; ///< elements; unset when they were not checked
    std::optional<double> error;  ///< greatest deviation, which versions before 2.13 wrote in place of `wrong`
    std::optional<NcclSpread> spread;
    bool valuesWrong = false; ///< elements were checked, and are not what they should be
};

struct NcclRow {
    int64_t bytes = 0;
    int64_t count = 0;       ///< elements; 0: the file does not say
    std::string type, redop; ///< "float", "sum"; empty: the file does not say
    std::optional<int> root; ///< unset: none (-1), or the file does not say
    std::optional<NcclTiming> outOfPlace, inPlace;
    std::optional<int64_t> iterations;

    /// Out of place if that was measured, else in place. Null: neither.
    const NcclTiming* timing() const { return outOfPlace ? &*outOfPlace : inPlace ? &*inPlace : nullptr; }
};

/// One run of nccl-tests, or of PyTorch's counterpart in stas00/ml-engineering (Form::Markdown). Neither the
/// environment nor the arguments of a run are kept: they may hold secrets.
struct NcclTests {
    enum class Form { Text, Json, Markdown, Csv } form = Form::Text;
    std::string source; ///< the file
    NcclTest test = NcclTest::Unknown;
    std::string testName;             ///< as the file names a test that is not known, "hypercube"; else empty
    bool testFromBandwidths = false;  ///< the file does not name it: told from the ratio of its bandwidths
    int ranks = 0;                    ///< of one communicator; 0: the file does not say
    bool ranksFromBandwidths = false; ///< the file does not name them: told from the ratio of its bandwidths
    int hosts = 0;
    std::string version;     ///< of nccl-tests, "2.17.6"; of the JSON format, "format 3"
    std::string ncclVersion; ///< "2.28.9"
    struct Device {
        std::string name;
        int count = 0; ///< ranks on such devices
    };
    std::vector<Device> devices;
    std::vector<NcclRow> rows; ///< in the file's order
    std::optional<int64_t> outOfBounds;
    bool failed = false;                       ///< the run says FAILED of its values, or "okay": "false"
    int64_t bitwiseMismatches = 0;             ///< that the run says it found
    bool bandwidthLow = false;                 ///< the run says FAILED of the average that it was to reach
    std::optional<double> averageBusBandwidth; ///< bytes a second, as the file says
    bool truncated = false;                    ///< the run did not come to its end
    std::vector<std::string> comments;         ///< written before the table; not read
    std::vector<std::string> warnings;         ///< sentences
};

/// Reads what nccl-tests or rccl-tests printed: tables in text, found by their column names and the shape of their
/// rows, whatever launchers, log collectors and NCCL_DEBUG put before, behind and between; JSON (-J, -Z json, one
/// object a line, log records that hold text); CSV; a markdown table. gzip is unpacked. Throws InputError naming the
/// file, the line and what was expected when there is no table in it. Of several runs in one file the first, with a
/// warning.
NcclTests readNcclTests(const std::string& file);
/// All of them.
std::vector<NcclTests> readNcclTestRuns(const std::string& file);
/// The same from any source: a text that somebody pasted.
std::vector<NcclTests> readNcclTestRuns(profiles::ByteSource& source, const profiles::Reading& reading);

/// A table as nccl-tests prints it, which both people used to nccl-tests and our own reader read: header, one line a
/// row, "Out of bounds values" (results with wrong elements), "Avg bus bandwidth" (over all rows, out of place and in
/// place). Numbers have at least three digits, where nccl-tests cuts small ones to 0.00.
std::string formatNcclTests(const NcclTests& run);

} // namespace warplight::collectives
