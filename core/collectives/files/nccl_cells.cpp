// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_cells.h"

#include "core/collectives/files/nccl_records.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/text.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::collectives {
namespace {

/// Whether a line that is parted by tabs has names of several words in its cells; others are read by their words.
bool needsTabs(std::string_view line) {
    const std::vector<std::string> cells = profiles::splitLine(line, '\t');
    return std::any_of(cells.begin(), cells.end(), [](const std::string& cell) {
        return cell.find(' ') != cell.npos && ncclFieldOf(cell).kind != NcclField::Kind::Unknown;
    });
}

} // namespace

bool NcclCellTable::line(const std::string& text, int64_t number) {
    const std::string_view bare = profiles::trimmed(text);
    const bool bars = bare.starts_with('|') && bare.size() > 1;
    if (fields.empty() && !bench && bare.find("ize") == bare.npos && bare.find("ytes") == bare.npos &&
        bare.find("payload") == bare.npos)
        return false;
    if (bars)
        cells = profiles::splitLine(bare.substr(1, bare.size() - 1 - bare.ends_with('|')), '|');
    else if (bare.find_first_of(",;\t") != bare.npos)
        cells = profiles::splitLine(bare, fields.empty() ? profiles::sniffDelimiter(bare) : delimiter);
    else
        return false;
    for (std::string& cell : cells)
        cell = std::string(profiles::trimmed(cell));
    if (!fields.empty() && delimiter == ';') // as spreadsheets write where the comma is the decimal point
        for (std::string& cell : cells)
            if (std::count(cell.begin(), cell.end(), ',') == 1 &&
                cell.find_first_not_of("0123456789,eE+-") == cell.npos)
                cell[cell.find(',')] = '.';
    if (begin(bars, bare, number))
        return true;
    if (bars != (delimiter == '|'))
        return false;
    if (bench)
        return benchRow(number);
    if (fields.empty())
        return false;
    if (cells.size() < fields.size()) {
        const bool cut = cells.size() > 2 && cells[0].find_first_not_of("0123456789") == std::string::npos;
        if (cut)
            run->broken(1, number);
        return cut;
    }
    std::vector<NcclCell> named;
    bool units = true;
    for (size_t i = 0; i < fields.size(); ++i) {
        named.push_back({fields[i], cells[i]});
        units = units && (cells[i].empty() || cells[i].starts_with('('));
    }
    if (units) {
        for (size_t i = 0; i < fields.size(); ++i)
            fields[i].unit = fields[i].measured() ? ncclUnitOf(cells[i]) : 0;
        return true;
    }
    const bool surplus = std::any_of(cells.begin() + static_cast<std::ptrdiff_t>(fields.size()), cells.end(),
                                     [](const std::string& cell) { return !cell.empty(); });
    if (auto record = ncclRecordOf(named);
        record && (!surplus || (record->printed.row.timing() && record->printed.consistent())))
        run->keep(std::move(*record), fmt::format("line {}", number));
    else if (!cells[0].empty() && cells[0].find_first_not_of("-:") != std::string::npos)
        run->broken(1, number);
    return true;
}

bool NcclCellTable::begin(bool bars, std::string_view bare, int64_t number) {
    if (bars) {
        std::vector<std::string_view> views(cells.begin(), cells.end());
        if (auto columns = NcclColumns::ofMarkdown(views)) {
            run->begin(NcclTests::Form::Markdown);
            bench = std::move(columns);
            delimiter = '|';
            run->tableLine = number;
            return true;
        }
    }
    std::vector<NcclField> found;
    int half = -1;
    size_t sizes = 0, busbws = 0, known = 0;
    for (const std::string& cell : cells) {
        NcclField field = ncclFieldOf(cell);
        half += field.kind == NcclField::Kind::Time && field.half < 0;
        if (field.measured() && field.half < 0 && half == 1)
            field.half = 1;
        sizes += field.kind == NcclField::Kind::Size;
        busbws += field.kind == NcclField::Kind::Busbw;
        known += field.kind != NcclField::Kind::Unknown;
        found.push_back(field);
    }
    if (sizes != 1 || busbws == 0 || known < 4)
        return false;
    if (!bars && profiles::sniffDelimiter(bare) == '\t' && !needsTabs(bare))
        return false;
    run->begin(bars ? NcclTests::Form::Markdown : NcclTests::Form::Csv);
    run->tableLine = number;
    bench.reset();
    fields = std::move(found);
    delimiter = bars ? '|' : profiles::sniffDelimiter(bare);
    return true;
}

bool NcclCellTable::benchRow(int64_t number) {
    const bool rule = std::all_of(cells.begin(), cells.end(),
                                  [](const std::string& c) { return c.find_first_not_of("-:") == std::string::npos; });
    if (rule)
        return true;
    const std::vector<std::string_view> views(cells.begin(), cells.end());
    if (auto made = bench->markdownRow(views))
        run->keep(std::move(*made), fmt::format("line {}", number));
    else
        run->broken(1, number);
    return true;
}

void NcclCellTable::end() {
    bench.reset();
    fields.clear();
    delimiter = 0;
}

} // namespace warplight::collectives
