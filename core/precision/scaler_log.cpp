// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/scaler_log.h"

#include "core/error.h"
#include "core/precision/scaler_events.h"
#include "core/precision/scaler_line.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/local_number.h"
#include "core/profiles/text.h"
#include "core/text/echo.h"
#include "core/text/lower_case.h"
#include "core/text/plain_line.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace warplight::precision {
namespace {

constexpr size_t mostObject = 1 << 16; ///< bytes of one object that goes on over lines
constexpr size_t longestName = 80;     ///< of a column
constexpr size_t mostColumns = 256;

std::optional<double> flagOrNumber(std::string_view cell) {
    const std::string text = lowerCase(profiles::trimmed(cell));
    if (text == "true" || text == "false")
        return text == "true" ? 1 : 0;
    return profiles::plainNumber(text);
}

/// A table whose header names a scale.
class ScalerTable {
  public:
    /// Whether this line begins one.
    bool begin(const std::string& line, bool fileIsOfScale) {
        columns.clear();
        if (line.find('=') != line.npos || line.find(": ") != line.npos || line.find('|') != line.npos)
            return false; // words and numbers, not names
        delimiter = profiles::sniffDelimiter(line);
        const std::vector<std::string> cells = profiles::splitLine(line, delimiter);
        if (cells.size() > mostColumns)
            return false;
        size_t scales = 0;
        std::vector<Column> made;
        for (const std::string& cell : cells) {
            const std::string_view name = profiles::trimmed(cell);
            if (name.size() > longestName || flagOrNumber(name))
                return false;
            ScalerColumn kind = scalerColumn(name);
            if (kind == ScalerColumn::None && fileIsOfScale && lowerCase(name) == "value")
                kind = ScalerColumn::Scale; // TensorBoard's files have the name of what they hold
            scales += kind == ScalerColumn::Scale;
            made.push_back({kind, asUtf8(name)});
        }
        if (scales == 0)
            return false;
        if (scales == 1)
            for (Column& c : made)
                c.name = c.kind == ScalerColumn::Scale ? "" : c.name;
        columns = std::move(made);
        return true;
    }

    /// What a row tells; nothing where it is none, and the table has ended.
    std::optional<ScalerLine> row(const std::string& line) {
        if (columns.empty())
            return {};
        const std::vector<std::string> cells = profiles::splitLine(line, delimiter);
        ScalerLine told;
        bool fits = cells.size() == columns.size();
        for (size_t i = 0; fits && i < cells.size(); ++i) {
            if (columns[i].kind == ScalerColumn::None)
                continue;
            const std::string_view cell = profiles::trimmed(cells[i]);
            const auto number = flagOrNumber(cell);
            const std::string text = lowerCase(cell);
            if (!number) {
                fits = text.empty() || text == "nan" || text == "inf" || text == "none" || text == "null";
                continue;
            }
            if (columns[i].kind == ScalerColumn::Scale && *number > 0)
                told.scales.push_back({columns[i].name, {}, *number});
            else if (columns[i].kind == ScalerColumn::Skipped && *number >= 0 && *number < 1e12)
                told.skips = *number, told.tellsSkips = true;
            else if (*number >= 0 && *number < 1e15 && columns[i].kind != ScalerColumn::Scale) {
                told.step = static_cast<int64_t>(*number);
                told.updates = columns[i].kind == ScalerColumn::Updates;
            }
        }
        if (!fits) {
            columns.clear();
            return {};
        }
        return told;
    }

    bool open() const { return !columns.empty(); }

  private:
    struct Column {
        ScalerColumn kind;
        std::string name;
    };
    std::vector<Column> columns;
    char delimiter = ',';
};

/// `"name": value,` and nothing else: a line of an object that goes on over several.
bool isMember(std::string_view line) {
    line = profiles::trimmed(line);
    if (!line.starts_with('"') || line.ends_with('{') || line.ends_with('['))
        return false;
    const size_t end = line.find('"', 1);
    return end != line.npos && end + 1 < line.size() && profiles::trimmed(line.substr(end + 1)).starts_with(':');
}

class Reader {
  public:
    explicit Reader(const profiles::Reading& reading)
        : fileIsOfScale(lowerCase(reading.name).find("scale") != std::string::npos) {}

    ScalerLog read(profiles::ByteSource& source, const profiles::Reading& reading) {
        profiles::PeekSource watched(source, reading);
        profiles::CsvReader lines(watched, reading.name);
        for (std::string raw; lines.nextLine(raw);)
            line(plainLine(raw), lines.line());
        flush();
        ScalerLog log = events.finish(reading.name);
        log.source = reading.name;
        if (const std::string why = watched.damage(); !why.empty())
            log.warnings.push_back(fmt::format("The file is not whole: {}.", why));
        return log;
    }

  private:
    void line(const std::string& text, int64_t number) {
        if (const auto row = table.row(text)) {
            events.add(*row, number);
            return;
        }
        if (isMember(text) && object.size() + text.size() < mostObject) {
            objectLine = object.empty() ? number : objectLine;
            object.append(text).append(" ");
            return;
        }
        flush();
        if (lowerCase(text).find("sca") != std::string::npos || (fileIsOfScale && text.find("alue") != text.npos))
            if (table.begin(text, fileIsOfScale))
                return;
        // Objects of a list, each by itself.
        for (size_t at = 0; at < text.size();) {
            const size_t next = std::min(text.find("},{", at), text.find("}, {", at));
            const size_t end = next == text.npos ? text.size() : next + 2;
            events.add(scalerLine(std::string_view(text).substr(at, end - at)), number);
            at = end;
        }
    }

    void flush() {
        if (object.empty())
            return;
        const std::string whole = std::exchange(object, {});
        events.add(scalerLine(whole), objectLine);
    }

    bool fileIsOfScale;
    ScalerEvents events;
    ScalerTable table;
    std::string object; ///< its lines so far
    int64_t objectLine = 0;
};

} // namespace

ScalerLog readScalerLog(profiles::ByteSource& source, const profiles::Reading& reading) {
    return Reader(reading).read(source, reading);
}

ScalerSummary summaryOf(const ScalerLog& log, std::optional<size_t> scaler) {
    ScalerSummary s;
    for (const ScalerEvent& e : log.events) {
        if (scaler && e.scaler != *scaler)
            continue;
        ++s.events;
        s.skips += e.skipped;
        for (const auto& scale : {e.before, e.after})
            if (scale) {
                s.first = s.first ? s.first : scale;
                s.lowest = std::min(s.lowest.value_or(*scale), *scale);
                s.highest = std::max(s.highest.value_or(*scale), *scale);
                s.last = scale;
            }
    }
    return s;
}

} // namespace warplight::precision
