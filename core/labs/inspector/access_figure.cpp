// SPDX-License-Identifier: GPL-3.0-or-later
// One access of a warp: which lane touches what, and how many sectors or passes over the banks that makes.
#include "core/labs/inspector/figures.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using namespace lab;

constexpr int64_t sectorBytes = 32, banks = 32, bankBytes = 4;
constexpr size_t mostColumns = 32; ///< sectors drawn side by side
constexpr int mostRows = 8;        ///< words drawn below each other in a bank

Steps::Cell cell(double x, double y, double width, std::string text, Steps::CellState state) {
    return {x, y, width, 0.9, std::move(text), state, {}};
}

void lanes(Steps::Step& step, const gpu::MemoryAccess& a) {
    step.labels.push_back({0, 0.45, "lanes", Steps::Label::Align::Left, true, false});
    for (int i = 0; i < 32; ++i)
        step.cells.push_back(cell(4 + i, 0, 0.92, std::to_string(i),
                                  a.lanes >> i & 1 ? Steps::CellState::Highlight : Steps::CellState::Skipped));
}

/// Sectors in the order of their addresses; a gap is not drawn as wide as it is.
void sectors(Steps::Step& step, const AccessSample& sample) {
    const gpu::MemoryAccess& a = sample.access;
    std::map<int64_t, int> columns;
    for (size_t i = 0; i < 32; ++i)
        if (a.lanes >> i & 1)
            for (int64_t s = static_cast<int64_t>(a.address[i]) / sectorBytes;
                 s <= (static_cast<int64_t>(a.address[i]) + a.bytes - 1) / sectorBytes; ++s)
                columns.emplace(s, 0);
    int column = 0;
    for (auto& [sector, at] : columns)
        at = column++;
    std::map<int64_t, std::set<int64_t>> bytes; // of a sector, that lanes touch
    for (size_t i = 0; i < 32; ++i)
        if (a.lanes >> i & 1)
            for (int64_t b = 0; b < a.bytes; ++b) {
                const int64_t address = static_cast<int64_t>(a.address[i]) + b;
                bytes[address / sectorBytes].insert(address % sectorBytes);
            }
    const double width = 32.0 / static_cast<double>(std::min(std::max<size_t>(columns.size(), 4), mostColumns));
    step.labels.push_back({0, 4.45, "sectors", Steps::Label::Align::Left, true, false});
    int64_t used = 0;
    for (const auto& [sector, at] : columns) {
        used += static_cast<int64_t>(bytes[sector].size());
        if (static_cast<size_t>(at) >= mostColumns)
            continue;
        Steps::Cell c = cell(4 + at * width, 4, width * 0.96,
                             width >= 2 ? fmt::format("{} of 32 B", bytes[sector].size()) : "", Steps::CellState::Done);
        c.value = static_cast<double>(bytes[sector].size()) / sectorBytes;
        step.cells.push_back(std::move(c));
    }
    for (size_t i = 0; i < 32; ++i)
        if (a.lanes >> i & 1) {
            const int64_t sector = static_cast<int64_t>(a.address[i]) / sectorBytes;
            const int at = columns.at(sector);
            if (static_cast<size_t>(at) < mostColumns)
                step.arrows.push_back(
                    {4.46 + static_cast<double>(i), 0.95,
                     4 + at * width + width * 0.96 * (static_cast<double>(a.address[i] % sectorBytes) + 2) / 32, 3.95,
                     ""});
        }
    step.caption = fmt::format("Block {}, warp {}{}: {}. {} sectors of 32 B, {:.0f} % of their bytes used.", a.block,
                               a.warp, sample.buffer.empty() ? "" : ", " + sample.buffer, laneWords(a), columns.size(),
                               100.0 * static_cast<double>(used) /
                                   static_cast<double>(sectorBytes * static_cast<int64_t>(columns.size())));
}

