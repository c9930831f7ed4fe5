// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/simulator.h"
#include "core/collectives/transport.h"
#include "table_schedule.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <limits>
#include <map>
#include <set>

using namespace warplight;
using namespace warplight::collectives;
using namespace warplight::test;

namespace {

/// Links by name, worked out anew: the same words, another way.
std::set<std::string> linksOf(const Network& network, int p, int source, int to) {
    const auto text = [](auto... parts) {
        std::string all;
        ((all += parts), ...);
        return all;
    };
    const auto n = [](int value) { return std::to_string(value); };
    std::set<std::string> links{text("rank ", n(source), " out"), text("rank ", n(to), " in")};
    if (network.topology == Topology::Ring) {
        int clockwise = 0;
        while ((source + clockwise) % p != to)
            ++clockwise;
        const int direction = clockwise <= p - clockwise ? 1 : -1;
        for (int at = source; at != to; at = (at + direction + p) % p)
            links.insert(text("link ", n(at), "->", n((at + direction + p) % p)));
    } else if (network.topology == Topology::FatTree && source / network.leafPorts != to / network.leafPorts) {
        const int up = static_cast<int>(network.leafPorts / network.oversubscription);
        links.insert(text("leaf ", n(source / network.leafPorts), " up ", n(to % up)));
        links.insert(text("leaf ", n(to / network.leafPorts), " down ", n(to % up)));
    } else if (network.topology == Topology::Islands && source / network.islandRanks != to / network.islandRanks &&
               !network.uplinkPerRank) {
        links.insert(text("island ", n(source / network.islandRanks), " out"));
        links.insert(text("island ", n(to / network.islandRanks), " in"));
    }
    return links;
}

struct BruteForce {
    std::vector<double> finish;
    std::map<std::string, int64_t> bytes;
};

/// Looks at every rank for every message: whose two ranks are both there first goes first, then the lower rank.
BruteForce bruteForce(const Schedule& schedule, int64_t elementBytes, const Network& network,
                      const std::vector<Straggler>& stragglers) {
    const int p = schedule.ranks();
    struct Rank {
        int64_t index = 0;
        double entered = 0, headTime = 0;
        size_t head = 0;
        std::map<int, double> ends; ///< by source
    };
    std::vector<Rank> ranks(static_cast<size_t>(p));
    std::vector<Straggler> slow(static_cast<size_t>(p));
    for (const Straggler& each : stragglers)
        slow[static_cast<size_t>(each.rank)] = each;
    std::map<std::string, double> free;
    BruteForce result;
    const auto at = [&](int rank) {
        Step step;
        if (ranks[static_cast<size_t>(rank)].index < schedule.steps())
            schedule.step(rank, ranks[static_cast<size_t>(rank)].index, step);
        return step;
    };
    const auto enter = [&](int rank, double time) {
        Rank& of = ranks[static_cast<size_t>(rank)];
        while (of.index < schedule.steps() && at(rank).sends.empty() && at(rank).receives.empty())
            ++of.index;
        of.entered = of.headTime = time;
        if (of.index < schedule.steps())
            of.entered = of.headTime = time + slow[static_cast<size_t>(rank)].stepDelay;
        of.head = 0;
        of.ends.clear();
    };
    const auto leaveWhenDone = [&](int rank) {
        Rank& of = ranks[static_cast<size_t>(rank)];
        const Step step = at(rank);
        if (of.head < step.sends.size() || of.ends.size() < step.receives.size())
            return;
        double done = of.entered;
        for (const auto& receive : step.receives) {
            done = std::max(done, of.ends[receive.from]);
            if (receive.reduce)
                done += static_cast<double>(receive.range.size() * elementBytes) * network.secondsPerReducedByte *
                        slow[static_cast<size_t>(rank)].slowdown;
        }
        ++of.index;
        enter(rank, std::max(done, of.headTime));
    };
    for (int rank = 0; rank < p; ++rank)
        enter(rank, slow[static_cast<size_t>(rank)].startsLate);
    while (true) {
        int next = -1;
        double earliest = std::numeric_limits<double>::infinity();
        for (int rank = 0; rank < p; ++rank) {
            const Rank& of = ranks[static_cast<size_t>(rank)];
            const Step step = at(rank);
            if (of.head >= step.sends.size())
                continue;
            const Rank& to = ranks[static_cast<size_t>(step.sends[of.head].to)];
            if (to.index == of.index && std::max(of.headTime, to.entered) < earliest) {
                earliest = std::max(of.headTime, to.entered);
                next = rank;
            }
        }
        if (next < 0)
            break;
        Rank& of = ranks[static_cast<size_t>(next)];
        const Step step = at(next);
        const auto& send = step.sends[of.head];
        const auto links = linksOf(network, p, next, send.to);
        double start = earliest;
        for (const std::string& link : links)
            start = std::max(start, free[link]);
        const bool isFar =
            network.topology == Topology::Islands && next / network.islandRanks != send.to / network.islandRanks;
        const LinkCost cost = isFar ? network.far : network.cost;
        const int64_t bytes = send.range.size() * elementBytes;
        const double factor =
            std::max(slow[static_cast<size_t>(next)].slowdown, slow[static_cast<size_t>(send.to)].slowdown);
        const double end = start + factor * (cost.latency + static_cast<double>(bytes) * cost.secondsPerByte);
        for (const std::string& link : links) {
            free[link] = end;
            result.bytes[link] += bytes;
        }
        of.headTime = end;
        ++of.head;
        ranks[static_cast<size_t>(send.to)].ends[next] = end;
        leaveWhenDone(send.to);
        leaveWhenDone(next);
    }
    for (const Rank& rank : ranks)
        result.finish.push_back(rank.entered);
    return result;
}

Network networkOf(Topology topology) {
    Network network;
    network.topology = topology;
    network.secondsPerReducedByte = 2e-11;
    network.leafPorts = 4;
    network.oversubscription = 2;
    network.islandRanks = 3;
    return network;
}

bool isClose(double one, double other) { return std::abs(one - other) <= 1e-12 * std::abs(other); }

} // namespace

