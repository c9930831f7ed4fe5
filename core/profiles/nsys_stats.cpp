// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/nsys_stats.h"

#include "core/error.h"
#include "core/profiles/gpu_numbers.h"
#include "core/profiles/local_number.h"
#include "core/profiles/name_parts.h"
#include "core/profiles/nsys_join.h"
#include "core/profiles/profiler_metrics.h"
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

constexpr double longest = 2305843009213693952.0; ///< ns, 2^61: sums of three fit
constexpr double mostLaunches = 1e15;

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
        : rows(r), words(w), reading(from), names(profile.names), columns({}) {
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
        columns = NsysColumns(rows.header());
        where = fmt::format("{}: the table in line {}", reading.name, rows.line());
        tableUnit.clear();
        factors.assign(columns.size(), std::nullopt);
        if (rows.kind() == NsysTable::Other) {
            others.insert(wordsOf(rows, columns));
            while (rows.next()) {
            }
            return;
        }
        NsysEntries& table = tables.emplace_back();
        table.kind = rows.kind();
        table.source = rows.source();
        point = {};
        if (rows.separatedBySemicolons()) { // as spreadsheets write where the comma is the decimal point
            point.add(LocalNumber::Says::CommaIsDecimal);
            rows.readAhead(100'000, [&](const std::vector<std::string>& cells) {
                for (const std::string& text : cells)
                    if (const auto value = localNumber(nsysCellOf(text).number))
                        point.add(value->says);
            });
        }
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

    const std::string& cell(int64_t column) const {
        static const std::string none;
        const auto& row = rows.row();
        return column < 0 || column >= static_cast<int64_t>(row.size()) ? none : row[static_cast<size_t>(column)];
    }
    /// What tells its own decimal point has it; "2,848" and "2.848" have that of the table.
    std::optional<double> number(std::string_view text) {
        const auto value = localNumber(text);
        if (!value)
            return {};
        return value->says == LocalNumber::Says::DotIsDecimal     ? value->dotDecimal
               : value->says == LocalNumber::Says::CommaIsDecimal ? value->commaDecimal
                                                                  : point.of(*value);
    }
    std::optional<int64_t> integer(std::string_view text) {
        if (const auto plain = plainInteger(text))
            return plain;
        const auto value = number(text); // with commas between thousands
        return value && std::fabs(*value) < mostLaunches ? std::optional(std::llround(*value)) : std::nullopt;
    }

    /// What one of the cell is in s or bytes: its own unit counts, then its column's, then the table's. Unset, and said
    /// in a warning, where none is told or it is of something else.
    std::optional<double> factorOf(int64_t column, std::string_view ofCell, Unit::Dimension dimension) {
        if (!ofCell.empty())
            return factorOfUnit(column, ofCell, dimension);
        auto& known = factors[static_cast<size_t>(column)]; // rows come by the million
        if (!known)
            known = factorOfUnit(column, {}, dimension);
        return *known;
    }
    std::optional<double> factorOfUnit(int64_t column, std::string_view ofCell, Unit::Dimension dimension) {
        std::string_view text = ofCell.empty() ? std::string_view(columns.unit(column)) : ofCell;
        if (text.empty() && dimension == Unit::Dimension::Time)
            text = tableUnit;
        if (text.empty())
            if (const auto titled = unitOf(rows.titleUnit()); titled && titled->dimension == dimension)
                text = rows.titleUnit();
        if (text.empty()) {
            withoutUnit.insert(columns.title(column));
            return {};
        }
        const auto unit = unitOf(text);
        if (unit && unit->dimension == dimension)
            return unit->factor;
        if (strangeUnits.size() < 4)
            strangeUnits.insert(fmt::format("{} in \"{}\"", columns.title(column), shortened(asUtf8(text), 40)));
        return {};
    }
    /// A time or duration in ns. Exact: times since the start of a session reach 2^53.
    std::optional<int64_t> time(int64_t column) {
        const NsysCell text = nsysCellOf(cell(column));
        if (column < 0 || text.number.empty())
            return {};
        const auto factor = factorOf(column, text.unit, Unit::Dimension::Time);
        if (!factor)
            return {};
        const bool plain = !point.isComma() || text.number.find('.') == text.number.npos;
        const auto exact =
            plain ? scaledInteger(text.number, static_cast<int>(std::lround(std::log10(*factor * 1e9)))) : std::nullopt;
        const auto value = exact ? std::optional(static_cast<double>(*exact)) : number(text.number);
        if (!value || std::fabs(exact ? *value : *value * *factor * 1e9) >= longest)
            return {};
        return exact ? *exact : std::llround(*value * *factor * 1e9);
    }
    std::optional<double> nanoseconds(int64_t column) {
        const NsysCell text = nsysCellOf(cell(column));
        const auto value = column < 0 ? std::nullopt : number(text.number);
        const auto factor = value ? factorOf(column, text.unit, Unit::Dimension::Time) : std::nullopt;
        return factor ? std::optional(*value * *factor * 1e9) : std::nullopt;
    }
    std::optional<double> bytes(int64_t column) {
        const NsysCell text = nsysCellOf(cell(column));
        const auto value = column < 0 ? std::nullopt : number(text.number);
        const auto factor = value ? factorOf(column, text.unit, Unit::Dimension::Bytes) : std::nullopt;
        if (!factor || *value < 0)
            return {};
        if (*factor > 1 && *value > 0 && text.unit.empty())
            roundedUnit = columns.unit(column);
        return *value * *factor;
    }
    /// The bytes of copies: 0.000 MB are some.
    double copied(int64_t column) {
        const double value = bytes(column).value_or(-1);
        if (value != 0)
            return value;
        if (const auto& factor = factors[static_cast<size_t>(column)]; !factor || !*factor || **factor <= 1)
            return 0; // whole bytes, or the cell has a unit of its own
        roundedUnit = columns.unit(column).empty() ? rows.titleUnit() : columns.unit(column);
        return -1;
    }
    /// What the last digit of a time stands for, in ns, where --timeunit took others away: "0.080" of seconds is whole
    /// milliseconds. 0 where none is lost, and of cells that have a unit of their own, which they chose to keep theirs.
    double lastDigit(int64_t column) {
        const NsysCell text = nsysCellOf(cell(column));
        if (column < 0 || text.number.empty() || !text.unit.empty())
            return 0;
        constexpr double oneAndMore = 1.5; // a factor of 1e-9 may not be exact
        const double unit = factorOf(column, {}, Unit::Dimension::Time).value_or(0) * 1e9;
        if (unit < oneAndMore)
            return 0;
        const size_t mark = text.number.rfind(point.isComma() ? ',' : '.');
        const size_t decimals = mark == text.number.npos ? 0 : text.number.size() - mark - 1;
        const double digit = unit * std::pow(10, -static_cast<double>(decimals));
        if (digit < oneAndMore)
            return 0;
        const std::string& ofTable = tableUnit.empty() ? rows.titleUnit() : tableUnit;
        roundedTimes = fmt::format("{} of {}", counted(static_cast<int64_t>(decimals), "decimal"),
                                   columns.unit(column).empty() ? ofTable : columns.unit(column));
        return digit;
    }
    /// A time that reads 0 and may be anything below half of its last digit is none.
    template <class Time>
    std::optional<Time> unlessVanished(int64_t column, std::optional<Time> value) {
        return lastDigit(column) > 0 && value == Time{0} ? std::nullopt : value;
    }
    /// Of a column that a table is worth nothing without.
    void demandTime(int64_t column) const {
        if (column < 0 || columns.unit(column).empty())
            return;
        const auto unit = unitOf(columns.unit(column));
        if (!unit || unit->dimension != Unit::Dimension::Time)
            throw InputError(fmt::format("{} has {} in \"{}\", expected a unit of time", where, columns.title(column),
                                         shortened(asUtf8(columns.unit(column)), 40)));
    }

    using CutAlike = std::tuple<uint32_t, Extent, Extent>; // name, grid, block
    /// The name of a kernel's sums. A table lists no kernel twice: names that are equal because they are cut stand for
    /// different ones.
    uint32_t nameOf(const std::string& text, const KernelTotals& totals, std::map<CutAlike, int>& before) {
        const uint32_t name = names.index(text);
        if (!isCut(text))
            return name;
        namesCut = true;
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
        demandTime(duration);
        const std::string recording =
            table.source.empty() ? fmt::format("recording {}", ++unnamed[table.kind]) : table.source;
        while (rows.next()) {
            if (!rows.fits() || !number(nsysCellOf(cell(duration)).number)) {
                leaveOut();
                continue;
            }
            KernelRecord record;
            record.name = names.index(cell(name));
            cutInOne = cutInOne || isCut(cell(name));
            record.kind = kindOf(cell(name));
            record.start = time(start).value_or(KernelRecord::unknown);
            const auto lasts = time(duration);
            if (lasts && *lasts < 0) {
                leaveOut();
                continue;
            }
            record.duration = unlessVanished(duration, lasts).value_or(KernelRecord::unknown);
            record.grid = extentOf(cell(gridText));
            record.block = extentOf(cell(blockText));
            for (size_t axis = 0; axis < 3; ++axis) {
                if (grid[axis] >= 0)
                    record.grid[axis] = extentFrom(integer(cell(grid[axis])).value_or(0));
                if (block[axis] >= 0)
                    record.block[axis] = extentFrom(integer(cell(block[axis])).value_or(0));
            }
            if (const auto count = integer(cell(registers)); count && *count >= 0 && *count < 1 << 20)
                record.registers = static_cast<int32_t>(*count);
            const auto a = bytes(fixed), b = bytes(dynamic);
            const bool whole = (a || fixed < 0) && (b || dynamic < 0) && (a || b);
            if (const double sum = a.value_or(0) + b.value_or(0); whole && sum < 1e15)
                record.sharedBytes = std::llround(sum);
            record.bytes = copied(size);
            takeDevice(record, cell(device), recording);
            record.stream = integer(cell(stream)).value_or(-1);
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
        demandTime(total);
        if (!sizes) // nsys prints all times of such a table in one unit
            for (const int64_t column : {total, mean, least, most, median})
                if (column >= 0 && tableUnit.empty())
                    tableUnit = columns.unit(column);
        std::map<CutAlike, int> cutAlike;
        while (rows.next()) {
            const auto launches = number(cell(count));
            if (!rows.fits() || !launches || *launches < 1 || *launches > mostLaunches) {
                leaveOut();
                continue;
            }
            KernelTotals totals;
            const std::string of = lowerCase(cell(category));
            const bool kernel = category < 0 ? table.kind == NsysTable::KernelSums || table.kind == NsysTable::ExecSums
                                             : of.find("kernel") != of.npos;
            if (category >= 0 && !kernel && of.find("mem") == of.npos) {
                others.insert("calls of the CPU");
                continue;
            }
            totals.kind = kernel                                           ? KernelRecord::Kind::Kernel
                          : kindOf(cell(name)) == KernelRecord::Kind::Fill ? KernelRecord::Kind::Fill
                                                                           : KernelRecord::Kind::Copy;
            totals.grid = extentOf(cell(grid));
            totals.block = extentOf(cell(block));
            if (table.kind == NsysTable::ExecSums) { // a row for each call that launches the kernel
                totals.name = names.index(cell(name));
                cutInOne = cutInOne || isCut(cell(name));
            } else {
                totals.name = nameOf(cell(name), totals, cutAlike);
            }
            totals.launches = std::llround(*launches);
            if (sizes) {
                totals.bytes = copied(size);
            } else {
                totals.mean = unlessVanished(mean, nanoseconds(mean));
                totals.median = unlessVanished(median, nanoseconds(median));
                totals.minimum = unlessVanished(least, nanoseconds(least));
                totals.maximum = unlessVanished(most, nanoseconds(most));
                totals.total = unlessVanished(total, time(total));
                if (!totals.total && totals.mean && *totals.mean * *launches < longest)
                    totals.total = std::llround(*totals.mean * *launches);
                if (totals.total && *totals.total < 0) {
                    leaveOut();
                    continue;
                }
                if (totals.total && (!totals.mean || lastDigit(total) / *launches < lastDigit(mean)))
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
        if (!withoutUnit.empty())
            warnings.push_back(fmt::format("{} {} no unit and {} not shown.", fmt::join(withoutUnit, ", "),
                                           withoutUnit.size() == 1 ? "has" : "have",
                                           withoutUnit.size() == 1 ? "is" : "are"));
        if (!strangeUnits.empty())
            warnings.push_back(
                fmt::format("Not shown, since the unit is not known: {}.", fmt::join(strangeUnits, ", ")));
        if (!roundedUnit.empty())
            warnings.push_back(fmt::format("Sizes in this file are rounded to three decimals of {}; --format "
                                           "csv:mem=B keeps them whole.",
                                           roundedUnit));
        if (namesCut || cutInOne)
            warnings.push_back(fmt::format("Names in this file are cut{}; --format csv keeps them whole.",
                                           cutInOne ? ", and kernels whose names are cut alike are counted as one"
                                           : cutNumbered
                                               ? ", and those of several kernels that are cut alike are numbered"
                                               : ""));
        if (!roundedTimes.empty())
            warnings.push_back(fmt::format("Times in this file are rounded to {}, and what reads 0 of them is not "
                                           "shown; without --timeunit they are whole nanoseconds.",
                                           roundedTimes));
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
    NsysColumns columns;
    DecimalPoint point;                                        ///< of the table
    std::vector<std::optional<std::optional<double>>> factors; ///< of the columns' units, once they were asked for
    std::vector<NsysEntries> tables;
    std::string where, tableUnit, lastDevice, roundedUnit, roundedTimes;
    std::set<std::string> others, withoutUnit, strangeUnits;
    GpuNumbers gpus;
    std::map<NsysTable, int> unnamed; ///< traces of a kind whose recording is not told: each is of one of its own
    int32_t lastIndex = 0;
    bool otherGpus = false;
    bool namesCut = false, cutNumbered = false; ///< in sums
    bool cutInOne = false;                      ///< where equal names may stand for different kernels
    int64_t strange = 0, firstStrange = 0;
};

} // namespace

Profile readNsysStats(NsysRows& rows, const ProfilerWords& words, const Reading& reading) {
    return Reader(rows, words, reading).read();
}

} // namespace warplight::profiles
