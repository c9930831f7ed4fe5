// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/timeline_trace.h"

#include "core/formats/chrome_trace.h"
#include "core/lab/timeline_tracks.h"

#include <cstdint>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace warplight::lab {

void saveTimelineTrace(const Timeline& timeline, const std::filesystem::path& file) {
    const double microsecondsPerUnit = timeline.x.unit == "s" ? 1e6 : 1e-3;
    formats::Trace trace;
    const std::vector<TrackLanes> tracks = tracksOf(timeline);
    for (size_t t = 0; t < tracks.size(); ++t) {
        const auto& track = timeline.tracks[t];
        const size_t first = trace.lanes.size();
        for (uint32_t lane = 0; lane < tracks[t].count; ++lane)
            trace.lanes.push_back({track.group.empty() ? "Warplight" : track.group,
                                   tracks[t].count == 1 ? track.title : fmt::format("{} · {}", track.title, lane + 1),
                                   {}});
        for (size_t i = 0; i < tracks[t].spans.size(); ++i) {
            const auto& span = timeline.spans[tracks[t].spans[i]];
            formats::Trace::Slice slice;
            slice.begin = span.begin * microsecondsPerUnit;
            slice.duration = (span.end - span.begin) * microsecondsPerUnit;
            slice.name = span.text.empty() ? span.colourKey : span.text;
            slice.category = span.colourKey.empty() ? "span" : span.colourKey;
            slice.arguments.emplace_back("provenance", name(span.provenance));
            if (!span.detail.empty())
                slice.arguments.emplace_back("detail", span.detail);
            if (timeline.x.unit != "s")
                slice.arguments.emplace_back("clocks", fmt::format("{:.17g}", span.end - span.begin));
            trace.lanes[first + tracks[t].lanes[i]].slices.push_back(std::move(slice));
        }
    }
    formats::saveTrace(file, trace);
}

} // namespace warplight::lab
