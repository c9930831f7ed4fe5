#include "core/profiles/ncu_csv.h"

#include "core/error.h"
#include "core/profiles/local_number.h"
#include "core/profiles/profiler_metrics.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

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

/// A value that waits until the whole file has told what its decimal point is.
struct Waiting {
    size_t launch = 0;
    Metric metric{};
    LocalNumber number;
    double factor = 1;
};

class Reader {
  public:
    Reader(CsvReader& csv, const std::vector<std::string>& cells, const Reading& r)
        : reader(csv), header(cells), reading(r), names(profile.names) {
        profile.tool = "Nsight Compute";
        profile.source = r.name;
        idColumn = 0;
        nameColumn = need("Kernel Name");
        streamColumn = columnOf(header, "Stream");
        blockColumn = columnOf(header, "Block Size");
        gridColumn = columnOf(header, "Grid Size");
        deviceColumn = columnOf(header, "Device");
        capabilityColumn = columnOf(header, "CC");
        processColumn = columnOf(header, "Process ID");
    }

    Profile read() {
        columnOf(header, "Metric Name") >= 0 ? readTall() : readWide();
        resolve();
        return std::move(profile);
    }

  private:
    int64_t need(std::string_view name) const {
        const int64_t column = columnOf(header, name);
        if (column < 0)
            throw InputError(fmt::format("{}: line {} has no column \"{}\", expected a table of ncu --csv",
                                         reading.name, reader.line(), name));
        return column;
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
            if (row[0].starts_with("=="))
                continue;
            if (isNcuHeader(row)) // files of several runs, one after the other
                continue;
            if (static_cast<int64_t>(row.size()) <= nameColumn || row.size() + 8 < header.size()) {
                if (strange++ == 0)
                    firstStrange = reader.line();
                continue;
            }
            return true;
        }
        return false;
    }

    KernelRecord launch() {
        KernelRecord record;
        record.name = names.index(cell(nameColumn));
        record.stream = plainInteger(cell(streamColumn)).value_or(-1);
        record.block = extentOf(cell(blockColumn));
        record.grid = extentOf(cell(gridColumn));
        const int64_t device = plainInteger(cell(deviceColumn)).value_or(0);
        record.device = device >= 0 && device < 4096 ? static_cast<int32_t>(device) : 0;
        if (capability.empty())
            capability = cell(capabilityColumn);
        return record;
    }

    void take(size_t launchIndex, Metric metric, std::string_view unitText, const std::string& text) {
        const auto number = localNumber(text);
        if (!number) {
            if (!text.empty() && text != "n/a" && text != "N/A" && text != "nan" && text != "no data" &&
                badValues++ == 0)
                firstBad = fmt::format("\"{}\" in line {}", text.substr(0, 40), reader.line());
            return;
        }
        point.add(number->says);
        const auto unit = unitOf(unitText);
        const Unit::Dimension wanted = dimensionOf(metric);
        double factor = 1;
        if (unit && unit->dimension == wanted) {
            factor = unit->factor;
        } else if (unitText.empty()) { // base units
            factor = wanted == Unit::Dimension::Time ? 1e-9 : wanted == Unit::Dimension::Share ? 0.01 : 1;
        } else {
            unknownUnits.insert(std::string(unitText.substr(0, 40)));
            return;
        }
        waiting.push_back({launchIndex, metric, *number, factor});
    }

    void readTall() {
        const int64_t metricColumn = need("Metric Name"), unitColumn = need("Metric Unit"),
                      valueColumn = need("Metric Value");
        std::string current; // process and ID of the launch whose rows come now
        while (nextRow()) {
            std::string key = cell(processColumn) + '/' + cell(idColumn);
            if (key != current || profile.records.empty()) {
                current = std::move(key);
                profile.records.push_back(launch());
            }
            if (const auto metric = metricOf(cell(metricColumn), cell(unitColumn)))
                take(profile.records.size() - 1, *metric, cell(unitColumn), cell(valueColumn));
        }
    }

    void readWide() {
        std::vector<std::string> units(header.size());
        std::vector<std::pair<int64_t, Metric>> columns;
        const int64_t gpuColumn = columnOf(header, "device__attribute_display_name");
        bool first = true;
        while (nextRow()) {
            if (first) {
                first = false;
                const bool haveUnits = cell(idColumn).empty();
                if (haveUnits)
                    std::copy_n(row.begin(), std::min(row.size(), units.size()), units.begin());
                for (size_t i = 0; i < header.size(); ++i)
                    if (const auto metric = metricOf(header[i], units[i]))
                        columns.emplace_back(static_cast<int64_t>(i), *metric);
                if (haveUnits)
                    continue;
                profile.warnings.push_back("The table has no row of units: times are taken as nanoseconds and sizes as "
                                           "bytes, as --print-units base prints them.");
            }
            if (profile.gpu.empty())
                profile.gpu = cell(gpuColumn);
            profile.records.push_back(launch());
            for (const auto& [column, metric] : columns)
                take(profile.records.size() - 1, metric, units[static_cast<size_t>(column)], cell(column));
        }
    }

    void resolve() {
        std::vector<LaunchMetrics> metrics(profile.records.size());
        for (const Waiting& value : waiting)
            metrics[value.launch].set(value.metric, point.of(value.number) * value.factor);
        int64_t untimed = 0, uncountedTensor = 0;
        for (size_t i = 0; i < metrics.size(); ++i) {
            KernelRecord& record = profile.records[i];
            constexpr double longest = 9e9; // seconds whose ns an int64 holds
            const auto seconds = metrics[i].seconds();
            if (seconds && *seconds >= 0 && *seconds < longest)
                record.duration = std::llround(*seconds * 1e9);
            else
                ++untimed;
            if (const auto registers = metrics[i].registers(); registers && *registers >= 0 && *registers < 1e6)
                record.registers = static_cast<int32_t>(*registers);
            if (const auto shared = metrics[i].sharedBytes(); shared && *shared >= 0 && *shared < 1e12)
                record.sharedBytes = std::llround(*shared);
            if (const Figures figures = metrics[i].figures(); figures != Figures()) {
                uncountedTensor += figures.tensorInstructions.value_or(0) > 0 && !figures.tensorFlops;
                record.figures = static_cast<int32_t>(profile.figures.size());
                profile.figures.push_back(figures);
            }
        }
        if (profile.gpu.empty() && !capability.empty())
            profile.gpu = "compute capability " + capability;
        warn(untimed, uncountedTensor);
    }

    void warn(int64_t untimed, int64_t uncountedTensor) {
        auto& warnings = profile.warnings;
        if (profile.records.empty())
            warnings.push_back("The table holds no launch.");
        if (untimed)
            warnings.push_back(fmt::format("{} of {} launches have no duration: collect gpu__time_duration.sum.",
                                           untimed, profile.records.size()));
        if (uncountedTensor)
            warnings.push_back(fmt::format(
                "{} launches count tensor core instructions, whose FLOPs depend on their shape, and are left "
                "out of rates: collect sm__ops_path_tensor_src_*.sum.",
                uncountedTensor));
        if (point.contradicts())
            warnings.push_back(
                fmt::format("Numbers disagree on the decimal point; \"{}\" is taken as most of them say: "
                            "export again with --print-units base.",
                            point.isComma() ? ',' : '.'));
        else if (point.unknown())
            warnings.push_back(
                "No number tells whether \",\" or \".\" is its decimal point: \"2,848\" is read as 2848 and "
                "\"2.848\" as 2.848; export with --print-units base to be sure.");
        if (!unknownUnits.empty())
            warnings.push_back(fmt::format("Values in \"{}\" are left out, a unit that is not known: export with "
                                           "--print-units base.",
                                           *unknownUnits.begin()));
        if (badValues)
            warnings.push_back(
                fmt::format("{} values are no numbers and are left out, the first is {}.", badValues, firstBad));
        if (strange)
            warnings.push_back(fmt::format("{} lines do not fit the table and are left out, the first is line {}.",
                                           strange, firstStrange));
    }

    CsvReader& reader;
    const std::vector<std::string>& header;
    const Reading& reading;
    Profile profile;
    Names names;
    std::vector<std::string> row;
    std::vector<Waiting> waiting;
    DecimalPoint point;
    std::set<std::string> unknownUnits;
    std::string capability, firstBad;
    int64_t strange = 0, firstStrange = 0, badValues = 0;
    int64_t idColumn, nameColumn, streamColumn, blockColumn, gridColumn, deviceColumn, capabilityColumn, processColumn;
};

} // namespace

bool isNcuHeader(const std::vector<std::string>& cells) {
    return cells.size() > 2 && cells[0] == "ID" && columnOf(cells, "Kernel Name") >= 0;
}

Profile readNcuCsv(CsvReader& reader, const std::vector<std::string>& header, const Reading& reading) {
    return Reader(reader, header, reading).read();
}

} // namespace warplight::profiles