/// A column for each bank, the different words in it one below the other: as many rows as passes.
void bankRows(Steps::Step& step, const AccessSample& sample, double& height) {
    const gpu::MemoryAccess& a = sample.access;
    std::map<int64_t, std::map<int64_t, std::vector<int>>> words; // by bank: words and the lanes that touch them
    for (int i = 0; i < 32; ++i)
        if (a.lanes >> i & 1)
            for (int64_t w = static_cast<int64_t>(a.address[static_cast<size_t>(i)]) / bankBytes;
                 w <= (static_cast<int64_t>(a.address[static_cast<size_t>(i)]) + a.bytes - 1) / bankBytes; ++w)
                words[w % banks][w].push_back(i);
    step.labels.push_back({0, 3.45, "banks", Steps::Label::Align::Left, true, false});
    size_t most = 0;
    for (const auto& [bank, in] : words) {
        most = std::max(most, in.size());
        int row = 0;
        for (const auto& [word, of] : in) {
            if (row == mostRows) {
                step.labels.push_back({4.46 + static_cast<double>(bank), 4.4 + mostRows,
                                       fmt::format("+{}", in.size() - mostRows), Steps::Label::Align::Centre, false,
                                       true});
                break;
            }
            const std::string text = of.size() == 1 ? std::to_string(of[0]) : fmt::format("{}…", of[0]);
            step.cells.push_back(cell(4 + static_cast<double>(bank), 4 + row, 0.92, text,
                                      row == 0 ? Steps::CellState::Done : Steps::CellState::Current));
            ++row;
        }
    }
    for (int bank = 0; bank < 32; ++bank)
        step.labels.push_back({4.46 + bank, 3.45, std::to_string(bank), Steps::Label::Align::Centre, false, true});
    height = std::max(height, 5 + static_cast<double>(std::min<size_t>(most, mostRows)));
    step.caption = fmt::format("Block {}, warp {}: {}. The fullest bank holds {} different word{}.", a.block, a.warp,
                               laneWords(a), most, most == 1 ? "" : "s");
}

} // namespace

Figure accessFigure(const Inspection& of, int ptxLine) {
    Steps steps;
    steps.width = 37;
    double height = 6;
    const auto found = of.accesses.find(ptxLine);
    std::string text;
    for (const gpu::LineCount& l : of.stats.lines)
        if (l.line == ptxLine)
            text = l.text;
    if (found != of.accesses.end())
        for (const AccessSample& sample : found->second) {
            Steps::Step step;
            lanes(step, sample.access);
            if (sample.access.shared)
                bankRows(step, sample, height);
            else
                sectors(step, sample);
            step.caption += fmt::format(" {} of the accesses watched lie like this.", sample.times);
            steps.steps.push_back(std::move(step));
        }
    steps.height = height;
    if (steps.steps.empty()) {
        Steps::Step nothing;
        nothing.caption = text.empty() ? "Click a line of the source or the PTX that reads or writes memory."
                                       : fmt::format("'{}' touches no memory that is watched.", text);
        steps.steps.push_back(std::move(nothing));
    }
    return {"access",
            "One access",
            text.empty() ? "" : fmt::format("PTX line {}: {}", ptxLine, text),
            "The first accesses of this instruction whose lanes lie differently, as they happened (**counted**). "
            "Sectors: the "
            "fuller, the brighter. Banks: words below each other in one bank cost a pass each; the numbers are lanes.",
            Figure::Place::Support,
            std::move(steps)};
}

int worstAccess(const Inspection& of) {
    int line = 0;
    uint64_t most = 0, any = 0;
    int first = 0;
    for (const gpu::LineCount& l : of.stats.lines) {
        const uint64_t pieces = l.sectors + l.wavefronts, fewest = l.idealSectors + l.idealWavefronts,
                       beyond = pieces > fewest ? pieces - fewest : 0;
        if (!of.accesses.contains(l.line))
            continue;
        if (beyond > most) {
            most = beyond;
            line = l.line;
        }
        if (pieces > any) {
            any = pieces;
            first = l.line;
        }
    }
    if (line == 0 && of.fault)
        return of.fault->line;
    return line ? line : first;
}

} // namespace warplight::labs::inspector
