// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/byte_source.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// Rows of comma-separated values after RFC 4180, a row at a time: quoted cells may hold delimiters, doubled quotes and
/// line ends; LF, CRLF, CRCRLF and CR end a row; a byte order mark is skipped. Text before a table is read line by
/// line.
class CsvReader {
  public:
    explicit CsvReader(ByteSource& source, std::string fileName = "CSV");

    /// The next line as it stands, without its end; false at the end of the file.
    bool nextLine(std::string& line);
    /// The next row; an empty line is a row of one empty cell; false at the end of the file, and where it ends within a
    /// quoted cell. Throws InputError naming the line of a row above 1 MiB.
    bool nextRow(std::vector<std::string>& cells);
    /// What to tell of a file that ended within a quoted cell: "The file ends within a quoted cell of line
    /// 7: ..."; empty for whole files.
    const std::string& cutOff() const { return cut; }

    void setDelimiter(char c) { delimiter = c; }
    int64_t line() const { return lineNumber; } ///< where the last line or row began, from 1

  private:
    int get();
    bool refill();

    ByteSource& source;
    std::string name, buffer, cut;
    size_t at = 0, end = 0;
    size_t ends = 0; ///< line ends that are read already
    char delimiter = ',';
    int64_t nextNumber = 1, lineNumber = 0;
};

/// The cells of one line that holds no line end inside quotes.
std::vector<std::string> splitLine(std::string_view line, char delimiter);

/// Which of `,`, `;` and tab cuts this header into most cells.
char sniffDelimiter(std::string_view header);

} // namespace warplight::profiles
