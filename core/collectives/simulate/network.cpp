// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/network.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace warplight::collectives {
namespace {

void checkTime(double value, const char* field) {
    if (!std::isfinite(value) || value < 0)
        throw InputError(fmt::format("network: {} is {}, expected seconds of at least 0", field, value));
}

} // namespace

void check(const Network& network) {
    checkTime(network.cost.latency, "cost.latency");
    checkTime(network.cost.secondsPerByte, "cost.secondsPerByte");
    checkTime(network.far.latency, "far.latency");
    checkTime(network.far.secondsPerByte, "far.secondsPerByte");
    checkTime(network.secondsPerReducedByte, "secondsPerReducedByte");
    if (network.leafPorts < 1)
        throw InputError(fmt::format("network: leafPorts is {}, expected at least 1", network.leafPorts));
    if (network.islandRanks < 1)
        throw InputError(fmt::format("network: islandRanks is {}, expected at least 1", network.islandRanks));
    if (!std::isfinite(network.oversubscription) || network.oversubscription < 1)
        throw InputError(fmt::format("network: oversubscription is {}, expected at least 1", network.oversubscription));
}

Fabric::Fabric(const Network& network, int ranks) : network(network), rankCount(ranks) {
    check(network);
    const int64_t p = ranks;
    linkCount = 2 * p;
    switch (network.topology) {
    case Topology::FullMesh:
        break;
    case Topology::Ring:
        linkCount += p == 1 ? 0 : p == 2 ? 2 : 2 * p; // of two ranks each is the other's only neighbour
        break;
    case Topology::FatTree:
        groupRanks = network.leafPorts;
        uplinks = std::max<int64_t>(1, std::llround(std::floor(groupRanks / network.oversubscription + 1e-9)));
        uplinks = std::min(uplinks, p); // more are never taken
        groups = (p + groupRanks - 1) / groupRanks;
        linkCount += 2 * groups * uplinks;
        break;
    case Topology::Islands:
        groupRanks = network.islandRanks;
        groups = network.uplinkPerRank ? 0 : (p + groupRanks - 1) / groupRanks; // a rank's own way out is its port
        linkCount += 2 * groups;
        break;
    }
}

std::string Fabric::name(int64_t link) const {
    const int64_t p = rankCount;
    if (link < 2 * p)
        return fmt::format("rank {} {}", link % p, link < p ? "out" : "in");
    link -= 2 * p;
    switch (network.topology) {
    case Topology::Ring:
        return link < p ? fmt::format("link {}->{}", link, (link + 1) % p)
                        : fmt::format("link {}->{}", link - p, (link - 1) % p);
    case Topology::FatTree: {
        const bool up = link < groups * uplinks;
        link -= up ? 0 : groups * uplinks;
        return fmt::format("leaf {} {} {}", link / uplinks, up ? "up" : "down", link % uplinks);
    }
    default:
        return fmt::format("island {} {}", link % groups, link < groups ? "out" : "in");
    }
}

int64_t Fabric::find(const std::string& wanted) const {
    for (int64_t link = 0; link < linkCount; ++link)
        if (name(link) == wanted)
            return link;
    throw InputError(fmt::format("link '{}' is none of this network's, expected for example '{}' or '{}'", wanted,
                                 name(0), name(linkCount - 1)));
}

LinkCost Fabric::route(int source, int destination, std::vector<int64_t>& links) const {
    const int64_t p = rankCount;
    links.clear();
    links.push_back(source);
    LinkCost cost = network.cost;
    switch (network.topology) {
    case Topology::FullMesh:
        break;
    case Topology::Ring: {
        const int64_t up = (destination - source + p) % p;
        if (2 * up <= p)
            for (int64_t hop = 0; hop < up; ++hop)
                links.push_back(2 * p + (source + hop) % p);
        else
            for (int64_t hop = 0; hop < p - up; ++hop)
                links.push_back(3 * p + (source - hop + p) % p);
        break;
    }
    case Topology::FatTree:
        if (groupOf(source) != groupOf(destination)) {
            // The destination chooses the spine: what goes to one rank never takes two ways (D-mod-k routing).
            const int64_t spine = destination % uplinks;
            links.push_back(2 * p + groupOf(source) * uplinks + spine);
            links.push_back(2 * p + (groups + groupOf(destination)) * uplinks + spine);
        }
        break;
    case Topology::Islands:
        if (groupOf(source) != groupOf(destination)) {
            cost = network.far;
            if (!network.uplinkPerRank) {
                links.push_back(2 * p + groupOf(source));
                links.push_back(2 * p + groups + groupOf(destination));
            }
        }
        break;
    }
    links.push_back(p + destination);
    return cost;
}

} // namespace warplight::collectives
