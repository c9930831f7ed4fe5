#include "core/profiles/nsys_csv.h"

#include "core/error.h"
#include "core/profiles/local_number.h"
#include "core/profiles/profiler_metrics.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace warplight::profiles {
namespace {

/// "Total Time (ns)" is a name and a unit.
struct Column {
    std::string name, unit;
};

Column columnOf(std::string_view text) {
    const size_t open = text.rfind('(');
    Column column{std::string(text.substr(0, open)), ""};
    if (open != text.npos && text.ends_with(')'))
        column.unit = text.substr(open + 1, text.size() - open - 2);
    while (column.name.ends_with(' '))
        column.name.pop_back();
    return column;
}

/// The columns of a table by name, with the factor of their unit.
class Columns {
  public:
    Columns(const std::vector<std::string>& header, const std::string& file, int64_t line) {
        for (const std::string& text : header)
            columns.push_back(columnOf(text));
        where = fmt::format("{}: the table in line {}", file, line);
    }

    int64_t find(std::string_view name) const {
        const auto found =
            std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
        return found == columns.end() ? -1 : found - columns.begin();
    }
    int64_t need(std::string_view name) const {
        const int64_t column = find(name);
        if (column < 0)
            throw InputError(
                fmt::format("{} has no column \"{}\", expected one of nsys stats --format csv", where, name));
        return column;
    }
    /// ns or bytes for one of the column's unit.
    double factor(int64_t column, Unit::Dimension dimension) const {
        if (column < 0)
            return 1;
        const Column& c = columns[static_cast<size_t>(column)];
        const auto unit = unitOf(c.unit);
        if (!unit || unit->dimension != dimension)
            throw InputError(fmt::format("{} has {} in \"{}\", expected a unit of {}", where, c.name, c.unit,
                                         dimension == Unit::Dimension::Time ? "time" : "bytes"));
        return unit->factor * (dimension == Unit::Dimension::Time ? 1e9 : 1);
    }
    const std::string& unit(int64_t column) const { return columns[static_cast<size_t>(column)].unit; }

  private:
    std::vector<Column> columns;
    std::string where;
};

class Reader {
  public:
    Reader(CsvReader& csv, const Reading& r) : reader(csv), reading(r), names(profile.names) {
        profile.tool = "Nsight Systems";
        profile.source = r.name;
    }

    Profile read(std::vector<std::string> header) {
        NsysTable table = nsysTableOf(header);
        while (table != NsysTable::None) {
            table == NsysTable::GpuTrace ? readTrace(header) : readSums(header);
            table = nextTable(header);
        }
        if (!profile.records.empty())
            profile.totals.clear();
        std::stable_sort(profile.records.begin(), profile.records.end(), [](const auto& a, const auto& b) {
            return a.start != b.start ? a.start < b.start : a.duration > b.duration;
        });
        if (profile.records.empty() && profile.totals.empty())
            profile.warnings.push_back("The table holds no kernel.");
        if (strange)
            profile.warnings.push_back(fmt::format(
                "{} lines do not fit the table and are left out, the first is line {}.", strange, firstStrange));
        if (otherGpus)
            profile.warnings.push_back("The file holds several kinds of GPU; the first is named.");
        return std::move(profile);
    }

  private:
    /// False at the end of the table: an empty line, or a line of text.
    bool nextRow() {
        if (!reader.nextRow(row))
            return false;
        return row.size() > 1;
    }

    NsysTable nextTable(std::vector<std::string>& header) {
        std::string line;
        while (reader.nextLine(line)) {
            const char delimiter = sniffDelimiter(line);
            header = splitLine(line, delimiter);
            if (const NsysTable table = nsysTableOf(header); table != NsysTable::None) {
                reader.setDelimiter(delimiter);
                return table;
            }
        }
        return NsysTable::None;
    }

    const std::string& cell(int64_t column) const {
        static const std::string none;
        return column < 0 || column >= static_cast<int64_t>(row.size()) ? none : row[static_cast<size_t>(column)];
    }
    std::optional<double> number(int64_t column, double factor = 1) const {
        const auto value = localNumber(cell(column));
        return value ? std::optional(value->dotDecimal * factor) : std::nullopt;
    }
    /// Exact where the column is in ns: times since the start of a session reach 2^53.
    std::optional<int64_t> nanoseconds(int64_t column, double factor) const {
        if (column < 0)
            return {};
        const int digits = static_cast<int>(std::lround(std::log10(factor)));
        if (const auto exact = scaledInteger(cell(column), digits))
            return exact;
        const auto value = number(column, factor);
        if (!value || std::fabs(*value) > 9e18)
            return {};
        return std::llround(*value);
    }
    void leaveOut() {
        if (strange++ == 0)
            firstStrange = reader.line();
    }

