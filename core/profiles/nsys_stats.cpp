// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/nsys_stats.h"

#include "core/error.h"
#include "core/profiles/gpu_numbers.h"
#include "core/profiles/name_parts.h"
#include "core/profiles/nsys_join.h"
#include "core/profiles/nsys_numbers.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::profiles {
namespace {

/// What a table without kernels holds, in words.
std::string wordsOf(const NsysRows& rows, const NsysColumns& columns) {
    if (!rows.report().empty())
        return rows.report();
    const auto hasAny = [&](std::initializer_list<std::string_view> names) {
        return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return columns.has(name); });
    };
    if (hasAny({"range", "rangeid", "nvtx range", "projected start", "total proj time", "lvl"}))
        return "ranges";
    if (columns.size() > 0 && columns.title(static_cast<int64_t>(columns.size()) - 1).empty())
        return "a table whose last column has lost its title";
    if (hasAny({"source", "rank", "peerrank"}))
        return "calls of MPI";
    return hasAny({"result", "num calls", "calls"}) ? "calls of the CPU" : "events of the CPU";
}

KernelRecord::Kind kindOf(std::string_view name) {
    const bool operation = name.starts_with('[');
    const auto isCall = [&](std::string_view word) { // "Memcpy", "Memcpy HtoD"; not "MemcpyKernel"
        return name == word || (name.starts_with(word) && name[word.size()] == ' ');
    };
    if (isCall("Memcpy") || (operation && name.find("memcpy") != name.npos))
        return KernelRecord::Kind::Copy;
    if (isCall("Memset") || (operation && name.find("memset") != name.npos))
        return KernelRecord::Kind::Fill;
    return KernelRecord::Kind::Kernel;
}

/// "  32    1    1"
Extent extentOf(std::string_view text) {
    Extent extent{};
    size_t axis = 0;
    while (!text.empty() && axis < 3) {
        const size_t from = text.find_first_of("0123456789");
        if (from == text.npos)
            break;
        text.remove_prefix(from);
        const size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
        extent[axis++] = extentFrom(plainInteger(text.substr(0, length)).value_or(0));
        text.remove_prefix(length);
    }
    return axis == 3 ? extent : Extent{};
}

class Reader {
  public:
    Reader(NsysRows& r, const ProfilerWords& w, const Reading& from)
        : rows(r), words(w), reading(from), names(profile.names), numbers(r) {
        profile.tool = "Nsight Systems";
        profile.source = from.name;
    }

    Profile read() {
        do
            readTable();
        while (rows.nextTable());
        joinTables(std::move(tables), profile);
        gpus.resolve(profile);
        if (profile.records.empty() && profile.totals.empty())
            refuse();
        warn();
        return std::move(profile);
    }

  private:
    void readTable() {
        numbers.begin(fmt::format("{}: the table in line {}", reading.name, rows.line()));
        if (rows.kind() == NsysTable::Other) {
            others.insert(wordsOf(rows, columns));
            while (rows.next()) {
            }
            return;
        }
        NsysEntries& table = tables.emplace_back();
        table.kind = rows.kind();
        table.source = rows.source();
        switch (rows.kind()) {
        case NsysTable::GpuTrace:
            return readTrace(table, {"start", "duration", "name"});
        case NsysTable::ExecTrace:
            return readTrace(table, {"kernel start", "kernel dur", "kernel name"});
        case NsysTable::KernelSums:
            return readSums(table, {"instances", "total time", "avg", "med", "min", "max", "name"});
        case NsysTable::ExecSums:
            return readSums(table, {"count", "", "kavg", "kmed", "kmin", "kmax", "kernel name"});
        case NsysTable::CategorySums:
            return readSums(table, {"instances", "total time", "avg", "med", "min", "max", "operation"});
        case NsysTable::CopyTimes:
        case NsysTable::CopySizes:
            return readSums(table, {columns.has("count") ? "count" : "operations", "total time", "avg", "med", "min",
                                    "max", columns.has("operation") ? "operation" : "name"});
        default:
            break;
        }
    }

