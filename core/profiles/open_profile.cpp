// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/open_profile.h"

#include "core/error.h"
#include "core/formats/foreign_file.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/kineto_trace.h"
#include "core/profiles/ncu_csv.h"
#include "core/profiles/nsys_rows.h"
#include "core/profiles/nsys_stats.h"
#include "core/profiles/profiler_words.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::profiles {
namespace {

constexpr size_t headBytes = 4096;

/// Whether JSON begins here, and not a line that a program printed: `{` before a key, `[` before an object.
bool looksLikeJson(std::string_view head) {
    if (head.starts_with("\xEF\xBB\xBF"))
        head.remove_prefix(3);
    const auto space = [&] {
        const size_t at = head.find_first_not_of(" \t\r\n");
        head.remove_prefix(std::min(at, head.size()));
    };
    space();
    if (head.empty() || (head[0] != '{' && head[0] != '['))
        return false;
    const bool object = head[0] == '{';
    head.remove_prefix(1);
    space();
    return head.empty() || (object ? head[0] == '"' || head[0] == '}' : head[0] == '{' || head[0] == ']');
}

/// What a file is that holds no text of a profiler, told by its first bytes, and what to bring instead; both empty for
/// others.
std::pair<std::string_view, std::string_view> otherFile(std::string_view head) {
    constexpr std::string_view stats = "the text that nsys stats --format csv --report cuda_gpu_trace prints of it",
                               any = "the text that nsys stats --format csv prints or a PyTorch trace";
    if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF"))
        return {"UTF-16 text as PowerShell's > writes it", "UTF-8 (| Out-File -Encoding utf8)"};
    if (head.starts_with("PK\x03\x04"))
        return {"a zip archive", any};
    if (head.starts_with("SQLite format 3"))
        return {"an SQLite database", any};
    if (head.starts_with("NVIDIA Tegra Profiler Report"))
        return {"a recording of Nsight Systems", stats};
    if (head.starts_with(std::string_view("NVR\0", 4)))
        return {"a recording of Nsight Compute", "the text that ncu --import FILE --csv --page raw prints of it"};
    if (head.starts_with("version https://git-lfs"))
        return {"a pointer of Git LFS and not the file itself", "the file that git lfs pull fetches"};
    const std::string text = lowerCase(trimmed(head.substr(0, 512)));
    if (text.starts_with("<!doctype html") || text.starts_with("<html"))
        return {"a page of HTML", "the file that the page links to"};
    return {};
}

/// nsys stats --format json writes lists of rows, whose keys are the titles of columns.
bool looksLikeNsysJson(std::string_view text) {
    for (const std::string_view key : {"\"Time (%)", "\"Total Time (", "\"Start (", "\"Kernel Start (", "\"Total (MB)"})
        if (const size_t at = text.find(key); at != text.npos) {
            const std::string_view behind = text.substr(std::min(text.find('"', at + 1), text.size() - 1) + 1);
            if (trimmed(behind.substr(0, 8)).starts_with(':'))
                return true;
        }
    return false;
}

/// What the beginning of a file without a table says that it is; empty for text that a program may have printed.
std::string foreignKindOf(std::string_view beginning) {
    const std::string kind = formats::foreignKind(std::as_bytes(std::span(beginning)), ".json");
    return kind.starts_with("text ") ? "" : kind;
}

/// What stands in a text without a table: a format that is not read, or a reason in the profiler's words.
std::string whyNoTable(const ProfilerWords& words, bool isNcuPage) {
    std::string why;
    if (isNcuPage)
        why = "; it is the page that ncu prints without --csv";
    for (const std::string& reason : words.reasons())
        why.append(". ").append(reason, 0, reason.size() - 1);
    return why;
}

} // namespace

Profile readProfile(ByteSource& bytes, const Reading& reading) {
    PeekSource source(bytes, reading);
    const std::string_view head = source.peek(headBytes);
    if (head.empty())
        throw InputError(fmt::format("{}: is empty{}, expected a profile: ncu --csv, nsys stats --format csv, or a "
                                     "PyTorch trace",
                                     reading.name, source.damage().empty() ? "" : " (" + source.damage() + ")"));
    if (const auto [what, wanted] = otherFile(head); !what.empty())
        throw InputError(fmt::format("{}: is {}, expected {}", reading.name, what, wanted));
    if (looksLikeJson(head)) {
        if (looksLikeNsysJson(head))
            throw InputError(fmt::format("{}: is the JSON of nsys stats, expected --format csv", reading.name));
        return readKinetoTrace(source, reading);
    }
    const std::string beginning(head);
    CsvReader reader(source, reading.name);
    ProfilerWords words;
    NsysRows tables(reader, words);
    bool isNcuPage = false, isNsysJson = false;
    int64_t lines = 0;
    const auto whole = [&](Profile profile) {
        if (const std::string damage = source.damage(); !damage.empty())
            profile.warnings.push_back(fmt::format("Only a part was read: {}.", damage));
        return profile;
    };
    std::string line;
    while (reader.nextLine(line)) {
        ++lines;
        const char delimiter = sniffDelimiter(line);
        if (const auto cells = splitLine(line, delimiter); isNcuHeader(cells)) {
            reader.setDelimiter(delimiter);
            return whole(readNcuCsv(reader, cells, words, reading));
        }
        if (tables.begins(line))
            return whole(readNsysStats(tables, words, reading));
        const std::string_view text = trimmed(line);
        isNcuPage = isNcuPage || (text.starts_with("Metric Name  ") && text.find("Metric Unit") != text.npos) ||
                    text.starts_with("Section: ");
        isNsysJson = isNsysJson || looksLikeNsysJson(text);
    }
    if (isNsysJson) // below what it prints of its work
        throw InputError(fmt::format("{}: is the JSON of nsys stats, expected --format csv", reading.name));
    if (!words.reasons().empty())
        throw InputError(
            fmt::format("{}: holds no table, expected ncu --csv, nsys stats --format csv or a PyTorch trace{}",
                        reading.name, whyNoTable(words, isNcuPage)));
    if (const std::string kind = foreignKindOf(beginning); !kind.empty())
        throw InputError(fmt::format("{}: is {}; expected ncu --csv, nsys stats --format csv or a PyTorch trace",
                                     reading.name, kind));
    throw InputError(fmt::format(
        "{}: none of its {} heads a known table, expected ncu --csv (\"ID\",...,\"Kernel Name\"), nsys stats "
        "--format csv (cuda_gpu_trace or cuda_gpu_kern_sum) or a PyTorch trace (.json){}",
        reading.name, counted(lines, "line"), whyNoTable(words, isNcuPage)));
}

Profile openProfile(const std::string& file, const std::atomic<bool>* cancel,
                    std::function<void(double fraction)> progress) {
    const auto source = openFile(file);
    return readProfile(*source, {file, cancel, std::move(progress)});
}

} // namespace warplight::profiles
