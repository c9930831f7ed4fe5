// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstdint>
#include <span>
#include <vector>

namespace warplight::lab {

/// The spans of one track in the order of their begin (longer ones first), and for each the lane that it lies in: spans
/// that overlap lie in different lanes, as few as possible (interval colouring: the first lane that is free).
struct TrackLanes {
    std::vector<uint32_t> spans; ///< indices into Timeline::spans
    std::vector<uint32_t> lanes; ///< one per span, from 0
    uint32_t count = 1;          ///< lanes of the track, at least 1
};

/// One entry per track of the timeline.
std::vector<TrackLanes> tracksOf(const Timeline& timeline);

/// The share of time from the first begin to the last end of all spans in which a track has at least one span; 0..1.
std::vector<double> busyShares(const Timeline& timeline);

} // namespace warplight::lab