    using CutAlike = std::tuple<uint32_t, Extent, Extent>; // name, grid, block
    /// The name of a kernel's sums. A table lists no kernel twice: names that are equal because they are cut stand for
    /// different ones.
    uint32_t nameOf(const std::string& text, const KernelTotals& totals, const NsysEntries& table,
                    std::map<CutAlike, int>& before) {
        const uint32_t name = names.index(text);
        if (!isCut(text))
            return name;
        namesCut = true;
        // Of two recordings nobody can tell which of their names are the same.
        const std::string of = table.source.empty() ? fmt::format("table {}", tables.size()) : table.source;
        cutInOne = cutInOne || cutIn.try_emplace(table.kind, of).first->second != of;
        const int number = ++before[{name, totals.grid, totals.block}];
        if (number == 1)
            return name;
        cutNumbered = true;
        return names.index(fmt::format("{} ({})", text, number));
    }

    void leaveOut() {
        if (strange++ == 0)
            firstStrange = rows.line();
    }

    struct TraceColumns {
        std::string_view start, duration, name;
    };
    void readTrace(NsysEntries& table, const TraceColumns& named) {
        const int64_t start = columns.find(named.start), duration = columns.find(named.duration),
                      name = columns.find(named.name);
        const int64_t grid[] = {columns.find("grdx"), columns.find("grdy"), columns.find("grdz")};
        const int64_t block[] = {columns.find("blkx"), columns.find("blky"), columns.find("blkz")};
        const int64_t gridText = columns.find("gridxyz"), blockText = columns.find("blockxyz"),
                      registers = columns.find("reg/trd"), fixed = columns.find("stcsmem"),
                      dynamic = columns.find("dymsmem"), size = columns.find("bytes"),
                      stream = columns.has("strm") ? columns.find("strm") : columns.find("stream"),
                      device = columns.has("device")  ? columns.find("device")
                               : columns.has("devid") ? columns.find("devid")
                                                      : columns.find("gpu"); // of the window's list of events
        numbers.demandTime(duration);
        const std::string recording =
            table.source.empty() ? fmt::format("recording {}", ++unnamed[table.kind]) : table.source;
        while (rows.next()) {
            if (!rows.fits() || !numbers.number(nsysCellOf(numbers.cell(duration)).number)) {
                leaveOut();
                continue;
            }
            KernelRecord record;
            record.name = names.index(numbers.cell(name));
            cutInOne = cutInOne || isCut(numbers.cell(name));
            record.kind = kindOf(numbers.cell(name));
            record.start = numbers.time(start).value_or(KernelRecord::unknown);
            const auto lasts = numbers.time(duration);
            if (lasts && *lasts < 0) {
                leaveOut();
                continue;
            }
            record.duration = numbers.unlessVanished(duration, lasts).value_or(KernelRecord::unknown);
            record.grid = extentOf(numbers.cell(gridText));
            record.block = extentOf(numbers.cell(blockText));
            for (size_t axis = 0; axis < 3; ++axis) {
                if (grid[axis] >= 0)
                    record.grid[axis] = extentFrom(numbers.integer(numbers.cell(grid[axis])).value_or(0));
                if (block[axis] >= 0)
                    record.block[axis] = extentFrom(numbers.integer(numbers.cell(block[axis])).value_or(0));
            }
            if (const auto count = numbers.integer(numbers.cell(registers)); count && *count >= 0 && *count < 1 << 20)
                record.registers = static_cast<int32_t>(*count);
            const auto a = numbers.bytes(fixed), b = numbers.bytes(dynamic);
            const bool whole = (a || fixed < 0) && (b || dynamic < 0) && (a || b);
            if (const double sum = a.value_or(0) + b.value_or(0); whole && sum < 1e15)
                record.sharedBytes = std::llround(sum);
            record.bytes = numbers.copied(size);
            takeDevice(record, numbers.cell(device), recording);
            record.stream = numbers.integer(numbers.cell(stream)).value_or(-1);
            table.records.push_back(record);
        }
    }

