// SPDX-License-Identifier: GPL-3.0-or-later
// Source and PTX side by side, with what each line did.
#include "core/labs/inspector/figures.h"
#include "core/labs/inspector/ptx_text.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using namespace lab;

/// What a line of either pane did.
struct Sum {
    uint64_t warps = 0, bytes = 0, sectors = 0, globalRequests = 0, wavefronts = 0, ideal = 0;

    void add(const gpu::LineCount& l) {
        warps += l.warps;
        bytes += l.bytes;
        wavefronts += l.wavefronts;
        ideal += l.idealWavefronts;
        sectors += l.sectors;
        globalRequests += l.sectors > 0 ? l.requests : 0;
    }
    std::vector<std::optional<double>> counts() const {
        const auto some = [](double value, bool there) { return there ? std::optional(value) : std::nullopt; };
        return {some(static_cast<double>(warps), warps > 0), some(static_cast<double>(bytes), bytes > 0),
                some(static_cast<double>(sectors) / static_cast<double>(std::max<uint64_t>(globalRequests, 1)),
                     globalRequests > 0),
                some(static_cast<double>(wavefronts) - static_cast<double>(std::min(ideal, wavefronts)),
                     wavefronts > ideal)};
    }
};

std::vector<Source::Counter> counters() {
    return {{"warps", "Instructions", "", Provenance::Counted, ""},
            {"bytes", "Bytes", "B", Provenance::Counted, ""},
            {"sectors", "Sectors", "/ request", Provenance::Counted, "{:.1f}"},
            {"conflicts", "Conflicts", "passes", Provenance::Counted, ""}};
}

void remark(Source::Line& line, const Remark& r) {
    line.remark += (line.remark.empty() ? "" : " ") + r.text;
    line.severity = std::max(line.severity, r.severity);
}

using Place = std::pair<std::string, int>; ///< file and line

Source::Pane ptxPane(const Inspection& of, const std::vector<PtxLine>& lines, const std::vector<Remark>& remarks) {
    Source::Pane pane;
    pane.id = "ptx";
    pane.title = of.ptxName;
    pane.language = Source::Language::Ptx;
    pane.counters = counters();
    std::map<int, Sum> sums;
    for (const gpu::LineCount& l : of.stats.lines)
        sums[l.line].add(l);
    for (const PtxLine& l : lines) {
        Source::Line line;
        line.number = l.number;
        line.text = l.text;
        if (const auto sum = sums.find(l.number); sum != sums.end())
            line.counts = sum->second.counts();
        for (const Remark& r : remarks)
            if (r.line == l.number)
                remark(line, r);
        pane.lines.push_back(std::move(line));
    }
    return pane;
}

/// The files that the kernel comes from, those that do most first, one below the other.
Source::Pane sourcePane(const Inspection& of, const std::vector<PtxLine>& lines, const std::vector<Remark>& remarks,
                        std::map<Place, int64_t>& at) {
    std::map<Place, Sum> sums;
    std::map<std::string, uint64_t> work; // by file
    std::map<int, Place> places;
    for (const PtxLine& l : lines)
        if (of.sources.contains(l.sourceFile)) {
            places[l.number] = {l.sourceFile, l.sourceLine};
            work[l.sourceFile] += 1;
        }
    for (const gpu::LineCount& l : of.stats.lines)
        if (const auto place = places.find(l.line); place != places.end()) {
            sums[place->second].add(l);
            work[place->second.first] += l.warps;
        }
    std::vector<std::string> files;
    for (const auto& [file, count] : work)
        files.push_back(file);
    std::stable_sort(files.begin(), files.end(), [&](const auto& a, const auto& b) { return work[a] > work[b]; });
    Source::Pane pane;
    pane.id = "source";
    pane.language = Source::Language::Cpp;
    pane.counters = counters();
    for (const std::string& file : files) {
        const std::string name = file.substr(file.rfind('/') + 1);
        pane.title += (pane.title.empty() ? "" : ", ") + name;
        if (files.size() > 1)
            pane.lines.push_back({0, "// ── " + name, {}, {}, "", Source::Severity::None});
        std::istringstream text(of.sources.at(file));
        int number = 0;
        for (std::string line; std::getline(text, line);) {
            const Place place{file, ++number};
            Source::Line shown;
            shown.number = number;
            shown.text = line;
            if (const auto sum = sums.find(place); sum != sums.end())
                shown.counts = sum->second.counts();
            for (const Remark& r : remarks)
                if (const auto where = places.find(r.line); where != places.end() && where->second == place)
                    remark(shown, r);
            at[place] = static_cast<int64_t>(pane.lines.size());
            pane.lines.push_back(std::move(shown));
        }
    }
    return pane;
}

} // namespace

Figure sourceFigure(const Inspection& of, const std::vector<Remark>& remarks) {
    const std::vector<PtxLine> lines = kernelLines(of.ptx, of.kernel);
    std::map<Place, int64_t> at;
    Source::Pane source = sourcePane(of, lines, remarks, at), ptx = ptxPane(of, lines, remarks);
    for (size_t i = 0; i < lines.size(); ++i)
        if (const auto place = at.find({lines[i].sourceFile, lines[i].sourceLine}); place != at.end()) {
            ptx.lines[i].partners.push_back(place->second);
            source.lines[static_cast<size_t>(place->second)].partners.push_back(static_cast<int64_t>(i));
        }
    Source figure;
    figure.selectable = true;
    const bool known = !source.lines.empty();
    if (known)
        figure.panes.push_back(std::move(source));
    figure.panes.push_back(std::move(ptx));
    return {
        "source",
        "Source",
        known ? "what each line did; a click shows its accesses" : "PTX: the source is not at hand",
        "**Counted** while the kernel ran on the virtual GPU. Instructions: of warps. Bytes: that threads asked for. "
        "Sectors a request: pieces of 32 B of global memory that one access of a warp touches, 4 when lanes read "
        "consecutive words. Conflicts: passes over the 32 banks of shared memory beyond the fewest possible.",
        Figure::Place::Main,
        std::move(figure)};
}

std::vector<int> ptxLines(const Source& source, int64_t pane, int64_t row) {
    std::vector<int> numbers;
    if (pane < 0 || pane >= static_cast<int64_t>(source.panes.size()) || row < 0 ||
        row >= static_cast<int64_t>(source.panes[static_cast<size_t>(pane)].lines.size()))
        return numbers;
    const Source::Pane& ptx = source.panes.back();
    const Source::Line& line = source.panes[static_cast<size_t>(pane)].lines[static_cast<size_t>(row)];
    if (pane + 1 == static_cast<int64_t>(source.panes.size()))
        return {static_cast<int>(line.number)};
    std::vector<int64_t> rows = line.partners;
    const auto bytes = [&](int64_t r) {
        const auto& counts = ptx.lines[static_cast<size_t>(r)].counts;
        return counts.empty() ? 0.0 : counts[1].value_or(0);
    };
    std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) { return bytes(a) > bytes(b); });
    for (const int64_t r : rows)
        numbers.push_back(static_cast<int>(ptx.lines[static_cast<size_t>(r)].number));
    return numbers;
}

} // namespace warplight::labs::inspector
