// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/network_settings.h"

#include "core/lab/number_text.h"

#include <cstdint>
#include <fmt/format.h>

namespace warplight::labs::allreduce {

using lab::Parameter;

namespace {

Parameter real(const char* id, const char* title, const char* unit, double value, double least, double most,
               const char* doc) {
    Parameter parameter = Parameter::real(id, title, value, least, most, doc);
    parameter.unit = std::string(unit);
    return parameter;
}

} // namespace

std::vector<Parameter> networkParameters(const std::vector<lab::Condition>& shownWhen) {
    Parameter topology = Parameter::choice(
        "topology", "Topology", "full-mesh",
        {{"full-mesh", "full mesh", "A switch that never blocks: messages meet at the ranks' ports only."},
         {"ring", "ring", "Links between neighbours; others are reached the shorter way round."},
         {"fat-tree", "fat tree", "Leaf switches below spine switches."},
         {"islands", "NVLink islands", "Fast inside of an island, slower between them."}},
        "What links there are; a link carries one message at a time.");
    Parameter alpha = real("alpha", "Latency α", "µs", 5, 0, 1e6, "Of every message.");
    Parameter bandwidth = real("bandwidth", "Bandwidth 1/β", "GB/s", 25, 1e-6, 1e6, "Of every link, each way.");
    Parameter reduce = real("reduceRate", "Combining 1/γ", "GB/s", 200, 0, 1e6, "At the receiver; 0 = takes no time.");
    Parameter island = Parameter::integer("islandRanks", "Ranks an island", 8, 1, 1024, "That share the fast switch.");
    Parameter farAlpha = real("farAlpha", "Latency between", "µs", 10, 0, 1e6, "Of a message between islands.");
    Parameter farBandwidth =
        real("farBandwidth", "Bandwidth between", "GB/s", 12.5, 1e-6, 1e6, "Of an island's way out and in.");
    Parameter leaf = Parameter::integer("leafPorts", "Ranks a leaf", 16, 1, 1024, "Below one leaf switch.");
    Parameter over =
        Parameter::real("oversubscription", "Oversubscription", 1, 1, 64, "Ranks below a leaf over its links upwards.");
    Parameter disturbance = Parameter::choice("disturbance", "Disturbance", "none",
                                              {{"none", "none", ""},
                                               {"straggler", "a slow rank", ""},
                                               {"background", "background traffic", ""},
                                               {"slow-link", "a link that slows down", ""}},
                                              "What holds the others up.");
    Parameter who = Parameter::integer("slowRank", "Rank", 1, 0, 16383, "The slow one, or whose way out slows down.");
    Parameter factor = Parameter::real("slowdown", "Times slower", 4, 1, 1e6, "A byte takes so many times as long.");
    Parameter when = real("slowsAt", "From", "µs", 0, 0, 1e9, "When the link slows down.");
    Parameter share = Parameter::real("share", "Share taken", 0.5, 0, 0.99, "Of every link's bandwidth, by others.");
    Parameter burst = real("burst", "Bursts of", "µs", 50, 0, 1e9,
                           "Slots of so long are filled or not, by chance; 0 = all the time.");
    for (Parameter* p : {&topology, &alpha, &bandwidth, &reduce, &disturbance})
        p->shownWhen = shownWhen;
    for (Parameter* p : {&island, &farAlpha, &farBandwidth})
        p->shownWhen = {lab::when("topology", {"islands"})};
    for (Parameter* p : {&leaf, &over})
        p->shownWhen = {lab::when("topology", {"fat-tree"})};
    for (Parameter* p : {&who, &factor})
        p->shownWhen = {lab::when("disturbance", {"straggler", "slow-link"})};
    when.shownWhen = {lab::when("disturbance", {"slow-link"})};
    for (Parameter* p : {&share, &burst})
        p->shownWhen = {lab::when("disturbance", {"background"})};
    return {topology, alpha,       bandwidth, reduce, island, farAlpha, farBandwidth, leaf,
            over,     disturbance, who,       factor, when,   share,    burst};
}

collectives::Network networkOf(const lab::Settings& settings) {
    collectives::Network network;
    const std::string& topology = settings.text("topology");
    network.topology = topology == "ring"       ? collectives::Topology::Ring
                       : topology == "fat-tree" ? collectives::Topology::FatTree
                       : topology == "islands"  ? collectives::Topology::Islands
                                                : collectives::Topology::FullMesh;
    network.cost = {settings.real("alpha") * 1e-6, 1e-9 / settings.real("bandwidth")};
    network.far = {settings.real("farAlpha") * 1e-6, 1e-9 / settings.real("farBandwidth")};
    network.secondsPerReducedByte = settings.real("reduceRate") > 0 ? 1e-9 / settings.real("reduceRate") : 0;
    network.islandRanks = static_cast<int>(settings.integer("islandRanks"));
    network.leafPorts = static_cast<int>(settings.integer("leafPorts"));
    network.oversubscription = settings.real("oversubscription");
    return network;
}

collectives::Disturbances disturbancesOf(const lab::Settings& settings, int64_t ranks) {
    collectives::Disturbances disturbances;
    if (ranks <= settings.integer("slowRank"))
        return disturbances;
    const std::string& what = settings.text("disturbance");
    const int rank = static_cast<int>(settings.integer("slowRank"));
    if (what == "straggler") {
        collectives::Straggler straggler;
        straggler.rank = rank;
        straggler.slowdown = settings.real("slowdown");
        disturbances.stragglers.push_back(straggler);
    } else if (what == "slow-link") {
        collectives::LinkDisturbance link;
        link.link = fmt::format("rank {} out", rank);
        link.slowsAt = settings.real("slowsAt") * 1e-6;
        link.slowdown = settings.real("slowdown");
        disturbances.links.push_back(link);
    } else if (what == "background") {
        collectives::LinkDisturbance link;
        link.shareTaken = settings.real("share");
        link.burstSeconds = settings.real("burst") * 1e-6;
        disturbances.links.push_back(link);
    }
    return disturbances;
}

std::string networkText(const collectives::Network& network) {
    const char* topology = network.topology == collectives::Topology::Ring      ? "ring"
                           : network.topology == collectives::Topology::FatTree ? "fat tree"
                           : network.topology == collectives::Topology::Islands ? "islands"
                                                                                : "full mesh";
    const double beta = network.cost.secondsPerByte;
    return fmt::format("{}, α = {}, {}", topology, lab::numberText(network.cost.latency, "s"),
                       beta > 0 ? lab::numberText(1 / beta, "B/s") : std::string("bytes free"));
}

} // namespace warplight::labs::allreduce
