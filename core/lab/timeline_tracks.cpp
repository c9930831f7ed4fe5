// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/timeline_tracks.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

namespace warplight::lab {

std::vector<TrackLanes> tracksOf(const Timeline& timeline) {
    std::vector<TrackLanes> tracks(timeline.tracks.size());
    for (size_t i = 0; i < timeline.spans.size(); ++i)
        tracks[static_cast<size_t>(timeline.spans[i].track)].spans.push_back(static_cast<uint32_t>(i));
    for (TrackLanes& track : tracks) {
        std::stable_sort(track.spans.begin(), track.spans.end(), [&](uint32_t a, uint32_t b) {
            const auto &left = timeline.spans[a], &right = timeline.spans[b];
            return left.begin != right.begin ? left.begin < right.begin : left.end > right.end;
        });
        // Lanes that are taken, the one that ends first on top; lanes that are free, the lowest on top.
        using Taken = std::pair<double, uint32_t>;
        std::priority_queue<Taken, std::vector<Taken>, std::greater<>> taken;
        std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> free;
        uint32_t used = 0;
        track.lanes.reserve(track.spans.size());
        for (const uint32_t index : track.spans) {
            const auto& span = timeline.spans[index];
            while (!taken.empty() && taken.top().first <= span.begin) {
                free.push(taken.top().second);
                taken.pop();
            }
            uint32_t lane = used;
            if (free.empty()) {
                ++used;
            } else {
                lane = free.top();
                free.pop();
            }
            track.lanes.push_back(lane);
            taken.emplace(span.end, lane);
        }
        track.count = std::max(used, 1u);
    }
    return tracks;
}

std::vector<double> busyShares(const Timeline& timeline) {
    double first = std::numeric_limits<double>::infinity(), last = -first;
    for (const auto& span : timeline.spans) {
        first = std::min(first, span.begin);
        last = std::max(last, span.end);
    }
    std::vector<double> shares;
    for (const TrackLanes& track : tracksOf(timeline)) {
        double busy = 0, until = first;
        for (const uint32_t index : track.spans) {
            const auto& span = timeline.spans[index];
            busy += std::max(0.0, span.end - std::max(span.begin, until));
            until = std::max(until, span.end);
        }
        shares.push_back(last > first ? busy / (last - first) : 0);
    }
    return shares;
}

} // namespace warplight::lab
