// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_run.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <system_error>
#include <utility>

namespace warplight::collectives {
namespace {

using Words = std::span<const std::string_view>;

constexpr size_t farthestBack = 4096; ///< rows that a record's other half is looked for in

std::optional<int64_t> integer(std::string_view text) {
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// "#Rank" without its hash, which may also hang at a label: "<stdout>:#Rank".
std::string_view bare(std::string_view word) {
    const size_t hash = word.rfind('#');
    return hash == word.npos ? word : word.substr(hash + 1);
}

std::string_view at(Words words, size_t i) { return i < words.size() ? words[i] : std::string_view(); }

/// The words behind the first colon that stands alone or ends one.
Words behindColon(Words words) {
    for (size_t i = 0; i < words.size(); ++i)
        if (words[i].ends_with(':'))
            return words.subspan(i + 1);
    return {};
}

bool sameOperation(const NcclRow& a, const NcclRow& b) {
    return a.bytes == b.bytes && a.type == b.type && a.redop == b.redop && a.root == b.root;
}

} // namespace

void NcclRunBuilder::begin(NcclTests::Form form) {
    if (!current.rows.empty() || concluded)
        finish();
    if (tableLine == 0)
        current.form = form;
}

void NcclRunBuilder::keep(NcclPrintedRow printed, const std::string& where) {
    if (printed.row.outOfPlace)
        check.add(printed.row.bytes, *printed.row.outOfPlace, printed.outOfPlace, where);
    if (printed.row.inPlace)
        check.add(printed.row.bytes, *printed.row.inPlace, printed.inPlace, where);
    current.rows.push_back(std::move(printed.row));
}

void NcclRunBuilder::keep(NcclRecord record, const std::string& where) {
    const bool other =
        (record.test != NcclTest::Unknown && current.test != NcclTest::Unknown && record.test != current.test) ||
        (record.test != NcclTest::Unknown && !current.testName.empty()) ||
        (!record.testName.empty() && record.testName != current.testName &&
         (current.test != NcclTest::Unknown || !current.testName.empty())) ||
        (record.ranks > 0 && current.ranks > 0 && record.ranks != current.ranks);
    if (!current.rows.empty() && other) { // the table goes on
        const NcclTests::Form form = current.form;
        const int64_t line = tableLine;
        conclude();
        current.form = form;
        tableLine = form == NcclTests::Form::Csv || form == NcclTests::Form::Markdown ? line : 0;
    }
    if (current.rows.empty() && current.form != NcclTests::Form::Csv && current.form != NcclTests::Form::Markdown)
        current.form = NcclTests::Form::Json;
    if (record.test != NcclTest::Unknown || !record.testName.empty()) {
        current.test = record.test;
        current.testName = std::move(record.testName);
    }
    if (record.ranks > 0)
        current.ranks = record.ranks;
    if (record.nodes > 0)
        current.hosts = record.nodes;
    std::vector<NcclRow>& rows = current.rows;
    NcclRow& row = record.printed.row;
    const bool oneHalf = row.outOfPlace.has_value() != row.inPlace.has_value();
    for (size_t back = 0; oneHalf && back < std::min(rows.size(), farthestBack); ++back) {
        NcclRow& before = rows[rows.size() - 1 - back];
        auto& slot = row.outOfPlace ? before.outOfPlace : before.inPlace;
        if (slot || !sameOperation(before, row))
            continue;
        slot = row.outOfPlace ? row.outOfPlace : row.inPlace;
        check.add(row.bytes, *slot, row.outOfPlace ? record.printed.outOfPlace : record.printed.inPlace, where);
        return;
    }
    keep(std::move(record.printed), where);
}

void NcclRunBuilder::broken(int64_t count, int64_t firstLine) {
    if (brokenLines == 0)
        firstBroken = firstLine;
    brokenLines += count;
}

void NcclRunBuilder::facts(std::string_view text, Words words) {
    if (tableLine == 0 && !ranks.empty() && (words.back() == "..." || words.back() == "…"))
        check.ranksAreCut = true;
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = bare(words[i]);
        const Words rest = words.subspan(i);
        if (word == "Rank" || word == "Ranks") {
            rank(text, rest);
            return;
        }
        if ((word == "nccl-tests" && at(rest, 1) == "version") || (word == "rccl-tests:" && at(rest, 1) == "Version")) {
            begin(NcclTests::Form::Text);
            version(rest);
            return;
        }
        if (word == "Collective" && at(rest, 1) == "test") {
            if (at(rest, 2) == "starting:") {
                begin(NcclTests::Form::Text);
                ncclNamedTest(at(rest, 3), current.test, current.testName);
            } else if (at(rest, 2) == "concluded:") {
                concluded = true;
            }
            return;
        }
        if (word == "nThread" && at(rest, 2) == "nGpus") {
            begin(NcclTests::Form::Text);
            return;
        }
        if (word == "Out" && at(rest, 1) == "of" && at(rest, 2) == "bounds") {
            concluded = true;
            const Words said = behindColon(rest);
            if (const auto count = integer(at(said, 0)))
                current.outOfBounds = *count;
            current.failed = current.failed || at(said, 1).starts_with("FAILED");
            return;
        }
        if (word == "Bitwise" && at(rest, 1) == "mismatches") {
            if (const auto count = integer(at(behindColon(rest), 0)))
                current.bitwiseMismatches = *count;
            return;
        }
        if (word == "Avg" && at(rest, 1) == "bus" && at(rest, 2) == "bandwidth") {
            concluded = true;
            const Words said = behindColon(rest);
            if (const auto value = printedNumber(at(said, 0)); value && value->value >= 0)
                current.averageBusBandwidth = value->value * 1e9;
            current.bandwidthLow = current.bandwidthLow || at(said, 1).starts_with("FAILED");
            return;
        }
        if ((word == "NCCL" || word == "RCCL") && at(rest, 1) == "version") {
            const std::string_view said = at(rest, 2) == ":" ? at(rest, 3) : at(rest, 2);
            if (current.ncclVersion.empty() && !said.empty() && said.front() >= '0' && said.front() <= '9')
                current.ncclVersion = said.substr(0, std::min<size_t>(said.find_first_of("+-"), 40));
            return;
        }
        if (word == "The" && at(rest, 1) == "average" && at(rest, 2) == "bandwidth") {
            bench(rest);
            return;
        }
        if (word.find("_perf") != word.npos)
            command(words[i]);
    }
    if (const size_t found = text.find("name='"); found != text.npos) { // PyTorch's device properties
        const std::string_view rest = text.substr(found + 6);
        benchDevice = rest.substr(0, std::min<size_t>(rest.find('\''), 80));
        if (current.form == NcclTests::Form::Markdown && !current.rows.empty() && current.devices.empty())
            current.devices = {{benchDevice, current.ranks}};
    }
}

/// Where a log has the commands, the last before a table is the one that printed it.
void NcclRunBuilder::command(std::string_view word) {
    NcclTest test = NcclTest::Unknown;
    std::string other;
    ncclNamedTest(word, test, other);
    if (test == NcclTest::Unknown && !looksLikeACollective(other)) // "nccl_perf", a job's name
        return;
    if (concluded)
        begin(NcclTests::Form::Text);
    if (!current.rows.empty() || tableLine > 0)
        return;
    current.test = test;
    current.testName = std::move(other);
}

void NcclRunBuilder::version(Words words) {
    current.version = at(words, 2).substr(0, 40);
    for (const std::string_view w : words)
        if (w.starts_with("nccl-library="))
            if (const auto code = integer(w.substr(13)))
                current.ncclVersion = ncclVersionText(*code);
}

/// "Rank  0 Group  0 Pid  6899 on host device  0 [0000:04:00] NVIDIA H100 80GB HBM3"; older ones have no Group and
/// [0x04], NCCL 1's are "Rank  0 uses device  0 [0x3b] Tesla P100". People shorten them: "Rank  0 .. Rank  7 on host".
void NcclRunBuilder::rank(std::string_view text, Words words) {
    const std::string_view first = at(words, 1);
    const size_t digits = std::min(first.find_first_not_of("0123456789"), first.size());
    const auto number = integer(first.substr(0, digits));
    if (!number || *number >= mostRanks)
        return;
    std::optional<int64_t> last;
    if (digits < first.size()) { // "0-7", "0..7"
        const size_t again = first.find_first_of("0123456789", digits);
        last = again == first.npos ? std::nullopt : integer(first.substr(again));
        if (!last)
            return;
    }
    int64_t group = 0;
    std::string_view host;
    bool known = last.has_value();
    for (size_t i = 2; i < words.size(); ++i) {
        const std::string_view word = words[i], next = at(words, i + 1);
        if (i == 2 && (word == ".." || word == "..." || word == "-" || word == "to" || word == "through"))
            last = integer(next == "Rank" || next == "rank" ? at(words, i + 2) : next);
        else if (word == "Group" && integer(next))
            group = *integer(next);
        else if (word == "on" && host.empty())
            host = next;
        known = known || word == "Group" || word == "Pid" || word == "device";
    }
    if (!known && !last)
        return; // somebody's sentence
    begin(NcclTests::Form::Text);
    const size_t from = static_cast<size_t>(words[0].data() - text.data());
    const size_t open = text.find(" [", from), close = text.find(']', std::min(open, text.size()));
    std::string_view device;
    if (close != text.npos)
        device = text.substr(close + 1);
    else if (last && !host.empty())
        device = text.substr(static_cast<size_t>(host.data() - text.data()) + host.size());
    device.remove_prefix(std::min(device.find_first_not_of(" \t"), device.size()));
    device = device.substr(0, std::min({device.find("  "), device.find('|'), device.find('\t'), size_t{80}}));
    while (device.ends_with(' '))
        device.remove_suffix(1);
    for (int64_t r = *number; r <= std::clamp<int64_t>(last.value_or(*number), *number, mostRanks); ++r)
        ranks.add(group, r, std::string(host.substr(0, 256)), std::string(device));
}

/// "The average bandwidth of all_reduce over 4 ranks (5 warmups / 20 trials):"
void NcclRunBuilder::bench(Words words) {
    begin(NcclTests::Form::Markdown);
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] == "of" && current.test == NcclTest::Unknown)
            ncclNamedTest(words[i + 1], current.test, current.testName);
        if (words[i] == "over")
            if (const auto count = integer(words[i + 1]); count && *count > 0 && *count <= mostRanks)
                current.ranks = static_cast<int>(*count);
    }
}

