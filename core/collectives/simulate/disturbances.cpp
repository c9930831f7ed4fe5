// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/disturbances.h"

#include "core/error.h"
#include "core/tensor/philox.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace warplight::collectives {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

void expect(bool holds, const char* field, double value, const char* expected) {
    if (!holds || !std::isfinite(value))
        throw InputError(fmt::format("disturbances: {} is {}, expected {}", field, value, expected));
}

/// Whether traffic fills a slot: the same answer whenever it is asked, so no slot needs to be kept.
bool filled(uint64_t seed, int64_t link, int64_t slot, double probability) {
    const auto low = [](auto value) { return static_cast<uint32_t>(value); };
    const auto high = [](auto value) { return static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32); };
    const auto random = tensor::philox({low(slot), high(slot), low(link), high(link)}, {low(seed), high(seed)});
    return random[0] < probability * 4294967296.0;
}

} // namespace

const Straggler Weather::nobody{};

Weather::Weather(const Disturbances& disturbances, const Fabric& fabric) {
    for (const Straggler& each : disturbances.stragglers) {
        expect(each.rank >= 0 && each.rank < fabric.ranks(), "straggler.rank", each.rank, "one of the ranks");
        expect(each.slowdown >= 1, "straggler.slowdown", each.slowdown, "at least 1");
        expect(each.startsLate >= 0, "straggler.startsLate", each.startsLate, "seconds of at least 0");
        expect(each.stepDelay >= 0, "straggler.stepDelay", each.stepDelay, "seconds of at least 0");
        stragglers.resize(static_cast<size_t>(fabric.ranks()));
        Straggler& of = stragglers[static_cast<size_t>(each.rank)];
        of.slowdown *= each.slowdown; // several of one rank add up
        of.startsLate += each.startsLate;
        of.stepDelay += each.stepDelay;
    }
    uint64_t number = 0;
    for (const LinkDisturbance& each : disturbances.links) {
        expect(each.shareTaken >= 0 && each.shareTaken < 1, "link.shareTaken", each.shareTaken, "0 to less than 1");
        expect(each.burstSeconds == 0 || each.burstSeconds >= 1e-9, "link.burstSeconds", each.burstSeconds,
               "0 or at least 1e-9 seconds");
        expect(each.burstProbability >= 0 && each.burstProbability <= 1, "link.burstProbability", each.burstProbability,
               "0 to 1");
        expect(each.slowsAt >= 0, "link.slowsAt", each.slowsAt, "seconds of at least 0");
        expect(each.slowdown >= 1, "link.slowdown", each.slowdown, "at least 1");
        const int64_t link = each.link == "all" ? -1 : fabric.find(each.link);
        entries.push_back({each, link, disturbances.seed + 0x9e3779b97f4a7c15u * number++});
        disturbed.resize(static_cast<size_t>(fabric.links()));
        everyLink |= link < 0;
        if (link >= 0)
            disturbed[static_cast<size_t>(link)] = 1;
        calmLinks = false;
    }
}

double Weather::bandwidthLeft(int64_t link, double at, double& until) const {
    double left = 1;
    for (const Entry& entry : entries) {
        if (entry.link >= 0 && entry.link != link)
            continue;
        const LinkDisturbance& what = entry.what;
        if (what.slowsAt <= at)
            left /= what.slowdown;
        else
            until = std::min(until, what.slowsAt);
        if (what.burstSeconds == 0) {
            left *= 1 - what.shareTaken;
        } else if (what.shareTaken > 0) {
            const double slot = std::floor(at / what.burstSeconds);
            // Rounding must not stop the clock at the border between two slots.
            const double end = (slot + 1) * what.burstSeconds;
            until = std::min(until, end > at ? end : std::nextafter(at, never));
            if (filled(entry.seed, link, static_cast<int64_t>(std::min(slot, 9e18)), what.burstProbability))
                left *= 1 - what.shareTaken;
        }
    }
    return left;
}

double Weather::transferSeconds(const std::vector<int64_t>& route, double start, double bytes, double secondsPerByte,
                                const std::function<void()>& onSlot) const {
    const double work = bytes * secondsPerByte; // seconds with the whole bandwidth
    if (calmLinks || std::none_of(route.begin(), route.end(), [&](int64_t link) { return isDisturbed(link); }))
        return work;
    double left = work, now = start;
    while (true) {
        onSlot();
        double until = never, rate = 1;
        for (const int64_t link : route)
            if (isDisturbed(link))
                rate = std::min(rate, bandwidthLeft(link, now, until));
        if (left <= rate * (until - now))
            return now + left / rate - start;
        left -= rate * (until - now);
        now = until;
    }
}

} // namespace warplight::collectives
