// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/formats/signal_file.h"
#include "core/text/echo.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace warplight::formats {
namespace {

constexpr size_t largestCell = 64; ///< that can be a number

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return text;
}

/// The lines that hold cells, with their numbers.
class Lines {
  public:
    explicit Lines(std::string_view all) : rest(all) {
        if (rest.starts_with("\xEF\xBB\xBF"))
            rest.remove_prefix(3);
    }
    bool next(std::string_view& line) {
        while (!rest.empty()) {
            const size_t end = rest.find('\n');
            line = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            ++count;
            while (!line.empty() && line.back() == '\r')
                line.remove_suffix(1);
            if (!trimmed(line).empty() && !trimmed(line).starts_with('#'))
                return true;
        }
        return false;
    }
    int64_t number() const { return count; }

  private:
    std::string_view rest;
    int64_t count = 0;
};

char separatorOf(std::string_view line) {
    for (const char c : {'\t', ';', ','})
        if (line.find(c) != std::string_view::npos)
            return c;
    return ','; // there is one column
}

/// The end of a cell that begins at `at`; quotes keep separators.
size_t cellEnd(std::string_view line, size_t at, char separator) {
    bool isQuoted = false;
    for (; at < line.size() && (isQuoted || line[at] != separator); ++at)
        isQuoted = isQuoted != (line[at] == '"');
    return at;
}

std::vector<std::string_view> cellsOf(std::string_view line, char separator) {
    std::vector<std::string_view> cells;
    for (size_t at = 0;; ++at) {
        const size_t end = cellEnd(line, at, separator);
        cells.push_back(trimmed(line.substr(at, end - at)));
        if (end >= line.size())
            return cells;
        at = end;
    }
}

std::optional<float> numberOf(std::string_view cell, char separator) {
    if (cell.starts_with('+'))
        cell.remove_prefix(1);
    if (cell.empty() || cell.size() > largestCell)
        return {};
    char text[largestCell];
    const char* end =
        std::transform(cell.begin(), cell.end(), text, [&](char c) { return c == ',' && separator != ',' ? '.' : c; });
    double x = 0; // numbers beyond f32 are infinite in it
    const auto [stop, error] = std::from_chars(text, end, x);
    if (stop != end || error != std::errc())
        return {};
    return static_cast<float>(x);
}

/// Which column is meant by its name, or is the first with a number in this line.
std::optional<size_t> numericColumn(const std::vector<std::string_view>& cells, char separator) {
    for (size_t i = 0; i < cells.size(); ++i)
        if (numberOf(cells[i], separator))
            return i;
    return {};
}

} // namespace

Signal readSignalTable(std::string_view text, const std::string& where, const std::string& column,
                       const std::atomic<bool>* cancel) {
    Lines lines(text);
    std::string_view line;
    if (!lines.next(line))
        throw InputError(fmt::format("{}: no samples, expected a number in each line", where));
    const char separator = separatorOf(line);
    std::vector<std::string_view> cells = cellsOf(line, separator);
    std::optional<size_t> chosen;
    if (!column.empty()) {
        const auto named = std::find(cells.begin(), cells.end(), column);
        if (named == cells.end()) {
            std::vector<std::string> known;
            for (size_t i = 0; i < std::min<size_t>(cells.size(), 12); ++i)
                known.push_back(echoed(cells[i]));
            throw InputError(fmt::format("{}: no column '{}' in its first line, expected one of {}", where,
                                         echoed(column), fmt::join(known, ", ")));
        }
        chosen = static_cast<size_t>(named - cells.begin());
    }
    // Without a number in it the first line is one of names.
    if (chosen || !numericColumn(cells, separator)) {
        if (!lines.next(line))
            throw InputError(fmt::format("{}: no samples below its first line, expected a number in each line", where));
        cells = cellsOf(line, separator);
    }
    if (!chosen)
        chosen = numericColumn(cells, separator);
    if (!chosen)
        throw InputError(fmt::format("{}: line {}: '{}' holds no number, expected one in each line", where,
                                     lines.number(), echoed(line)));
    Signal signal;
    do {
        if (signal.samples.size() % 4096 == 0)
            checkCancelled(cancel);
        size_t at = 0;
        for (size_t i = 0; i < *chosen && at < line.size(); ++i)
            at = std::min(cellEnd(line, at, separator) + 1, line.size());
        const std::string_view cell = trimmed(line.substr(at, cellEnd(line, at, separator) - at));
        const std::optional<float> x = numberOf(cell, separator);
        if (!x)
            throw InputError(fmt::format("{}: line {}, column {}: '{}', expected a number", where, lines.number(),
                                         *chosen + 1, echoed(cell)));
        signal.samples.push_back(*x);
    } while (lines.next(line));
    return signal;
}

} // namespace warplight::formats
