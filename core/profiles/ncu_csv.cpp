// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/ncu_csv.h"

#include "core/error.h"
#include "core/profiles/local_number.h"
#include "core/profiles/ncu_values.h"
#include "core/profiles/profiler_metrics.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace warplight::profiles {
namespace {

int64_t columnOf(const std::vector<std::string>& header, std::string_view name) {
    const auto found = std::find(header.begin(), header.end(), name);
    return found == header.end() ? -1 : found - header.begin();
}

/// "(128, 1, 1)" or "128, 1, 1"; zeros for anything else.
Extent extentOf(std::string_view text) {
    Extent extent{};
    size_t axis = 0;
    bool digits = false;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            extent[axis] = extentFrom(int64_t{extent[axis]} * 10 + (c - '0'));
            digits = true;
        } else if (c == ',' && digits && axis < 2) {
            ++axis;
            digits = false;
        } else if (c != ' ' && c != '(' && c != ')' && c != 'x') {
            return {};
        }
    }
    return axis == 2 ? extent : Extent{};
}

/// "7", or "7.0" as pandas writes it.
std::optional<int64_t> wholeNumber(std::string_view text) {
    if (const auto whole = plainInteger(text))
        return whole;
    const auto number = plainNumber(text);
    return number && std::fabs(*number) < 1e15 && *number == std::floor(*number)
               ? std::optional(static_cast<int64_t>(*number))
               : std::nullopt;
}

/// "gpu__time_duration.sum [nsecond]" or "... (nsecond)" is a name and a unit, as the window's export writes it.
std::pair<std::string, std::string> nameAndUnit(const std::string& title) {
    for (const auto& [open, close] : {std::pair(" [", ']'), std::pair(" (", ')')})
        if (const size_t at = title.rfind(open);
            at != std::string::npos && title.ends_with(close) && title.find("__") != std::string::npos)
            return {title.substr(0, at), title.substr(at + 2, title.size() - at - 3)};
    return {title, ""};
}

class Reader {
  public:
    Reader(CsvReader& csv, const std::vector<std::string>& cells, ProfilerWords& w, const Reading& r)
        : reader(csv), header(cells), words(w), reading(r), names(profile.names) {
        profile.tool = "Nsight Compute";
        profile.source = r.name;
    }

    Profile read() {
        readTable();
        while (!nextHeader.empty()) { // files of several runs, one after the other: they count from 0 again
            header = std::exchange(nextHeader, {});
            ++runs;
            try {
                readTable();
            } catch (const InputError& error) {
                if (profile.records.empty() && profile.totals.empty())
                    throw;
                profile.warnings.push_back(fmt::format("A table is left out. {}.", error.what()));
                while (nextRow()) {
                }
            }
        }
        if (profile.records.empty() && profile.totals.empty())
            refuse();
        resolve();
        return std::move(profile);
    }

  private:
    /// Of the header, up to the next one or the end of the file. Each run has its own metrics, in its own units.
    void readTable() {
        idColumn = columnOf(header, "ID");
        nameColumn = columnOf(header, "Kernel Name");
        if (nameColumn < 0 && idColumn < 0)
            throw InputError(fmt::format("{}: line {} heads sums over all kernels of a GPU or an NVTX range "
                                         "(--print-summary), expected --print-summary per-kernel, or none",
                                         reading.name, reader.line()));
        if (nameColumn < 0)
            nameColumn = columnOf(header, "Function Name"); // of the window's export
        if (nameColumn < 0)
            nameColumn = need("Kernel Name");
        streamColumn = columnOf(header, "Stream");
        blockColumn = columnOf(header, "Block Size");
        gridColumn = columnOf(header, "Grid Size");
        deviceColumn = columnOf(header, "Device");
        capabilityColumn = columnOf(header, "CC");
        processColumn = columnOf(header, "Process ID");
        if (idColumn < 0)
            readSummary();
        else
            columnOf(header, "Metric Name") >= 0 ? readTall() : readWide();
    }

