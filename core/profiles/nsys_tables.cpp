// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/nsys_tables.h"

#include "core/profiles/text.h"
#include "core/text/echo.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace warplight::profiles {
namespace {

/// Words of other versions for the same column.
std::string todaysName(std::string name) {
    constexpr std::pair<std::string_view, std::string_view> others[] = {{"average", "avg"}, {"mean", "avg"},
                                                                        {"median", "med"},  {"minimum", "min"},
                                                                        {"maximum", "max"}, {"thru", "throughput"}};
    for (const auto& [other, today] : others)
        if (name == other)
            return std::string(today);
    return name;
}

/// Whether this report tells nothing of kernels, by its name; before 2022 names had no underscores.
bool isOfOthers(std::string_view report) {
    for (const std::string_view subject : {"cuda_api_sum", "cuda_api_trace", "cudaapi", "nvtx", "mpi", "osrt", "openmp",
                                           "openacc", "opengl", "vulkan", "dx1", "wddm", "nvvideo", "syscall", "um"})
        if (report.starts_with(subject))
            return true;
    return false;
}

/// A row of a kernel tells where and how it ran, a call of the CPU who called and how it ended.
bool isGpuTrace(const NsysColumns& columns, const std::vector<std::string>& header) {
    const auto hasAny = [&](std::initializer_list<std::string_view> names) {
        return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return columns.has(name); });
    };
    if (hasAny({"result", "t-pri", "thread name", "event", "event class", "lvl", "rangeid", "tag", "rank"}))
        return false;
    if (hasAny({"grdx", "grdy", "grdz", "blkx", "blky", "blkz", "reg/trd", "stcsmem", "dymsmem", "srcmemkd", "dstmemkd",
                "strm", "stream", "device"}))
        return true;
    // Cut to a few columns, it still has a CorrId; calls have a CorrID.
    return !hasAny({"pid", "tid"}) &&
           std::any_of(header.begin(), header.end(), [](const std::string& text) { return trimmed(text) == "CorrId"; });
}

bool isIndex(std::string_view name) { return name.empty() || name == "#" || name.starts_with("unnamed:"); }

} // namespace

NsysColumns::NsysColumns(const std::vector<std::string>& header) {
    for (const std::string& text : header) {
        const std::string_view cell = trimmed(text);
        size_t open = cell.rfind('(');
        if (open == cell.npos || !cell.ends_with(')'))
            open = cell.size();
        Column column;
        column.title = asUtf8(trimmed(cell.substr(0, open)));
        column.name = todaysName(lowerCase(column.title));
        if (open < cell.size())
            column.unit = cell.substr(open + 1, cell.size() - open - 2);
        columns.push_back(std::move(column));
    }
}

int64_t NsysColumns::find(std::string_view name) const {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
    return found == columns.end() ? -1 : found - columns.begin();
}

bool NsysColumns::only(std::initializer_list<std::string_view> names) const {
    return std::all_of(columns.begin(), columns.end(), [&](const Column& c) {
        return isIndex(c.name) || std::find(names.begin(), names.end(), c.name) != names.end();
    });
}

NsysTable nsysTableOf(const std::vector<std::string>& cells, std::string_view report) {
    // Rows of tables come here by the million, and lines of any text.
    const auto isNoName = [](const std::string& cell) {
        return (!cell.empty() && cell[0] >= '0' && cell[0] <= '9') || cell.find_first_of("\"={}") != std::string::npos;
    };
    if (cells.size() < 3 || std::any_of(cells.begin(), cells.end(), isNoName))
        return NsysTable::None;
    const NsysColumns columns(cells);
    const auto has = [&](std::string_view name) { return columns.has(name); };
    const bool counts = has("instances") || has("count") || has("operations") || has("num calls") || has("calls");
    const bool sums = counts && (has("total time") || has("avg"));
    const bool trace = has("start") && has("duration");
    const bool projected = has("projected start") || has("total proj time");
    const bool exec = has("kernel name") && (has("kernel start") || has("kavg"));
    // Before 2021, copies and fills had their operation under "Name" and were told by the title "Operations".
    const bool copies = has("operation") || (has("operations") && has("name"));
    const bool memory = copies && has("total") && counts;
    if (!sums && !trace && !projected && !exec && !memory && !(has("kern inst") && has("kernel name")) &&
        !has("virtual address"))
        return NsysTable::None;
    if (isOfOthers(report))
        return NsysTable::Other;
    if (exec && has("kernel start") && has("kernel dur"))
        return NsysTable::ExecTrace;
    if (exec && has("count"))
        return NsysTable::ExecSums;
    if (trace && has("name") && isGpuTrace(columns, cells))
        return NsysTable::GpuTrace;
    if (sums && has("category") && has("operation"))
        return NsysTable::CategorySums;
    if (sums && has("name") && has("instances") &&
        columns.only(
            {"time", "total time", "instances", "avg", "med", "min", "max", "stddev", "gridxyz", "blockxyz", "name"}))
        return NsysTable::KernelSums;
    if (memory && !has("total time"))
        return NsysTable::CopySizes;
    if (sums && copies && (has("count") || has("operations")))
        return NsysTable::CopyTimes;
    return NsysTable::Other;
}

std::string reportNamed(std::string_view line) {
    line = trimmed(line);
    std::string_view name;
    if (line.starts_with("** ") && line.ends_with("):")) {
        name = line.substr(line.rfind('(') + 1);
    } else if (const size_t with = line.find("] with ["); line.starts_with("Processing [") && with != line.npos) {
        name = line.substr(with + 8);
        name = name.substr(0, name.find(']'));
        name = name.substr(name.find_last_of("/\\") + 1); // npos + 1 is the beginning
    } else if (line.starts_with("Running [")) {           // before 2022
        name = line.substr(9, line.find(".py") == line.npos ? 0 : line.find(".py") - 9);
        name = name.substr(name.find_last_of("/\\") + 1);
    } else if (const size_t mark = line.find("REPORT:"); mark != line.npos) {
        name = trimmed(line.substr(mark + 7));
    }
    name = name.substr(0, name.find_first_of(" =.:)"));
    const bool plain = std::all_of(name.begin(), name.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    return plain ? std::string(name) : std::string();
}

NsysCell nsysCellOf(std::string_view text) {
    text = trimmed(text);
    const size_t digit = text.find_last_of("0123456789");
    if (digit == text.npos)
        return {text, {}};
    return {text.substr(0, digit + 1), trimmed(text.substr(digit + 1))};
}

} // namespace warplight::profiles
