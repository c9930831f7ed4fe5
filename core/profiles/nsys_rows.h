// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/csv_reader.h"
#include "core/profiles/nsys_tables.h"
#include "core/profiles/profiler_words.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::profiles {

/// Finds the tables of nsys stats in a text and cuts their rows into cells, whatever --format printed them: csv, tsv,
/// column (a line of dashes under the header says how wide columns are) or table (bars between cells).
class NsysRows {
  public:
    NsysRows(CsvReader& reader, ProfilerWords& words) : reader(reader), words(words) {}

    /// Takes a line outside of tables; true if a table begins with it, whose rows come next.
    bool begins(const std::string& line);
    /// Reads on to the next table; false at the end of the text.
    bool nextTable();
    /// Reads the next row of the table; false at its end.
    bool next();
    /// Reads up to so many rows of the table, which next() gives then, and shows them.
    void readAhead(size_t most, const std::function<void(const std::vector<std::string>&)>& see);

    NsysTable kind() const { return table; }
    const std::vector<std::string>& header() const { return head; }
    /// As many cells as the header has, if the row fits: commas of a name without quotes are put back into it.
    const std::vector<std::string>& row() const { return cells; }
    bool fits() const { return cells.size() == head.size(); }
    int64_t line() const { return rowLine > 0 ? rowLine : reader.line(); }
    const std::string& report() const { return reportName; } ///< what stood above the table; may be empty
    const std::string& source() const { return database; }   ///< "x.sqlite", if the text says
    const std::string& titleUnit() const { return unit; }    ///< of a title "... Statistics (nanoseconds)", "(KiB)"
    const std::string& cutOff() const { return reader.cutOff(); }
    bool separatedBySemicolons() const { return layout == Layout::Separated && delimiter == ';'; }

  private:
    enum class Layout { Separated, Ruled, Barred };

    bool read();
    void hear(const std::string& line);
    bool start(Layout how, std::vector<std::string> names);
    void restoreName(char between);

    CsvReader& reader;
    ProfilerWords& words;
    Layout layout = Layout::Separated;
    char delimiter = ',';
    NsysTable table = NsysTable::None;
    std::vector<std::string> head, cells, pending;
    struct Row {
        std::vector<std::string> cells;
        int64_t line;
    };
    std::deque<Row> ahead;
    bool ended = false;                           ///< behind what was read ahead
    int64_t rowLine = 0;                          ///< of a row that was read ahead; 0: the reader has it
    std::vector<std::pair<size_t, size_t>> spans; ///< of a ruled table: first character and one behind the last
    std::string above, reportName, nextReport, database, unit;
};

} // namespace warplight::profiles
