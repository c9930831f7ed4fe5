// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/tally.h"
#include "core/collectives/transport.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

/// A rank in the current step, and what it sent to the same rank so far without its being counted yet.
struct Node {
    double now = 0;   ///< it is in the step
    double until = 0; ///< it is through with it
    int64_t sendBytes = 0, receiveBytes = 0;
    Range received;
    int32_t sendTo = -1, receiveFrom = -1;
    bool reduce = false;
    int32_t routeTo = -1;
    LinkCost cost;
    int64_t messages = 0, bytes = 0;
    double seconds = 0;
};

class Dataflow {
  public:
    explicit Dataflow(Tally& tally)
        : tally(tally),
          nodes(static_cast<size_t>(tally.fabric.ranks())),
          owner(static_cast<size_t>(tally.fabric.links()) - 2 * nodes.size(), -1) {}

    std::optional<SimulationResult> run() {
        for (size_t rank = 0; rank < nodes.size(); ++rank)
            nodes[rank].now = tally.weather.of(static_cast<int>(rank)).startsLate;
        for (int64_t index = 0; index < tally.schedule.steps(); ++index) {
            if (!load(index))
                return std::nullopt;
            for (const int32_t rank : active)
                if (nodes[static_cast<size_t>(rank)].receiveFrom >= 0 && !deliver(rank, index))
                    return std::nullopt;
            for (const int32_t rank : active)
                nodes[static_cast<size_t>(rank)].now = nodes[static_cast<size_t>(rank)].until;
        }
        std::vector<double> times;
        for (size_t rank = 0; rank < nodes.size(); ++rank) {
            count(static_cast<int32_t>(rank));
            times.push_back(nodes[rank].now);
        }
        return tally.finish(std::move(times), 0);
    }

  private:
    /// False = a rank has more than one message to send or to take.
    bool load(int64_t index) {
        active.clear();
        int64_t balance = 0;
        for (size_t rank = 0; rank < nodes.size(); ++rank) {
            tally.schedule.step(static_cast<int>(rank), index, work);
            tally.work(1);
            Node& node = nodes[rank];
            node.sendTo = node.receiveFrom = -1;
            if (work.sends.empty() && work.receives.empty())
                continue;
            if (work.sends.size() > 1 || work.receives.size() > 1)
                return false;
            tally.checkPartners(static_cast<int>(rank), index, work);
            active.push_back(static_cast<int32_t>(rank));
            node.now += tally.weather.of(static_cast<int>(rank)).stepDelay;
            node.until = node.now;
            if (!work.sends.empty()) {
                node.sendTo = work.sends[0].to;
                node.sendBytes = work.sends[0].range.size() * tally.elementBytes;
                ++balance;
            }
            if (!work.receives.empty()) {
                node.receiveFrom = work.receives[0].from;
                node.received = work.receives[0].range;
                node.receiveBytes = node.received.size() * tally.elementBytes;
                node.reduce = work.receives[0].reduce;
                --balance;
            }
        }
        if (balance != 0)
            throw CountMismatch(fmt::format("step {}: {} messages are {}", index, std::abs(balance),
                                            balance > 0 ? "sent that nobody expects" : "expected that nobody sends"));
        return true;
    }

    /// False = the message takes a link that another rank uses too.
    bool deliver(int32_t destination, int64_t index) {
        Node& to = nodes[static_cast<size_t>(destination)];
        const int32_t source = to.receiveFrom;
        Node& from = nodes[static_cast<size_t>(source)];
        if (from.sendTo != destination || from.sendBytes != to.receiveBytes)
            throw CountMismatch(fmt::format("step {}: rank {} waits for {} bytes from rank {}, which sends others",
                                            index, destination, to.receiveBytes, source));
        if (from.routeTo != destination && !changeRoute(source, destination))
            return false;
        if (!tally.weather.calm())
            tally.fabric.route(source, destination, route);
        const double start = std::max(from.now, to.now);
        const double seconds = tally.messageSeconds(source, destination, from.cost, route, start, from.sendBytes);
        const double end = start + seconds;
        const double done = end + (to.reduce ? tally.reduceSeconds(destination, to.receiveBytes) : 0);
        from.until = std::max(from.until, end);
        to.until = std::max(to.until, done);
        ++from.messages;
        from.bytes += from.sendBytes;
        from.seconds += seconds;
        if (tally.options.keepsLog)
            tally.log({source, destination, index, to.received, to.reduce, to.receiveBytes, start, done});
        return true;
    }

    bool changeRoute(int32_t source, int32_t destination) {
        count(source);
        Node& node = nodes[static_cast<size_t>(source)];
        node.routeTo = destination;
        node.cost = tally.fabric.route(source, destination, route);
        tally.work(static_cast<int64_t>(route.size()));
        for (size_t i = 1; i + 1 < route.size(); ++i) { // the two ports are nobody else's in this step
            int32_t& first = owner[static_cast<size_t>(route[i]) - 2 * nodes.size()];
            if (first < 0)
                first = source;
            if (first != source)
                return false;
        }
        return true;
    }

    void count(int32_t source) {
        Node& node = nodes[static_cast<size_t>(source)];
        if (node.messages == 0)
            return;
        tally.fabric.route(source, node.routeTo, route);
        tally.count(source, node.routeTo, route, node.messages, node.bytes, node.seconds);
        node.messages = node.bytes = 0;
        node.seconds = 0;
    }

    Tally& tally;
    std::vector<Node> nodes;
    std::vector<int32_t> owner; ///< [links but the ports]: who sends through it, -1 = nobody so far
    std::vector<int32_t> active;
    std::vector<int64_t> route;
    Step work;
};

} // namespace

std::optional<SimulationResult> simulateByDataflow(Tally& tally) { return Dataflow(tally).run(); }

} // namespace warplight::collectives