    void readTrace(const std::vector<std::string>& header) {
        const Columns columns(header, reading.name, reader.line());
        const int64_t start = columns.need("Start"), duration = columns.need("Duration"), name = columns.need("Name");
        const int64_t grid[] = {columns.find("GrdX"), columns.find("GrdY"), columns.find("GrdZ")};
        const int64_t block[] = {columns.find("BlkX"), columns.find("BlkY"), columns.find("BlkZ")};
        const int64_t registers = columns.find("Reg/Trd"), fixed = columns.find("StcSMem"),
                      dynamic = columns.find("DymSMem"), bytes = columns.find("Bytes"), device = columns.find("Device"),
                      stream = columns.find("Strm");
        const double startFactor = columns.factor(start, Unit::Dimension::Time),
                     durationFactor = columns.factor(duration, Unit::Dimension::Time),
                     fixedFactor = columns.factor(fixed, Unit::Dimension::Bytes),
                     dynamicFactor = columns.factor(dynamic, Unit::Dimension::Bytes),
                     bytesFactor = columns.factor(bytes, Unit::Dimension::Bytes);
        bool rounded = false;
        while (nextRow()) {
            const auto begins = nanoseconds(start, startFactor), lasts = nanoseconds(duration, durationFactor);
            if (row.size() != header.size() || !begins || !lasts || *lasts < 0) {
                leaveOut();
                continue;
            }
            KernelRecord record;
            const std::string& text = cell(name);
            record.name = names.index(text);
            record.kind = text.starts_with("[CUDA memcpy")   ? KernelRecord::Kind::Copy
                          : text.starts_with("[CUDA memset") ? KernelRecord::Kind::Fill
                                                             : KernelRecord::Kind::Kernel;
            record.start = *begins;
            record.duration = *lasts;
            for (size_t axis = 0; axis < 3; ++axis) {
                record.grid[axis] = extentFrom(plainInteger(cell(grid[axis])).value_or(0));
                record.block[axis] = extentFrom(plainInteger(cell(block[axis])).value_or(0));
            }
            if (const auto count = plainInteger(cell(registers)); count && *count >= 0 && *count < 1 << 20)
                record.registers = static_cast<int32_t>(*count);
            const auto a = number(fixed, fixedFactor), b = number(dynamic, dynamicFactor);
            if (const double sum = a.value_or(0) + b.value_or(0); (a || b) && sum >= 0 && sum < 1e15)
                record.sharedBytes = std::llround(sum);
            record.bytes = number(bytes, bytesFactor).value_or(-1);
            rounded =
                rounded || (record.bytes >= 0 && bytesFactor > 1) || (record.sharedBytes > 0 && dynamicFactor > 1);
            takeDevice(record, cell(device));
            record.stream = plainInteger(cell(stream)).value_or(-1);
            profile.records.push_back(record);
        }
        if (rounded)
            profile.warnings.push_back(fmt::format("Sizes in this file are rounded to three decimals of {}; --format "
                                                   "csv:mem=B keeps them whole.",
                                                   columns.unit(bytes >= 0 ? bytes : dynamic)));
    }

    /// "NVIDIA A100-SXM4-80GB (0)" names a device and numbers it.
    void takeDevice(KernelRecord& record, const std::string& text) {
        if (text == lastDevice) {
            record.device = lastIndex;
            return;
        }
        const size_t open = text.rfind(" (");
        std::string gpu = text;
        lastIndex = 0;
        if (open != text.npos && text.ends_with(')'))
            if (const auto index = plainInteger(std::string_view(text).substr(open + 2, text.size() - open - 3));
                index && *index >= 0 && *index < 4096) {
                lastIndex = static_cast<int32_t>(*index);
                gpu = text.substr(0, open);
            }
        if (profile.gpu.empty())
            profile.gpu = gpu;
        otherGpus = otherGpus || (profile.gpu != gpu && !gpu.empty());
        lastDevice = text;
        record.device = lastIndex;
    }

    static Extent extentOf(std::string_view text) { // "  32    1    1"
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

    void readSums(const std::vector<std::string>& header) {
        const Columns columns(header, reading.name, reader.line());
        const int64_t total = columns.need("Total Time"), launches = columns.need("Instances"),
                      name = columns.need("Name"), mean = columns.find("Avg"), median = columns.find("Med"),
                      least = columns.find("Min"), most = columns.find("Max");
        const int64_t grid = columns.find("GridXYZ"), block = columns.find("BlockXYZ");
        const auto factor = [&](int64_t column) { return columns.factor(column, Unit::Dimension::Time); };
        const double totalFactor = factor(total), medianFactor = factor(median), leastFactor = factor(least),
                     mostFactor = factor(most), meanFactor = factor(mean);
        while (nextRow()) {
            const auto sum = nanoseconds(total, totalFactor);
            const auto count = number(launches);
            if (row.size() != header.size() || !sum || *sum < 0 || !count || *count < 1 || *count > 1e15) {
                leaveOut();
                continue;
            }
            KernelTotals totals;
            totals.name = names.index(cell(name));
            totals.grid = extentOf(cell(grid));
            totals.block = extentOf(cell(block));
            totals.launches = std::llround(*count);
            totals.total = *sum;
            totals.mean = number(mean, meanFactor).value_or(static_cast<double>(*sum) / *count);
            totals.median = number(median, medianFactor);
            totals.minimum = number(least, leastFactor);
            totals.maximum = number(most, mostFactor);
            profile.totals.push_back(totals);
        }
    }

    CsvReader& reader;
    const Reading& reading;
    Profile profile;
    Names names;
    std::vector<std::string> row;
    std::string lastDevice;
    int32_t lastIndex = 0;
    bool otherGpus = false;
    int64_t strange = 0, firstStrange = 0;
};

} // namespace

NsysTable nsysTableOf(const std::vector<std::string>& cells) {
    const auto has = [&](std::string_view name) {
        return std::any_of(cells.begin(), cells.end(),
                           [&](const std::string& text) { return columnOf(text).name == name; });
    };
    if (cells.size() < 4 || !has("Name"))
        return NsysTable::None;
    if (has("Start") && has("Duration"))
        return NsysTable::GpuTrace;
    if (has("Total Time") && has("Instances"))
        return NsysTable::KernelSums;
    return NsysTable::None;
}

Profile readNsysCsv(CsvReader& reader, const std::vector<std::string>& header, const Reading& reading) {
    return Reader(reader, reading).read(header);
}

} // namespace warplight::profiles
