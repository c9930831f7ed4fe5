// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/timeline_index.h"

#include "core/lab/timeline_tracks.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace warplight::app {
namespace {

constexpr size_t mostColourKeys = 1024; ///< a legend of more tells nobody anything

constexpr size_t mostScanned = 256; ///< lanes looked through for a free one; sorting finds it in fewer steps

} // namespace

size_t TimelineIndex::Lane::firstEndingAfter(double time) const {
    return static_cast<size_t>(std::upper_bound(end.begin(), end.end(), time) - end.begin());
}

size_t TimelineIndex::Lane::firstBeginningFrom(double time, size_t from) const {
    return static_cast<size_t>(std::lower_bound(begin.begin() + static_cast<ptrdiff_t>(from), begin.end(), time) -
                               begin.begin());
}

uint16_t TimelineIndex::colourOf(const std::string& key) {
    auto found = std::find(keys.begin(), keys.end(), key);
    if (found == keys.end()) {
        if (keys.size() >= mostColourKeys)
            return 0;
        found = keys.insert(keys.end(), key);
    }
    return static_cast<uint16_t>(found - keys.begin());
}

void TimelineIndex::add(const lab::Timeline& timeline, uint32_t index, size_t laneNumber) {
    const auto& span = timeline.spans[index];
    Track& track = trackList[static_cast<size_t>(span.track)];
    if (laneNumber >= track.lanes.size())
        track.lanes.resize(laneNumber + 1);
    Lane& lane = track.lanes[laneNumber];
    lane.begin.push_back(span.begin);
    lane.end.push_back(span.end);
    lane.busyBefore.push_back(lane.busyBefore.back() + (span.end - span.begin));
    lane.span.push_back(index);
    lane.colour.push_back(colourOf(span.colourKey));
    track.lastBegin = span.begin;
    earliest = std::min(earliest, span.begin);
    latest = std::max(latest, span.end);
}

void TimelineIndex::clear(size_t tracks) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    keys = {""};
    trackList.assign(tracks, {std::vector<Lane>(1), -infinity});
    earliest = infinity;
    latest = -infinity;
}

void TimelineIndex::rebuild(const lab::Timeline& timeline) {
    clear(timeline.tracks.size());
    extend(timeline, 0);
}

void TimelineIndex::extend(const lab::Timeline& timeline, size_t from) {
    for (size_t i = from; i < timeline.spans.size(); ++i) {
        const auto& span = timeline.spans[i];
        const Track& track = trackList[static_cast<size_t>(span.track)];
        if (span.begin < track.lastBegin || track.lanes.size() > mostScanned)
            return sortAll(timeline);
        const auto free = std::find_if(track.lanes.begin(), track.lanes.end(), [&](const Lane& lane) {
            return lane.end.empty() || lane.end.back() <= span.begin;
        });
        add(timeline, static_cast<uint32_t>(i), static_cast<size_t>(free - track.lanes.begin()));
    }
}

void TimelineIndex::sortAll(const lab::Timeline& timeline) {
    clear(timeline.tracks.size());
    for (const auto& span : timeline.spans) // in the order of appearance, which is the order of the legend
        colourOf(span.colourKey);
    for (const auto& track : lab::tracksOf(timeline))
        for (size_t i = 0; i < track.spans.size(); ++i)
            add(timeline, track.spans[i], track.lanes[i]);
}

MergedPixel mergePixel(const TimelineIndex::Lane& lane, size_t index, double until, double pixel) {
    size_t next = std::max(index + 1, lane.firstBeginningFrom(until, index));
    if (next > index + 1 && lane.end[next - 1] > until + pixel)
        --next;
    MergedPixel merged{next, std::min(1.0, (lane.busyBefore[next] - lane.busyBefore[index]) / pixel), 0};
    // Stretches of neighbours: spans that take turns (load, compute, load, ...) are met in equal number.
    constexpr size_t stretches = 4, neighbours = 4;
    const size_t count = next - index, samples = std::min(count, stretches * neighbours);
    std::array<std::pair<uint16_t, double>, stretches * neighbours> times; // by colour
    size_t known = 0, most = 0;
    for (size_t i = 0; i < samples; ++i) {
        const size_t begin = count <= samples ? i : (count - neighbours) * (i / neighbours) / (stretches - 1);
        const size_t at = index + begin + (count <= samples ? 0 : i % neighbours);
        size_t colour = 0;
        while (colour < known && times[colour].first != lane.colour[at])
            ++colour;
        if (colour == known)
            times[known++] = {lane.colour[at], 0};
        times[colour].second += lane.end[at] - lane.begin[at];
        if (times[colour].second > times[most].second)
            most = colour;
    }
    merged.colour = times[most].first;
    return merged;
}

} // namespace warplight::app