    /// "NVIDIA A100-SXM4-80GB (0)" names a device and numbers it; "0" only numbers it.
    void takeDevice(KernelRecord& record, const std::string& text, const std::string& recording) {
        if (text != lastDevice) {
            lastDevice = text;
            lastIndex = 0;
            const size_t open = text.rfind(" (");
            const bool numbered = open != text.npos && text.ends_with(')');
            const auto index =
                plainInteger(numbered ? std::string_view(text).substr(open + 2, text.size() - open - 3) : text);
            std::string gpu = index ? text.substr(0, numbered ? open : 0) : text;
            if (index && *index >= 0 && *index < 4096)
                lastIndex = static_cast<int32_t>(*index);
            gpu = asUtf8(gpu);
            if (profile.gpu.empty())
                profile.gpu = gpu;
            otherGpus = otherGpus || (profile.gpu != gpu && !gpu.empty());
        }
        record.device = gpus.standIn(recording, lastIndex);
    }

    struct SumColumns {
        std::string_view count, total, mean, median, least, most, name;
    };
    void readSums(NsysEntries& table, const SumColumns& named) {
        const int64_t count = columns.find(named.count), total = named.total.empty() ? -1 : columns.find(named.total),
                      mean = columns.find(named.mean), median = columns.find(named.median),
                      least = columns.find(named.least), most = columns.find(named.most),
                      name = columns.find(named.name), category = columns.find("category"),
                      grid = columns.find("gridxyz"), block = columns.find("blockxyz");
        const bool sizes = table.kind == NsysTable::CopySizes;
        table.byShape = grid >= 0;
        const int64_t size = sizes ? columns.find("total") : -1;
        numbers.demandTime(total);
        if (!sizes) // nsys prints all times of such a table in one unit
            numbers.shareUnit({total, mean, least, most, median});
        std::map<CutAlike, int> cutAlike;
        while (rows.next()) {
            const auto launches = numbers.number(numbers.cell(count));
            if (!rows.fits() || !launches || *launches < 1 || *launches > mostLaunches) {
                leaveOut();
                continue;
            }
            KernelTotals totals;
            const std::string of = lowerCase(numbers.cell(category));
            const bool kernel = category < 0 ? table.kind == NsysTable::KernelSums || table.kind == NsysTable::ExecSums
                                             : of.find("kernel") != of.npos;
            if (category >= 0 && !kernel && of.find("mem") == of.npos) {
                others.insert("calls of the CPU");
                continue;
            }
            totals.kind = kernel                                                   ? KernelRecord::Kind::Kernel
                          : kindOf(numbers.cell(name)) == KernelRecord::Kind::Fill ? KernelRecord::Kind::Fill
                                                                                   : KernelRecord::Kind::Copy;
            totals.grid = extentOf(numbers.cell(grid));
            totals.block = extentOf(numbers.cell(block));
            if (table.kind == NsysTable::ExecSums) { // a row for each call that launches the kernel
                totals.name = names.index(numbers.cell(name));
                cutInOne = cutInOne || isCut(numbers.cell(name));
            } else {
                totals.name = nameOf(numbers.cell(name), totals, table, cutAlike);
            }
            totals.launches = std::llround(*launches);
            if (sizes) {
                totals.bytes = numbers.copied(size);
            } else {
                totals.mean = numbers.unlessVanished(mean, numbers.nanoseconds(mean));
                totals.median = numbers.unlessVanished(median, numbers.nanoseconds(median));
                totals.minimum = numbers.unlessVanished(least, numbers.nanoseconds(least));
                totals.maximum = numbers.unlessVanished(most, numbers.nanoseconds(most));
                totals.total = numbers.unlessVanished(total, numbers.time(total));
                if (!totals.total && totals.mean && *totals.mean * *launches < longestNanoseconds)
                    totals.total = std::llround(*totals.mean * *launches);
                if (totals.total && *totals.total < 0) {
                    leaveOut();
                    continue;
                }
                if (totals.total && (!totals.mean || numbers.lastDigit(total) / *launches < numbers.lastDigit(mean)))
                    totals.mean = static_cast<double>(*totals.total) / *launches;
            }
            table.totals.push_back(totals);
        }
    }

