// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_tests.h"

#include "core/collectives/files/nccl_facts.h"
#include "core/collectives/files/nccl_records.h"
#include "core/collectives/files/nccl_text.h"
#include "core/error.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace warplight::collectives {
namespace {

/// How far to look for what tells which JSON it is.
constexpr size_t startBytes = 1 << 16;

/// Whether the text begins as the document that nccl-tests -J writes, which is read as a stream: other JSON is looked
/// for between lines of text.
bool isOneDocument(std::string_view start) {
    if (start.starts_with("\xEF\xBB\xBF"))
        start.remove_prefix(3);
    const size_t first = start.find_first_not_of(" \t\r\n");
    if (first == start.npos || start[first] != '{')
        return false;
    const NcclJsonText found = readNcclJsonText(start);
    if (!found.hasResults)
        return false;
    // Nothing else begins behind its end, as far as it can be seen.
    int64_t open = 0;
    bool quoted = false, escaped = false;
    for (size_t at = first; at < start.size(); ++at) {
        const char c = start[at];
        if (quoted) {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            ++open;
        } else if ((c == '}' || c == ']') && --open == 0) {
            return start.find_first_not_of(" \t\r\n", at + 1) == start.npos;
        }
    }
    return true;
}

/// At least three digits, and two decimals as nccl-tests has them where they tell something.
std::string number(double value) {
    if (std::isnan(value))
        return "N/A";
    if (value == 0 || value >= 1)
        return value < 1e5 ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value);
    return fmt::format("{:.3g}", value);
}

/// One word that begins with a letter, whatever a file held there.
std::string word(const std::string& text, const char* otherwise) {
    if (text.empty() || printedNumber(text) || std::isalpha(static_cast<unsigned char>(text[0])) == 0)
        return otherwise;
    std::string made = text;
    std::replace_if(
        made.begin(), made.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-'; }, '_');
    return made;
}

/// Without line ends, and without the braces that JSON begins with.
std::string line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '{'; }, ' ');
    return text;
}

std::string half(const std::optional<NcclTiming>& t) {
    if (!t)
        return fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", "N/A", "N/A", "N/A", "N/A");
    return fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", number(t->seconds * 1e6), number(t->algbw * 1e-9),
                       number(t->busbw * 1e-9), t->wrong ? fmt::format("{}", *t->wrong) : "N/A");
}

} // namespace

std::vector<NcclTests> readNcclTestRuns(profiles::ByteSource& source, const profiles::Reading& reading) {
    profiles::PeekSource peeked(source, reading);
    if (isOneDocument(peeked.peek(startBytes))) {
        std::vector<NcclTests> runs;
        runs.push_back(readNcclJson(peeked, reading));
        return runs;
    }
    return readNcclText(peeked, reading);
}

std::vector<NcclTests> readNcclTestRuns(const std::string& file) {
    const auto source = profiles::openFile(file);
    return readNcclTestRuns(*source, {file, nullptr, {}});
}

NcclTests readNcclTests(const std::string& file) {
    std::vector<NcclTests> runs = readNcclTestRuns(file);
    if (runs.size() > 1)
        runs.front().warnings.push_back(fmt::format("The file holds {} runs; this is the first.", runs.size()));
    return std::move(runs.front());
}

std::string formatNcclTests(const NcclTests& run) {
    std::string text;
    const std::string test = run.test == NcclTest::Unknown ? run.testName : std::string(nameOf(run.test));
    if (!test.empty())
        text += fmt::format("# Collective test starting: {}\n", line(test));
    for (const std::string& comment : run.comments)
        text += fmt::format("# {}\n", line(comment));
    text += "#\n# Using devices\n";
    int rank = 0;
    for (const NcclTests::Device& device : run.devices)
        for (int i = 0; i < device.count; ++i, ++rank)
            text += fmt::format("#  Rank {:2} Group {:2} Pid {:6} on {:>10} device {:2} [{:04x}:{:02x}:{:02x}] {}\n",
                                rank, 0, 0, "localhost", rank, 0, 0, 0, line(device.name));
    for (; rank < run.ranks; ++rank)
        text += fmt::format("#  Rank {:2} Group {:2} Pid {:6} on {:>10} device {:2} [0000:00:00] unknown\n", rank, 0, 0,
                            "localhost", rank);
    const auto header = [&](auto... cells) {
        text += fmt::format(
            "# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}  {:>7}  {:>6}  {:>6}  {:>6}  {:>7}  {:>6}  {:>6}  {:>6}\n",
            cells...);
    };
    text += "#\n" + fmt::format("# {:>50}             out-of-place                       in-place\n", "");
    const char* time = "time";
    for (const NcclRow& row : run.rows)
        if (const NcclTiming* t = row.timing(); t && t->cpuTime)
            time = "cputime";
    header("size", "count", "type", "redop", "root", time, "algbw", "busbw", "#wrong", time, "algbw", "busbw",
           "#wrong");
    header("(B)", "(elements)", "", "", "", "(us)", "(GB/s)", "(GB/s)", "", "(us)", "(GB/s)", "(GB/s)", "");
    int64_t outOfBounds = 0, results = 0;
    double sum = 0;
    for (const NcclRow& row : run.rows) {
        text += fmt::format("{:>12}  {:>12}  {:>8}  {:>6}  {:>6}", row.bytes, row.count, word(row.type, "unknown"),
                            word(row.redop, "none"), row.root.value_or(-1));
        text += half(row.outOfPlace) + half(row.inPlace) + '\n';
        for (const auto* timing : {&row.outOfPlace, &row.inPlace}) {
            outOfBounds += *timing && (*timing)->wrong.value_or(0) > 0;
            if (*timing && !std::isnan((*timing)->busbw)) {
                sum += (*timing)->busbw;
                ++results;
            }
        }
    }
    text += fmt::format("# {:<20} : {} {}\n", "Out of bounds values", outOfBounds, outOfBounds > 0 ? "FAILED" : "OK");
    text += fmt::format("# {:<20} : {:g} \n#\n", "Avg bus bandwidth",
                        results ? sum / static_cast<double>(results) * 1e-9 : 0);
    if (!test.empty())
        text += fmt::format("# Collective test concluded: {}\n", line(test));
    return text;
}

} // namespace warplight::collectives
