// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/tally.h"
#include "core/collectives/transport.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

constexpr int64_t mostMessagesAtOnce = 1 << 24; // some 1.3 GB

struct Event {
    double time;
    enum Kind : uint8_t { Enters, Requests } kind; ///< its step; links for its next send
    int32_t rank;
    bool operator>(const Event& other) const {
        return std::tie(time, kind, rank) > std::tie(other.time, other.kind, other.rank);
    }
};

struct Node {
    int64_t index = -1; ///< its step
    Step work;
    struct Transfer {
        double start = 0, end = -1; ///< end < 0: not sent yet
    };
    std::vector<Transfer> transfers; ///< of work.receives
    std::vector<uint32_t> bySource;  ///< receives ordered by their source; empty until needed
    size_t missing = 0;              ///< of them
    size_t guess = 0;                ///< the receive that probably comes next
    size_t head = 0;                 ///< of work.sends
    bool entered = false, waits = false;
    double now = 0, sent = 0; ///< it entered the step; its last send ended
};

class EventQueue {
  public:
    explicit EventQueue(Tally& tally)
        : tally(tally),
          nodes(static_cast<size_t>(tally.fabric.ranks())),
          freeFrom(static_cast<size_t>(tally.fabric.links()), 0),
          finish(nodes.size(), -1) {}

    SimulationResult run() {
        for (size_t rank = 0; rank < nodes.size(); ++rank)
            advance(static_cast<int32_t>(rank), tally.weather.of(static_cast<int>(rank)).startsLate);
        int64_t events = 0;
        while (!queue.empty()) {
            const Event event = queue.top();
            queue.pop();
            ++events;
            tally.work(4);
            if (event.kind == Event::Enters)
                enter(event.rank, event.time);
            else
                request(event.rank, event.time);
        }
        for (size_t rank = 0; rank < nodes.size(); ++rank)
            if (finish[rank] < 0)
                throw CountMismatch(
                    fmt::format("rank {} waits in step {} for a message that does not come", rank, nodes[rank].index));
        return tally.finish(std::move(finish), events);
    }

  private:
    Node& node(int32_t rank) { return nodes[static_cast<size_t>(rank)]; }

    /// On to the next step in which it has something to do.
    void advance(int32_t rank, double time) {
        Node& of = node(rank);
        const auto size = [&] { return static_cast<int64_t>(of.work.sends.size() + of.work.receives.size()); };
        atOnce -= size();
        of.entered = false;
        do {
            if (++of.index >= tally.schedule.steps()) {
                of.work.clear();
                finish[static_cast<size_t>(rank)] = time;
                return;
            }
            tally.schedule.step(rank, of.index, of.work);
            tally.work(1 + size());
        } while (size() == 0);
        tally.checkPartners(rank, of.index, of.work);
        atOnce += size();
        if (atOnce > 2 * mostMessagesAtOnce)
            throw InputError(fmt::format("{} ranks have more than {} messages on their way in one step, expected fewer "
                                         "ranks for this algorithm",
                                         nodes.size(), mostMessagesAtOnce));
        of.bySource.clear();
        of.transfers.assign(of.work.receives.size(), {});
        of.missing = of.work.receives.size();
        of.head = of.guess = 0;
        of.sent = 0;
        queue.push({time + tally.weather.of(rank).stepDelay, Event::Enters, rank});
    }

    void enter(int32_t rank, double time) {
        Node& of = node(rank);
        of.entered = true;
        of.now = time;
        if (!of.work.sends.empty())
            queue.push({time, Event::Requests, rank});
        for (const Step::Receive& receive : of.work.receives) {
            Node& from = node(receive.from);
            if (from.waits && from.index == of.index && from.work.sends[from.head].to == rank) {
                from.waits = false;
                queue.push({time, Event::Requests, receive.from});
            }
        }
    }

    void request(int32_t rank, double time) {
        Node& from = node(rank);
        const Step::Send& send = from.work.sends[from.head];
        Node& to = node(send.to);
        if (!to.entered || to.index != from.index) {
            from.waits = true; // enter() of the other rank asks again
            return;
        }
        const size_t slot = slotOf(to, rank, send);
        const LinkCost cost = tally.fabric.route(rank, send.to, route);
        tally.work(static_cast<int64_t>(route.size()));
        double start = time;
        for (const int64_t link : route)
            start = std::max(start, freeFrom[static_cast<size_t>(link)]);
        const int64_t bytes = send.range.size() * tally.elementBytes;
        const double seconds = tally.messageSeconds(rank, send.to, cost, route, start, bytes);
        const double end = start + seconds;
        for (const int64_t link : route)
            freeFrom[static_cast<size_t>(link)] = end;
        tally.count(rank, send.to, route, 1, bytes, seconds);
        to.transfers[slot] = {start, end};
        --to.missing;
        from.sent = end;
        const int32_t destination = send.to;
        if (++from.head < from.work.sends.size())
            queue.push({end, Event::Requests, rank});
        finishStep(destination);
        finishStep(rank);
    }

    /// The receive from that rank; as many as there are receives when there is none.
    size_t find(Node& to, int32_t from) {
        const auto& receives = to.work.receives;
        if (to.bySource.size() != receives.size()) { // first needed in this step
            tally.work(static_cast<int64_t>(receives.size()));
            to.bySource.resize(receives.size());
            std::iota(to.bySource.begin(), to.bySource.end(), 0u);
            std::sort(to.bySource.begin(), to.bySource.end(),
                      [&](uint32_t one, uint32_t other) { return receives[one].from < receives[other].from; });
        }
        const auto found = std::lower_bound(to.bySource.begin(), to.bySource.end(), from,
                                            [&](uint32_t slot, int32_t rank) { return receives[slot].from < rank; });
        return found != to.bySource.end() && receives[*found].from == from ? *found : receives.size();
    }

    size_t slotOf(Node& to, int32_t from, const Step::Send& send) {
        const auto& receives = to.work.receives;
        size_t slot = to.guess; // most come in the order of the list
        if (slot >= receives.size() || receives[slot].from != from)
            slot = find(to, from);
        if (slot < receives.size() && receives[slot].range.size() == send.range.size() && to.transfers[slot].end < 0) {
            to.guess = slot + 1;
            return slot;
        }
        throw CountMismatch(fmt::format("step {}: rank {} sends {} elements to rank {}, which expects others", to.index,
                                        from, send.range.size(), send.to));
    }

    void finishStep(int32_t rank) {
        Node& of = node(rank);
        if (of.missing > 0 || of.head < of.work.sends.size())
            return;
        double done = of.now;
        for (size_t slot = 0; slot < of.transfers.size(); ++slot) {
            const Step::Receive& receive = of.work.receives[slot];
            const int64_t bytes = receive.range.size() * tally.elementBytes;
            done = std::max(done, of.transfers[slot].end) + (receive.reduce ? tally.reduceSeconds(rank, bytes) : 0);
            tally.log(
                {receive.from, rank, of.index, receive.range, receive.reduce, bytes, of.transfers[slot].start, done});
        }
        advance(rank, std::max(done, of.sent));
    }

    Tally& tally;
    std::vector<Node> nodes;
    std::vector<double> freeFrom; ///< [links], seconds
    std::vector<double> finish;   ///< [ranks], seconds
    std::vector<int64_t> route;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> queue;
    int64_t atOnce = 0; ///< sends and receives of all ranks' steps
};

} // namespace

SimulationResult simulateByEvents(Tally& tally) { return EventQueue(tally).run(); }

} // namespace warplight::collectives