    [[noreturn]] void refuse() const {
        std::string why = others.empty() ? "" : fmt::format(" but {}", fmt::join(others, ", "));
        if (strange)
            why += fmt::format(" ({} did not fit, the first is line {})", counted(strange, "row"), firstStrange);
        std::string said = rows.cutOff().empty() ? "" : ". " + rows.cutOff().substr(0, rows.cutOff().size() - 1);
        for (const std::string& sentence : words.reasons())
            said.append(". ").append(sentence, 0, sentence.size() - 1);
        throw InputError(fmt::format("{}: holds no GPU kernel{}, expected cuda_gpu_trace or cuda_gpu_kern_sum of nsys "
                                     "stats --format csv{}",
                                     reading.name, why, said));
    }

    void warn() {
        auto& warnings = profile.warnings;
        for (const std::string& error : words.errors())
            warnings.push_back(error);
        if (!others.empty())
            warnings.push_back(fmt::format("Left out, since no GPU kernel is in them: {}.", fmt::join(others, ", ")));
        numbers.warn(warnings);
        if (!numbers.roundedSizes().empty())
            warnings.push_back(fmt::format("Sizes in this file are rounded to three decimals of {}; --format "
                                           "csv:mem=B keeps them whole.",
                                           numbers.roundedSizes()));
        if (namesCut || cutInOne)
            warnings.push_back(fmt::format("Names in this file are cut{}; --format csv keeps them whole.",
                                           cutInOne ? ", and kernels whose names are cut alike may be counted as one"
                                           : cutNumbered
                                               ? ", and those of several kernels that are cut alike are numbered"
                                               : ""));
        if (!numbers.roundedTimes().empty())
            warnings.push_back(fmt::format("Times in this file are rounded to {}, and what reads 0 of them is not "
                                           "shown; without --timeunit they are whole nanoseconds.",
                                           numbers.roundedTimes()));
        if (strange)
            warnings.push_back(fmt::format(
                "{} left out, the first is line {}.",
                counted(strange, "line does not fit the table and is", "lines do not fit the table and are"),
                firstStrange));
        if (!rows.cutOff().empty())
            warnings.push_back(rows.cutOff());
        if (otherGpus)
            warnings.push_back("The file holds several kinds of GPU; the first is named.");
    }

    NsysRows& rows;
    const ProfilerWords& words;
    const Reading& reading;
    Profile profile;
    Names names;
    NsysNumbers numbers;
    const NsysColumns& columns = numbers.columns();
    std::vector<NsysEntries> tables;
    std::string lastDevice;
    std::set<std::string> others;
    GpuNumbers gpus;
    std::map<NsysTable, int> unnamed; ///< traces of a kind whose recording is not told: each is of one of its own
    int32_t lastIndex = 0;
    bool otherGpus = false;
    std::map<NsysTable, std::string> cutIn;     ///< the first recording or table of a kind with such names
    bool namesCut = false, cutNumbered = false; ///< in sums
    bool cutInOne = false;                      ///< where equal names may stand for different kernels
    int64_t strange = 0, firstStrange = 0;
};

} // namespace

Profile readNsysStats(NsysRows& rows, const ProfilerWords& words, const Reading& reading) {
    return Reader(rows, words, reading).read();
}

} // namespace warplight::profiles
