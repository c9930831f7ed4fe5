// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/simulate/network.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace warplight::collectives {

/// A rank that holds the others up.
struct Straggler {
    int rank = 0;
    double slowdown = 1;   ///< >= 1: its messages, both ways, and its reductions take so many times as long
    double startsLate = 0; ///< seconds
    double stepDelay = 0;  ///< seconds before each step in which it has something to do
};

/// A link with less than its bandwidth. Latency stays as it is.
struct LinkDisturbance {
    std::string link = "all"; ///< a name of Fabric's, or "all"
    double shareTaken = 0;    ///< by background traffic, in [0, 1)
    /// 0 = all the time; otherwise time is cut into slots of so many seconds, and traffic fills a slot or not.
    double burstSeconds = 0;
    double burstProbability = 0.5; ///< of a slot to be filled
    double slowsAt = 0;            ///< seconds; from then on ...
    double slowdown = 1;           ///< ... a byte takes so many times as long, >= 1
};

struct Disturbances {
    std::vector<Straggler> stragglers;
    std::vector<LinkDisturbance> links;
    uint64_t seed = 1; ///< of the bursts: the same seed, the same bursts
};

/// Disturbances looked up by rank and link. Throws InputError, naming the field, for what cannot be.
class Weather {
  public:
    Weather(const Disturbances& disturbances, const Fabric& fabric);

    bool calm() const { return calmLinks && stragglers.empty(); }
    const Straggler& of(int rank) const { return stragglers.empty() ? nobody : stragglers[static_cast<size_t>(rank)]; }
    /// Seconds until `bytes` are through all the links at once, the slowest deciding at any time, from `start` on.
    /// `onSlot` is called for every piece of constant bandwidth.
    double transferSeconds(const std::vector<int64_t>& route, double start, double bytes, double secondsPerByte,
                           const std::function<void()>& onSlot) const;

  private:
    struct Entry {
        LinkDisturbance what;
        int64_t link; ///< -1 = all
        uint64_t seed;
    };
    double bandwidthLeft(int64_t link, double at, double& until) const;
    bool isDisturbed(int64_t link) const { return everyLink || disturbed[static_cast<size_t>(link)]; }

    static const Straggler nobody;
    std::vector<Straggler> stragglers; ///< [ranks], or none
    std::vector<Entry> entries;
    std::vector<uint8_t> disturbed; ///< [links], or none when there are no entries
    bool calmLinks = true, everyLink = false;
};

} // namespace warplight::collectives
