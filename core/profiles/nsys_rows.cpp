// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/nsys_rows.h"

#include "core/profiles/text.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace warplight::profiles {
namespace {

using Spans = std::vector<std::pair<size_t, size_t>>;

/// " -----  ---" as columns; empty for any other line.
Spans spansOf(std::string_view line) {
    Spans spans;
    for (size_t at = 0; at < line.size();) {
        if (line[at] == ' ') {
            ++at;
        } else if (line[at] == '-') {
            const size_t end = std::min(line.find_first_not_of('-', at), line.size());
            spans.emplace_back(at, end);
            at = end;
        } else {
            return {};
        }
    }
    return spans;
}

/// The cells of a line that moved out of its columns, as lines do that lose the blanks in front: two blanks part them.
std::vector<std::string> cutAtBlanks(std::string_view line, size_t most) {
    std::vector<std::string> cells;
    line = trimmed(line);
    while (!line.empty()) {
        const size_t end = cells.size() + 1 < most ? std::min(line.find("  "), line.size()) : line.size();
        cells.emplace_back(line.substr(0, end));
        line = trimmed(line.substr(end));
    }
    return cells;
}

/// The cells that stand in these columns, counted in characters; the last one reaches to the end.
std::vector<std::string> cut(std::string_view line, const Spans& spans) {
    std::vector<std::string> cells(spans.size());
    size_t character = 0, column = 0;
    for (const char c : line) {
        const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        while (begins && column + 1 < spans.size() && character >= spans[column].second)
            ++column;
        if (c != ' ' && character + !begins < spans[column].first)
            return cutAtBlanks(line, spans.size());
        if (character + !begins >= spans[column].first)
            cells[column] += c;
        character += begins;
    }
    for (std::string& cell : cells)
        cell = std::string(trimmed(cell));
    return cells;
}

/// "| a | b |" also with the bars of box drawings; empty if there are none.
std::vector<std::string> barred(std::string_view line) {
    constexpr std::string_view drawn = "│";
    std::string plain;
    for (size_t at = 0; at < line.size();) {
        const bool bar = line.substr(at).starts_with(drawn);
        plain += bar ? '|' : line[at];
        at += bar ? drawn.size() : 1;
    }
    std::string_view text = trimmed(plain);
    if (!text.starts_with('|') || !text.ends_with('|') || text.size() < 2)
        return {};
    text = text.substr(1, text.size() - 2);
    std::vector<std::string> cells = splitLine(text, '|');
    for (std::string& cell : cells)
        cell = std::string(trimmed(cell));
    return cells;
}

/// A line of a table that only draws: "+-----+", "|-----|", "├─────┤".
bool draws(std::string_view line) {
    line = trimmed(line);
    return !line.empty() && std::all_of(line.begin(), line.end(), [](char c) {
        return std::string_view("+-|=: ").find(c) != std::string_view::npos || static_cast<unsigned char>(c) >= 0x80;
    });
}

} // namespace

bool NsysRows::begins(const std::string& line) {
    const char sniffed = sniffDelimiter(line);
    auto names = splitLine(line, sniffed);
    if (nsysTableOf(names, nextReport) != NsysTable::None) {
        delimiter = sniffed;
        reader.setDelimiter(delimiter);
        return start(Layout::Separated, std::move(names));
    }
    if (auto bars = barred(line); nsysTableOf(bars, nextReport) != NsysTable::None)
        return start(Layout::Barred, std::move(bars));
    if (Spans columns = spansOf(line); columns.size() > 2)
        if (auto names2 = cut(above, columns); nsysTableOf(names2, nextReport) != NsysTable::None) {
            if (names2.back().empty() && !nextReport.empty()) // titles are centred: a narrow window cuts the last one
                names2.back() = nextReport.find("mem") == nextReport.npos && !nextReport.ends_with("gpu_sum")
                                    ? "Name"
                                    : "Operation";
            spans = std::move(columns);
            return start(Layout::Ruled, std::move(names2));
        }
    hear(line);
    return false;
}

bool NsysRows::start(Layout how, std::vector<std::string> names) {
    layout = how;
    table = nsysTableOf(names, nextReport);
    head = std::move(names);
    reportName = std::move(nextReport);
    nextReport.clear();
    return true;
}

void NsysRows::hear(const std::string& line) {
    words.hear(line);
    above = line;
    if (auto name = reportNamed(line); !name.empty()) {
        nextReport = std::move(name);
        unit.clear();
    }
    if (line.starts_with("Processing ["))
        database = line.substr(12, line.find(']') - 12);
    if (const size_t script = line.find(".py "); line.starts_with("Running [") && script != line.npos)
        database = line.substr(script + 4, std::min(line.find(']'), line.size()) - script - 4);
    const std::string_view text = trimmed(line);
    if (const size_t open = text.rfind('('); open != text.npos && text.ends_with(')')) {
        const std::string_view word = text.substr(open + 1, text.size() - open - 2);
        if (unitOf(word) && (word.ends_with("seconds") || text.substr(0, open).ends_with("Statistics ")))
            unit = word;
    }
}

bool NsysRows::nextTable() {
    if (!pending.empty()) {
        start(Layout::Separated, std::move(pending));
        pending.clear();
        return true;
    }
    std::string line;
    while (reader.nextLine(line))
        if (begins(line))
            return true;
    return false;
}

void NsysRows::readAhead(size_t most, const std::function<void(const std::vector<std::string>&)>& see) {
    while (ahead.size() < most && !ended) {
        ended = !read();
        if (ended)
            return;
        see(cells);
        ahead.push_back({cells, reader.line()});
    }
}

bool NsysRows::next() {
    rowLine = 0;
    if (!ahead.empty()) {
        cells = std::move(ahead.front().cells);
        rowLine = ahead.front().line;
        ahead.pop_front();
        return true;
    }
    return !std::exchange(ended, false) && read();
}

bool NsysRows::read() {
    if (layout == Layout::Separated) {
        if (!reader.nextRow(cells))
            return false;
        if (cells.size() <= 1) { // an empty line, or one of text
            hear(cells.empty() ? std::string() : cells[0]);
            return false;
        }
        if (nsysTableOf(cells) != NsysTable::None) { // the next table without a line between
            pending = cells;
            return false;
        }
        restoreName(delimiter);
        return true;
    }
    std::string line;
    while (reader.nextLine(line)) {
        if (layout == Layout::Barred && draws(line))
            continue;
        cells = layout == Layout::Barred ? barred(line) : cut(line, spans);
        if (trimmed(line).empty() || cells.empty() || !reportNamed(line).empty()) {
            hear(line);
            return false;
        }
        if (layout == Layout::Barred)
            restoreName('|'); // of "a || b" among template arguments
        return true;
    }
    return false;
}

/// nsys quotes names with commas; who prints a table again may not.
void NsysRows::restoreName(char between) {
    while (cells.size() > head.size() && cells.back().empty())
        cells.pop_back();
    if (cells.size() <= head.size())
        return;
    const NsysColumns columns(head);
    for (const char* name : {"name", "kernel name", "operation"})
        if (const int64_t column = columns.find(name); column >= 0) {
            const auto first = cells.begin() + column;
            const auto surplus = static_cast<std::ptrdiff_t>(cells.size() - head.size());
            for (std::ptrdiff_t i = 1; i <= surplus; ++i)
                *first += between + first[i];
            cells.erase(first + 1, first + 1 + surplus);
            return;
        }
}

} // namespace warplight::profiles