    int64_t need(std::string_view name) const {
        const int64_t column = columnOf(header, name);
        if (column < 0)
            throw InputError(fmt::format("{}: line {} has no column \"{}\", expected a table of ncu --csv",
                                         reading.name, reader.line(), name));
        return column;
    }

    [[noreturn]] void refuse() const {
        std::string said = reader.cutOff().empty() ? "" : ". " + reader.cutOff().substr(0, reader.cutOff().size() - 1);
        for (const std::string& sentence : words.reasons())
            said.append(". ").append(sentence, 0, sentence.size() - 1);
        throw InputError(fmt::format("{}: holds no GPU kernel: no launch stands in its table, expected rows of ncu "
                                     "--csv{}{}",
                                     reading.name, strange ? fmt::format(" as line {} is none", firstStrange) : "",
                                     said));
    }

    const std::string& cell(int64_t column) const {
        static const std::string none;
        return column < 0 || column >= static_cast<int64_t>(row.size()) ? none : row[static_cast<size_t>(column)];
    }

    /// The next row of the table; lines that the profiler or the program print between rows are passed over.
    bool nextRow() {
        while (reader.nextRow(row)) {
            if (row.size() == 1 && row[0].empty())
                continue;
            if (row[0].starts_with("==")) {
                words.hear(fmt::format("{}", fmt::join(row, ",")));
                continue;
            }
            if (isNcuHeader(row)) {
                nextHeader = row;
                return false;
            }
            while (row.size() > header.size() && row.back().empty())
                row.pop_back();
            if (static_cast<int64_t>(row.size()) <= nameColumn || row.size() + 8 < header.size() ||
                row.size() > header.size()) {
                leaveOut();
                continue;
            }
            return true;
        }
        return false;
    }

    void leaveOut() {
        if (strange++ == 0)
            firstStrange = reader.line();
    }

    KernelRecord launch() {
        KernelRecord record;
        record.name = names.index(cell(nameColumn));
        record.stream = wholeNumber(cell(streamColumn)).value_or(-1);
        record.block = extentOf(cell(blockColumn));
        record.grid = extentOf(cell(gridColumn));
        const int64_t device = wholeNumber(cell(deviceColumn)).value_or(0);
        record.device = device >= 0 && device < 4096 ? static_cast<int32_t>(device) : 0;
        if (capability.empty())
            capability = cell(capabilityColumn);
        return record;
    }

    void take(size_t launchIndex, const MetricName& metric, std::string_view unit, const std::string& text,
              NcuValues::Of of = NcuValues::Of::Launch) {
        values.take(launchIndex, metric, unit, text, of, reader.line());
    }

    /// Which launch, or sum of launches, this row belongs to; rows of one may stand anywhere.
    size_t placeOf(std::string key, size_t next) {
        if (key != lastKey) {
            lastPlace = places.try_emplace(key, next).first->second;
            lastKey = std::move(key);
        }
        return lastPlace;
    }

    void readTall() {
        const int64_t metricColumn = need("Metric Name"), unitColumn = need("Metric Unit"),
                      valueColumn = need("Metric Value");
        while (nextRow()) {
            if (cell(idColumn).empty()) {
                leaveOut();
                continue;
            }
            const size_t place =
                placeOf(fmt::format("{}/{}/{}/{}", runs, cell(processColumn), cell(idColumn), cell(nameColumn)),
                        profile.records.size());
            if (place == profile.records.size())
                profile.records.push_back(launch());
            if (const auto metric = metricOf(cell(metricColumn), cell(unitColumn)))
                take(place, *metric, cell(unitColumn), cell(valueColumn));
        }
    }