class SimulatorEventsTest : public QObject {
    Q_OBJECT
  private slots:
    void agreesWithBruteForceOnRandomSchedules_data() {
        QTest::addColumn<int>("topology");
        QTest::addColumn<bool>("uplinkPerRank");
        QTest::newRow("full mesh") << static_cast<int>(Topology::FullMesh) << false;
        QTest::newRow("ring") << static_cast<int>(Topology::Ring) << false;
        QTest::newRow("fat tree") << static_cast<int>(Topology::FatTree) << false;
        QTest::newRow("islands, one way out each") << static_cast<int>(Topology::Islands) << false;
        QTest::newRow("islands, a way out a rank") << static_cast<int>(Topology::Islands) << true;
    }
    void agreesWithBruteForceOnRandomSchedules() {
        QFETCH(int, topology);
        QFETCH(bool, uplinkPerRank);
        Network network = networkOf(static_cast<Topology>(topology));
        network.uplinkPerRank = uplinkPerRank;
        std::mt19937 random(7);
        std::uniform_real_distribution<double> uniform(0, 1);
        for (int round = 0; round < 60; ++round) {
            const int ranks = 2 + round % 9;
            const TableSchedule schedule = randomSchedule(random, ranks, 1 + round % 6);
            Disturbances disturbances;
            for (int rank = 0; rank < ranks; ++rank) // starts apart, so that no two messages are ready at one time
                disturbances.stragglers.push_back(
                    {rank, 1 + uniform(random), 1e-5 * uniform(random), 1e-6 * uniform(random)});
            const BruteForce expected = bruteForce(schedule, 4, network, disturbances.stragglers);
            const SimulationResult result = simulate(schedule, 4, network, disturbances);
            for (int rank = 0; rank < ranks; ++rank)
                QVERIFY2(isClose(result.finish[static_cast<size_t>(rank)], expected.finish[static_cast<size_t>(rank)]),
                         qPrintable(QString("round %1 rank %2: %3, expected %4")
                                        .arg(round)
                                        .arg(rank)
                                        .arg(result.finish[static_cast<size_t>(rank)])
                                        .arg(expected.finish[static_cast<size_t>(rank)])));
            const Fabric fabric(network, ranks);
            for (int64_t link = 0; link < fabric.links(); ++link) {
                const auto found = expected.bytes.find(fabric.name(link));
                QCOMPARE(result.links[static_cast<size_t>(link)].bytes,
                         found == expected.bytes.end() ? int64_t{0} : found->second);
            }
        }
    }

