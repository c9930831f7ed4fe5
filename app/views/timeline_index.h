// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::app {

/// A timeline's spans as drawing needs them: lanes within which nothing overlaps, sorted, so that what is visible is
/// found by bisection and how busy a pixel is by a difference of two sums.
class TimelineIndex {
  public:
    struct Lane {
        std::vector<double> begin, end;      ///< both ascending
        std::vector<double> busyBefore{0.0}; ///< sum of the lengths of the spans before; one more than spans
        std::vector<uint32_t> span;          ///< index into Timeline::spans
        std::vector<uint16_t> colour;        ///< index into colourKeys()

        size_t firstEndingAfter(double time) const;
        size_t firstBeginningFrom(double time, size_t from = 0) const;
    };
    struct Track {
        std::vector<Lane> lanes; ///< at least one
        double lastBegin;
    };

    void rebuild(const lab::Timeline& timeline);
    /// Takes in the spans from `from` on. Sorts all of them anew only if a track gets one that begins before its last.
    void extend(const lab::Timeline& timeline, size_t from);

    const std::vector<Track>& tracks() const { return trackList; }
    const std::vector<std::string>& colourKeys() const { return keys; } ///< in order of appearance; the first is ""
    double first() const { return earliest <= latest ? earliest : 0; }  ///< begin and end of all; 0 and 0 without spans
    double last() const { return earliest <= latest ? latest : 0; }

  private:
    void clear(size_t tracks);
    void sortAll(const lab::Timeline& timeline);
    uint16_t colourOf(const std::string& key);
    void add(const lab::Timeline& timeline, uint32_t index, size_t lane);

    std::vector<Track> trackList;
    std::vector<std::string> keys;
    double earliest = 0, latest = 0;
};

/// What a lane looks like where spans are narrower than a pixel.
struct MergedPixel {
    size_t next;     ///< the first span that is not part of it
    double busy;     ///< 0..1
    uint16_t colour; ///< that which takes most of the time, judged by some of the spans
};

/// The spans from `index` on that begin before `until`, one pixel's worth; a wide one at their end is left out.
MergedPixel mergePixel(const TimelineIndex::Lane& lane, size_t index, double until, double pixel);

} // namespace warplight::app