void NcclRunBuilder::finish() {
    if (beforeFinish)
        beforeFinish();
    conclude();
}

void NcclRunBuilder::conclude() {
    NcclTests& run = current;
    if (tableLine > 0 || !run.rows.empty()) {
        run.source = name;
        if (!ranks.empty() && run.ranks == 0)
            ranks.into(run, 1);
        if (run.form == NcclTests::Form::Markdown && run.devices.empty() && !benchDevice.empty())
            run.devices = {{benchDevice, run.ranks}};
        run.truncated = !concluded && run.form == NcclTests::Form::Text;
        if (brokenLines == 1)
            run.warnings.push_back(
                fmt::format("1 of its lines is no whole row and is left out: line {}.", firstBroken));
        else if (brokenLines > 1)
            run.warnings.push_back(fmt::format(
                "{} of its lines are no whole rows and are left out, the first is line {}.", brokenLines, firstBroken));
        if (run.truncated)
            run.warnings.push_back(fmt::format("The run did not come to its end: the table in line {} has no line "
                                               "\"Avg bus bandwidth\" after it.",
                                               tableLine));
        if (!unitsNamed)
            if (const double factor = check.correctTimeUnit(run); factor != 1)
                run.warnings.push_back(fmt::format("The table names no unit of time; its bandwidths say that times are "
                                                   "{:g} times as long as microseconds.",
                                                   factor));
        check.into(run);
        checkNcclValues(run);
        if (!run.rows.empty())
            runs.push_back(std::move(run));
        else
            emptyTable = tableLine;
    }
    current = {};
    ranks = {};
    check = {};
    unitsNamed = true;
    tableLine = 0;
    brokenLines = 0;
    concluded = false;
}

} // namespace warplight::collectives