    void bothWaysGiveTheSameRun() {
        std::mt19937 random(3);
        std::uniform_real_distribution<double> uniform(0, 1);
        int withoutQueue = 0;
        for (const Topology topology : {Topology::FullMesh, Topology::Ring, Topology::FatTree, Topology::Islands})
            for (const char* algorithm : {"ring", "naive", "recursive-doubling", "halving-doubling", "tree"})
                for (const int ranks : {1, 2, 3, 8, 13}) {
                    const auto schedule = makeSchedule(algorithm, Collective::Allreduce, ranks, 1001);
                    Disturbances disturbances;
                    for (int rank = 0; rank < ranks; ++rank)
                        disturbances.stragglers.push_back(
                            {rank, 1 + uniform(random), 1e-5 * uniform(random), 1e-6 * uniform(random)});
                    disturbances.links.push_back({"all", 0.5, 1e-6, 0.5, 2e-5, 3});
                    SimulateOptions options;
                    options.keepsLog = true;
                    const auto fast = simulate(*schedule, 4, networkOf(topology), disturbances, options);
                    options.alwaysEventQueue = true;
                    const auto queued = simulate(*schedule, 4, networkOf(topology), disturbances, options);
                    withoutQueue += fast.events == 0 && fast.messages > 0;
                    QVERIFY(fast.finish == queued.finish);
                    QVERIFY(fast.log->messages == queued.log->messages);
                    QVERIFY(fast.bytesBetween == queued.bytesBetween);
                    for (size_t link = 0; link < fast.links.size(); ++link) {
                        QCOMPARE(fast.links[link].bytes, queued.links[link].bytes);
                        QVERIFY(std::abs(fast.links[link].busySeconds - queued.links[link].busySeconds) < 1e-12);
                    }
                }
        QVERIFY(withoutQueue >= 20); // the comparison is not the queue with itself
    }

    void bytesAreConserved() {
        std::mt19937 random(11);
        for (const Topology topology : {Topology::FullMesh, Topology::Ring, Topology::FatTree, Topology::Islands})
            for (int round = 0; round < 10; ++round) {
                const int ranks = 3 + round;
                const TableSchedule schedule = randomSchedule(random, ranks, 4);
                SimulateOptions options;
                options.keepsLog = true;
                const auto result = simulate(schedule, 8, networkOf(topology), {}, options);
                std::map<std::string, int64_t> perLink;
                std::vector<int64_t> between(static_cast<size_t>(ranks * ranks));
                int64_t total = 0;
                for (const Message& message : result.log->messages) {
                    QVERIFY(message.end >= message.start && message.end <= result.seconds);
                    total += message.bytes;
                    between[static_cast<size_t>(message.source * ranks + message.destination)] += message.bytes;
                    for (const std::string& link :
                         linksOf(networkOf(topology), ranks, message.source, message.destination))
                        perLink[link] += message.bytes;
                }
                const Fabric fabric(networkOf(topology), ranks);
                int64_t out = 0, in = 0;
                for (int64_t link = 0; link < fabric.links(); ++link) {
                    const int64_t bytes = result.links[static_cast<size_t>(link)].bytes;
                    QCOMPARE(bytes, perLink[fabric.name(link)]);
                    (link < ranks ? out : link < 2 * ranks ? in : total) += link < 2 * ranks ? bytes : 0;
                    QVERIFY(result.links[static_cast<size_t>(link)].busySeconds <= result.seconds * (1 + 1e-12));
                }
                QCOMPARE(out, total);
                QCOMPARE(in, total);
                QCOMPARE(result.bytes, total);
                QCOMPARE(result.messages, static_cast<int64_t>(result.log->messages.size()));
                QVERIFY(result.bytesBetween == between);
            }
    }

    void refusesWhatDoesNotMatch() {
        const Range all{0, 10}, part{0, 9};
        const auto run = [](std::vector<Step> step, bool queue) {
            SimulateOptions options;
            options.alwaysEventQueue = queue;
            const int ranks = static_cast<int>(step.size());
            simulate(TableSchedule(ranks, 10, {std::move(step)}), 4, {}, {}, options);
        };
        for (const bool queue : {false, true}) {
            QVERIFY_EXCEPTION_THROWN(run({{{{1, all}}, {}}, {}}, queue), CountMismatch); // nobody takes it
            QVERIFY_EXCEPTION_THROWN(run({{}, {{}, {{0, all}}}}, queue), CountMismatch); // nobody sends
            QVERIFY_EXCEPTION_THROWN(run({{{{1, all}}, {}}, {{}, {{0, part}}}}, queue), CountMismatch); // fewer
            QVERIFY_EXCEPTION_THROWN(run({{{{2, all}}, {}}, {}}, queue), CountMismatch); // there is no rank 2
            QVERIFY_EXCEPTION_THROWN(run({{{{1, all}}, {}}, {{}, {{2, all}}}, {}}, queue), CountMismatch);
        }
    }
};

QTEST_GUILESS_MAIN(SimulatorEventsTest)
#include "simulator_events_test.moc"
