// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/csv_reader.h"

#include "core/error.h"

#include <fmt/format.h>
#include <utility>

namespace warplight::profiles {
namespace {

constexpr size_t pieceBytes = 1 << 16;
/// Kernel names reach some 10,000 characters. A quote that is never closed must not swallow a file.
constexpr size_t largestRow = 1 << 20;

} // namespace

CsvReader::CsvReader(ByteSource& from, std::string fileName) : source(from), name(std::move(fileName)) {
    buffer.resize(pieceBytes);
    refill();
    if (std::string_view(buffer.data(), end).starts_with("\xEF\xBB\xBF"))
        at = 3;
}

bool CsvReader::refill() {
    at = 0;
    end = source.read(buffer.data(), buffer.size());
    return end > 0;
}

/// The next character with CRLF and CR as '\n'; -1 at the end. Programs on Windows that print a CRLF as text make it
/// CRCRLF.
int CsvReader::get() {
    if (ends == 0) {
        if (at == end && !refill())
            return -1;
        const char c = buffer[at++];
        if (c != '\r' && c != '\n')
            return static_cast<unsigned char>(c);
        ends = 1;
        if (c == '\r') {
            for (; (at < end || refill()) && buffer[at] == '\r'; ++at)
                ++ends;
            if (at < end && buffer[at] == '\n') {
                ++at;
                ends = 1;
            }
        }
    }
    --ends;
    ++nextNumber;
    return '\n';
}

bool CsvReader::nextLine(std::string& line) {
    line.clear();
    lineNumber = nextNumber;
    int c = get();
    if (c < 0)
        return false;
    for (; c >= 0 && c != '\n'; c = get())
        if (line.size() < largestRow) // what a program prints may be anything: the rest of such a line tells nothing
            line += static_cast<char>(c);
    return true;
}

bool CsvReader::nextRow(std::vector<std::string>& cells) {
    lineNumber = nextNumber;
    int c = get();
    size_t count = 0, size = 0;
    if (c < 0)
        return false;
    const auto cell = [&]() -> std::string& { // strings are reused from row to row
        if (count == cells.size())
            cells.emplace_back();
        cells[count].clear();
        return cells[count++];
    };
    const auto grow = [&](std::string& text, int character) {
        text += static_cast<char>(character);
        if (++size > largestRow)
            throw InputError(fmt::format("{}: the row in line {} is longer than {} bytes, expected closed quotes", name,
                                         lineNumber, largestRow));
    };
    while (true) {
        std::string& text = cell();
        for (; c == ' '; c = get())
            grow(text, c);
        if (c == '"') {
            text.clear(); // of the blank in 1, "a, b"
            for (c = get();; c = get()) {
                if (c < 0) {
                    cut = fmt::format(
                        "The file ends within a quoted cell of line {}: what stands from there on is left out.",
                        lineNumber);
                    return false;
                }
                if (c == '"' && (c = get()) != '"')
                    break;
                grow(text, c);
            }
        }
        for (; c >= 0 && c != '\n' && c != static_cast<unsigned char>(delimiter); c = get())
            grow(text, c);
        if (c < 0 || c == '\n')
            break;
        if (++size > largestRow) // a row of nothing but delimiters
            throw InputError(fmt::format("{}: the row in line {} has more than {} cells, expected a table of a profile",
                                         name, lineNumber, count));
        c = get();
        if (c < 0) {
            cell();
            break;
        }
    }
    cells.resize(count);
    return true;
}

std::vector<std::string> splitLine(std::string_view line, char delimiter) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
        if (quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"')
            cells.back() += line[i++];
        else if (line[i] == '"' && quoted)
            quoted = false;
        else if (line[i] == '"' && cells.back().find_first_not_of(' ') == std::string::npos) {
            quoted = true;
            cells.back().clear(); // of the blank in "a, \"b\""
        } else if (line[i] == delimiter && !quoted)
            cells.emplace_back();
        else
            cells.back() += line[i];
    }
    return cells;
}

char sniffDelimiter(std::string_view header) {
    char best = ',';
    size_t most = 0;
    for (const char c : {',', ';', '\t'})
        if (const size_t cells = splitLine(header, c).size(); cells > most) {
            most = cells;
            best = c;
        }
    return best;
}

} // namespace warplight::profiles