    /// --print-summary per-kernel: least, most and mean of a metric over launches of one shape.
    void readSummary() {
        const int64_t metricColumn = need("Metric Name"), unitColumn = need("Metric Unit"),
                      meanColumn = need("Average"), countColumn = need("Invocations"),
                      leastColumn = columnOf(header, "Minimum"), mostColumn = columnOf(header, "Maximum"),
                      sectionColumn = columnOf(header, "Section Name");
        const int64_t own = sectionColumn < 0 ? metricColumn : std::min(sectionColumn, metricColumn);
        while (nextRow()) {
            const auto count = localNumber(cell(countColumn));
            if (!count || count->dotDecimal < 1 || count->dotDecimal > 1e12) {
                leaveOut();
                continue;
            }
            std::string key = fmt::format("{}", runs);
            for (int64_t column = 0; column < own; ++column)
                if (header[static_cast<size_t>(column)].empty() || column >= static_cast<int64_t>(row.size()))
                    continue; // an index of the row
                else
                    key += '/' + cell(column);
            const size_t place = placeOf(std::move(key), profile.totals.size());
            if (place == profile.totals.size()) {
                const KernelRecord first = launch();
                KernelTotals totals;
                totals.name = first.name;
                totals.grid = first.grid;
                totals.block = first.block;
                totals.launches = std::llround(count->dotDecimal);
                profile.totals.push_back(totals);
            }
            const auto metric = metricOf(cell(metricColumn), cell(unitColumn));
            if (!metric)
                continue;
            take(place, *metric, cell(unitColumn), cell(meanColumn), NcuValues::Of::Mean);
            if (metric->metric == Metric::Duration) {
                take(place, *metric, cell(unitColumn), cell(leastColumn), NcuValues::Of::Least);
                take(place, *metric, cell(unitColumn), cell(mostColumn), NcuValues::Of::Most);
            }
        }
    }

    /// Whether the row tells the columns' units instead of a launch. Right under the header they may be anything.
    bool isUnits(bool first) const {
        if (!cell(idColumn).empty() || !cell(nameColumn).empty())
            return false;
        if (first)
            return true;
        bool any = false;
        for (auto column = idColumn; column < static_cast<int64_t>(row.size()); ++column) {
            any = any || !cell(column).empty();
            if (localNumber(cell(column)))
                return false;
        }
        return any;
    }

    void readWide() {
        std::vector<std::string> units(header.size()), titles;
        bool told = false;
        for (size_t i = 0; i < header.size(); ++i) {
            auto [title, unit] = nameAndUnit(header[i]);
            told = told || !unit.empty();
            titles.push_back(std::move(title));
            units[i] = std::move(unit);
        }
        std::vector<std::pair<int64_t, MetricName>> columns;
        const auto readUnits = [&] {
            columns.clear();
            for (size_t i = 0; i < header.size(); ++i)
                if (const auto metric = metricOf(titles[i], units[i]))
                    columns.emplace_back(static_cast<int64_t>(i), *metric);
        };
        readUnits();
        const int64_t gpuColumn = columnOf(header, "device__attribute_display_name");
        for (bool first = true; nextRow(); first = false) {
            if (isUnits(first)) { // also of a later run, where other tools put tables together under one header
                std::copy_n(row.begin(), std::min(row.size(), units.size()), units.begin());
                readUnits();
                told = true;
                continue;
            }
            if (cell(idColumn).empty()) {
                leaveOut();
                continue;
            }
            withoutUnits = withoutUnits || !told;
            if (profile.gpu.empty())
                profile.gpu = asUtf8(cell(gpuColumn));
            profile.records.push_back(launch());
            for (const auto& [column, metric] : columns)
                take(profile.records.size() - 1, metric, units[static_cast<size_t>(column)], cell(column));
        }
    }

    static std::optional<double> nanoseconds(const LaunchMetrics& metrics) {
        constexpr double longest = 2e9; // seconds: an int64 holds the ns of several
        const auto seconds = metrics.seconds();
        return seconds && *seconds >= 0 && *seconds < longest ? std::optional(*seconds * 1e9) : std::nullopt;
    }
    int32_t keep(const Figures& figures, int64_t launches) {
        if (figures == Figures())
            return -1;
        uncountedTensor += figures.uncountedTensor() ? launches : 0;
        profile.figures.push_back(figures);
        return static_cast<int32_t>(profile.figures.size()) - 1;
    }

