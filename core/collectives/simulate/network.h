// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::collectives {

enum class Topology {
    FullMesh, ///< a switch that never blocks: messages meet at the ranks' ports only
    Ring,     ///< a link each way between neighbours; others are reached the shorter way round
    FatTree,  ///< leaf switches of `leafPorts` ranks below spine switches, `oversubscription` times fewer links upwards
    Islands,  ///< `islandRanks` ranks share a fast switch; between islands it is `far`, through uplinks
};

/// What a message costs: α + bytes·β while it is on its way (R. Hockney's line).
struct LinkCost {
    double latency = 5e-6;         ///< α, seconds a message
    double secondsPerByte = 4e-11; ///< β, here the reciprocal of a bandwidth: 25 GB/s
    bool operator==(const LinkCost&) const = default;
};

/// Full duplex: every rank has a port to send and one to receive, each of which carries one message at a time. So does
/// every link.
struct Network {
    LinkCost cost;
    double secondsPerReducedByte = 0; ///< γ, at the receiver, after the message came
    Topology topology = Topology::FullMesh;
    int leafPorts = 16;          ///< fat tree: ranks below one leaf switch
    double oversubscription = 1; ///< fat tree: ranks below a leaf over its links upwards, >= 1
    int islandRanks = 8;
    LinkCost far{1e-5, 8e-11};  ///< islands: between them
    bool uplinkPerRank = false; ///< islands: every rank has its own way out; otherwise each island has one
};

/// Throws InputError, naming the field, for what is no network.
void check(const Network& network);

/// The links of a network for some ranks, numbered: first the ranks' ports out, then their ports in, then the
/// topology's own. Nothing is stored a link.
class Fabric {
  public:
    Fabric(const Network& network, int ranks);

    int ranks() const { return rankCount; }
    int64_t links() const { return linkCount; }
    /// "rank 3 out", "rank 3 in", "link 3->4", "leaf 0 up 2", "leaf 0 down 2", "island 1 out", "island 1 in".
    std::string name(int64_t link) const;
    /// Throws InputError for a name that no link has.
    int64_t find(const std::string& name) const;
    /// Links that a message takes, both ports included, in `links`, which is cleared first.
    LinkCost route(int source, int destination, std::vector<int64_t>& links) const;

  private:
    int groupOf(int rank) const { return rank / groupRanks; }

    Network network;
    int rankCount;
    int groupRanks = 1; ///< below a leaf, in an island
    int64_t groups = 0;
    int64_t uplinks = 1; ///< of a leaf
    int64_t linkCount;
};

} // namespace warplight::collectives