    void resolve() {
        const auto metrics = values.resolve(profile.records.size(), NcuValues::Of::Launch),
                   means = values.resolve(profile.totals.size(), NcuValues::Of::Mean),
                   least = values.resolve(profile.totals.size(), NcuValues::Of::Least),
                   most = values.resolve(profile.totals.size(), NcuValues::Of::Most);
        int64_t untimed = 0, all = static_cast<int64_t>(profile.records.size());
        for (size_t i = 0; i < profile.records.size(); ++i) {
            KernelRecord& record = profile.records[i];
            if (const auto time = nanoseconds(metrics[i]))
                record.duration = std::llround(*time);
            else
                ++untimed;
            if (const auto registers = metrics[i].registers(); registers && *registers >= 0 && *registers < 1e6)
                record.registers = static_cast<int32_t>(*registers);
            if (const auto shared = metrics[i].sharedBytes(); shared && *shared >= 0 && *shared < 1e12)
                record.sharedBytes = std::llround(*shared);
            record.figures = keep(metrics[i].figures(), 1);
        }
        for (size_t i = 0; i < profile.totals.size(); ++i) {
            KernelTotals& totals = profile.totals[i];
            all += totals.launches;
            totals.mean = nanoseconds(means[i]);
            totals.minimum = nanoseconds(least[i]);
            totals.maximum = nanoseconds(most[i]);
            if (const double sum = totals.mean.value_or(0) * static_cast<double>(totals.launches);
                totals.mean && sum < 2e18)
                totals.total = std::llround(sum);
            else
                untimed += totals.launches;
            totals.figures = keep(means[i].figures(), totals.launches);
        }
        if (profile.gpu.empty() && !capability.empty())
            profile.gpu = "compute capability " + asUtf8(capability);
        warn(untimed, all);
    }

    void warn(int64_t untimed, int64_t all) {
        auto& warnings = profile.warnings;
        for (const std::string& error : words.errors())
            warnings.push_back(error);
        if (!profile.totals.empty())
            warnings.push_back("Sums over launches (--print-summary): without that option, single launches are shown.");
        if (withoutUnits)
            warnings.push_back("The table has no row of units: times are taken as nanoseconds and sizes as bytes, as "
                               "--print-units base prints them.");
        if (untimed)
            warnings.push_back(fmt::format("{} of {} have no duration: collect gpu__time_duration.sum.", untimed,
                                           counted(all, "launch", "launches")));
        if (uncountedTensor)
            warnings.push_back(fmt::format("Rates leave out {}, whose tensor core instructions are not counted in "
                                           "FLOPs: collect sm__ops_path_tensor_src_*.sum.",
                                           counted(uncountedTensor, "launch", "launches")));
        values.warn(warnings);
        if (!reader.cutOff().empty())
            warnings.push_back(reader.cutOff());
        if (strange)
            warnings.push_back(fmt::format(
                "{} left out, the first is line {}.",
                counted(strange, "line does not fit the table and is", "lines do not fit the table and are"),
                firstStrange));
    }

    CsvReader& reader;
    std::vector<std::string> header, nextHeader;
    ProfilerWords& words;
    const Reading& reading;
    Profile profile;
    Names names;
    std::vector<std::string> row;
    NcuValues values;
    std::string capability;
    std::unordered_map<std::string, size_t> places;
    std::string lastKey;
    size_t lastPlace = 0;
    bool withoutUnits = false;
    int64_t strange = 0, firstStrange = 0, runs = 0, uncountedTensor = 0;
    int64_t idColumn = -1, nameColumn = -1, streamColumn = -1, blockColumn = -1, gridColumn = -1, deviceColumn = -1,
            capabilityColumn = -1, processColumn = -1;
};

} // namespace

bool isNcuHeader(const std::vector<std::string>& cells) {
    const auto has = [&](std::string_view name) { return columnOf(cells, name) >= 0; };
    if (cells.size() < 3)
        return false;
    return (has("ID") && (has("Kernel Name") || has("Function Name"))) || (has("Metric Name") && has("Average"));
}

Profile readNcuCsv(CsvReader& reader, const std::vector<std::string>& header, ProfilerWords& words,
                   const Reading& reading) {
    return Reader(reader, header, words, reading).read();
}

} // namespace warplight::profiles
