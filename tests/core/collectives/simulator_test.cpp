// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/simulator.h"
#include "core/error.h"

#include <QElapsedTimer>
#include <QTest>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <cmath>
#include <thread>

using namespace warplight;
using namespace warplight::collectives;

namespace {

constexpr double alpha = 5e-6, beta = 4e-11, gamma_ = 1.5e-11;

Network ideal() {
    Network network;
    network.cost = {alpha, beta};
    network.secondsPerReducedByte = gamma_;
    return network;
}

SimulationResult run(const char* algorithm, Collective collective, int ranks, int64_t elements,
                     const Network& network = ideal(), const Disturbances& disturbances = {},
                     const SimulateOptions& options = {}) {
    return simulate(*makeSchedule(algorithm, collective, ranks, elements), 4, network, disturbances, options);
}

SimulationResult ring(int ranks, int64_t elements, const Disturbances& disturbances = {},
                      const Network& network = ideal()) {
    return run("ring", Collective::Allreduce, ranks, elements, network, disturbances);
}

bool isClose(double one, double other) { return std::abs(one - other) <= 1e-9 * std::abs(other); }

#define COMPARE_SECONDS(actual, expected)                                                                              \
    QVERIFY2(isClose(actual, expected), qPrintable(QString("%1 s, expected %2 s").arg(actual).arg(expected)))

} // namespace

class SimulatorTest : public QObject {
    Q_OBJECT
  private slots:
    void aParameterServerOfManyRanksGoesInRounds() {
        constexpr int p = 1500;
        const auto schedule = makeSchedule("parameter-server", Collective::Allreduce, p, 10 * p);
        QCOMPARE(schedule->steps(), int64_t{2 * (p - 1)});
        std::vector<int> sent(p), received(p); // to and from each other rank, once a phase
        Step step;
        for (int64_t index = 0; index < schedule->steps(); ++index) {
            schedule->step(7, index, step);
            QCOMPARE(step.sends.size(), size_t{1});
            QCOMPARE(step.receives.size(), size_t{1});
            QCOMPARE(step.receives[0].reduce, index < p - 1);
            ++sent[static_cast<size_t>(step.sends[0].to)];
            ++received[static_cast<size_t>(step.receives[0].from)];
        }
        for (int rank = 0; rank < p; ++rank)
            QVERIFY(sent[static_cast<size_t>(rank)] == (rank == 7 ? 0 : 2) &&
                    received[static_cast<size_t>(rank)] == sent[static_cast<size_t>(rank)]);
        Network network;
        network.cost = {3e-6, 1e-10};
        QVERIFY(isClose(simulate(*schedule, 4, network).seconds, 2 * (p - 1) * (3e-6 + 40e-10)));
    }

    // Patarasuk and Yuan 2009; Thakur, Rabenseifner and Gropp 2005. V bytes, p ranks.
    void idealNetworkGivesTheClosedForms() {
        using enum Collective;
        for (const int ranks : {2, 4, 8, 32, 128})
            for (const int64_t chunk : {1, 1000, 250'000}) {
                const int64_t elements = ranks * chunk;
                const double p = ranks, v = 4.0 * static_cast<double>(elements), rounds = std::log2(p);
                COMPARE_SECONDS(run("ring", Allreduce, ranks, elements).seconds,
                                2 * (p - 1) * (alpha + v / p * beta) + (p - 1) * v / p * gamma_);
                COMPARE_SECONDS(run("ring", ReduceScatter, ranks, elements).seconds,
                                (p - 1) * (alpha + v / p * beta + v / p * gamma_));
                COMPARE_SECONDS(run("ring", AllGather, ranks, elements).seconds, (p - 1) * (alpha + v / p * beta));
                COMPARE_SECONDS(run("recursive-doubling", Allreduce, ranks, elements).seconds,
                                rounds * (alpha + v * beta + v * gamma_));
                COMPARE_SECONDS(run("halving-doubling", Allreduce, ranks, elements).seconds,
                                2 * rounds * alpha + 2 * (p - 1) * v / p * beta + (p - 1) * v / p * gamma_);
                COMPARE_SECONDS(run("naive", Allreduce, ranks, elements).seconds,
                                2 * (p - 1) * (alpha + v * beta) + (p - 1) * v * gamma_);
                COMPARE_SECONDS(run("naive", Broadcast, ranks, elements).seconds, (p - 1) * (alpha + v * beta));
                // All but the last of p - 1 reductions go on while the next message comes in.
                COMPARE_SECONDS(run("parameter-server", Allreduce, ranks, elements).seconds,
                                2 * (p - 1) * (alpha + v / p * beta) + v / p * gamma_);
            }
    }

    // Worked examples: α = 5 µs, 25 GB/s, 8 ranks.
    void publishedExamples() {
        Network network;
        network.cost = {5e-6, 1 / 25e9};
        const auto microseconds = [&](const char* algorithm, int64_t bytes) {
            return run(algorithm, Collective::Allreduce, 8, bytes / 4, network).seconds * 1e6;
        };
        QVERIFY(std::abs(microseconds("ring", 4000) - 70.3) < 0.05);
        QVERIFY(std::abs(microseconds("recursive-doubling", 4000) - 15.5) < 0.05);
        QVERIFY(std::abs(microseconds("ring", 4'000'000) - 350) < 0.5);
        QVERIFY(std::abs(microseconds("halving-doubling", 4'000'000) - 310) < 0.5);
        QVERIFY(std::abs(microseconds("ring", 400'000'000) - 28070) < 5);
    }

    void unevenLengthsLieBetweenFloorAndCeiling() {
        for (const int ranks : {3, 5, 7, 12})
            for (const int64_t elements : {1, 10, 1001}) {
                const double p = ranks;
                const auto form = [&](double chunk) {
                    return 2 * (p - 1) * (alpha + 4 * chunk * beta) + (p - 1) * 4 * chunk * gamma_;
                };
                const double seconds = ring(ranks, elements).seconds;
                const double chunk = static_cast<double>(elements) / p;
                QVERIFY(seconds >= form(std::floor(chunk)) * (1 - 1e-12));
                QVERIFY(seconds <= form(std::ceil(chunk)) * (1 + 1e-12));
            }
    }

    void oneRankTakesNoTime() {
        for (const Algorithm& algorithm : algorithms()) {
            const auto result = run(algorithm.id.c_str(), algorithm.collectives[0], 1, 100);
            QCOMPARE(result.seconds, 0.0);
            QCOMPARE(result.messages, int64_t{0});
            QCOMPARE(result.busiestLink, int64_t{-1});
        }
    }

    void everyAlgorithmRunsOnEveryTopology() {
        for (const Algorithm& algorithm : algorithms())
            for (const Topology topology : {Topology::FullMesh, Topology::Ring, Topology::FatTree, Topology::Islands})
                for (const int ranks : {2, 9, 24}) {
                    Network network = ideal();
                    network.topology = topology;
                    const auto result = run(algorithm.id.c_str(), Collective::Allreduce, ranks, 500, network);
                    // Nobody can have all without sending and taking at least 2(p - 1)V/p in all.
                    QVERIFY(result.bytes >= 2 * (ranks - 1) * 500 * 4);
                    QVERIFY(result.seconds >= ideal().cost.latency);
                    QVERIFY(!result.busiestLinkName.empty());
                }
    }

    // In a ring a late start reaches everybody, and only once.
    void aLateRankDelaysTheRingOnce() {
        Disturbances disturbances;
        disturbances.stragglers.push_back({.rank = 2, .startsLate = 0.25});
        COMPARE_SECONDS(ring(8, 8000, disturbances).seconds, ring(8, 8000).seconds + 0.25);
    }

    // Each of its 2(p - 1) steps begins later, and its neighbours wait.
    void aDelayBeforeEachStepAddsUp() {
        Disturbances disturbances;
        disturbances.stragglers.push_back({.rank = 5, .stepDelay = 1e-3});
        COMPARE_SECONDS(ring(8, 8000, disturbances).seconds, ring(8, 8000).seconds + 14 * 1e-3);
    }

    // All that goes through the slow rank takes three times as long, and a ring goes through every rank.
    void aSlowRankSetsTheRingsPace() {
        Disturbances disturbances;
        disturbances.stragglers.push_back({.rank = 0, .slowdown = 3});
        COMPARE_SECONDS(ring(8, 8000, disturbances).seconds, 3 * ring(8, 8000).seconds);
    }

    // Half a link's bandwidth for the whole run: every step waits for it, so the ring runs at 2β.
    void halfALinkGivesTheSlowLinksClosedForm_data() {
        QTest::addColumn<double>("shareTaken");
        QTest::addColumn<double>("burstSeconds");
        QTest::addColumn<double>("slowdown");
        QTest::newRow("half of it taken") << 0.5 << 0.0 << 1.0;
        QTest::newRow("in slots that are all filled") << 0.5 << 3e-6 << 1.0;
        QTest::newRow("slowed down from the start") << 0.0 << 0.0 << 2.0;
    }
    void halfALinkGivesTheSlowLinksClosedForm() {
        QFETCH(double, shareTaken);
        QFETCH(double, burstSeconds);
        QFETCH(double, slowdown);
        Network network = ideal();
        network.secondsPerReducedByte = 0;
        network.topology = Topology::Ring;
        Disturbances disturbances;
        disturbances.links.push_back({"link 3->4", shareTaken, burstSeconds, 1.0, 0, slowdown});
        COMPARE_SECONDS(ring(8, 80'000, disturbances, network).seconds, 14 * (alpha + 40'000 * 2 * beta));
    }

    // Two ranks, one message each way at a time: α, then half the bytes at full speed, the rest at a quarter.
    void aLinkSlowsDownWithinAMessage() {
        Network network;
        network.cost = {1, 1};
        Disturbances disturbances;
        disturbances.links.push_back({.link = "rank 0 out", .slowsAt = 3, .slowdown = 4});
        // Broadcast of 4 bytes: [0, 1] latency, [1, 3] two bytes, two more at 4 s each.
        COMPARE_SECONDS(run("naive", Collective::Broadcast, 2, 1, network, disturbances).seconds, 11.0);
    }

    void burstsTakeTheirShareOnAverage() {
        Network network;
        network.cost = {0, 1e-9};
        Disturbances disturbances;
        disturbances.links.push_back({"rank 0 out", 0.5, 1e-6, 0.3, 0, 1});
        // 0.4 s of bytes through slots of which 30 % let half through: 0.85 of the bandwidth; 5 standard errors.
        const double seconds = run("naive", Collective::Broadcast, 2, 100'000'000, network, disturbances).seconds;
        const double count = seconds / 1e-6, error = 5 * 0.5 * std::sqrt(0.21 / count);
        QVERIFY(std::abs(0.4 / seconds - 0.85) < error);
    }

    void aSeedGivesOneRun() {
        Disturbances disturbances;
        disturbances.links.push_back({"all", 0.9, 1e-5, 0.5, 0, 1});
        const auto first = ring(16, 100'000, disturbances), second = ring(16, 100'000, disturbances);
        QVERIFY(first.finish == second.finish);
        disturbances.seed = 2;
        QVERIFY(first.finish != ring(16, 100'000, disturbances).finish);
    }

    void slowerPartsNeverMakeARingFaster() {
        double last = 0;
        for (const double slowdown : {1.0, 1.1, 2.0, 5.0}) {
            Disturbances disturbances;
            disturbances.stragglers.push_back({.rank = 1, .slowdown = slowdown});
            disturbances.links.push_back({.link = "rank 3 in", .slowsAt = 1e-5, .slowdown = slowdown});
            const double seconds = ring(6, 10'000, disturbances).seconds;
            QVERIFY(seconds > last);
            last = seconds;
        }
    }

    // Four ranks in two islands exchange whole vectors: the far round through one way out takes two turns.
    void islandsShareTheirWayOut() {
        Network network;
        network.topology = Topology::Islands;
        network.islandRanks = 2;
        network.cost = {1, 0.5};
        network.far = {10, 2};
        // Rounds of 8 bytes: near 1 + 4, far 10 + 16.
        COMPARE_SECONDS(run("recursive-doubling", Collective::Allreduce, 4, 2, network).seconds, 5.0 + 2 * 26);
        network.uplinkPerRank = true;
        COMPARE_SECONDS(run("recursive-doubling", Collective::Allreduce, 4, 2, network).seconds, 5.0 + 26);
    }

    // Four ranks below each of two leaves; in the last round all four go up: 4 links at once, 2 in two turns.
    void oversubscriptionTakesTurns() {
        Network network;
        network.topology = Topology::FatTree;
        network.leafPorts = 4;
        network.cost = {1, 0};
        COMPARE_SECONDS(run("recursive-doubling", Collective::Allreduce, 8, 2, network).seconds, 3.0);
        network.oversubscription = 2;
        COMPARE_SECONDS(run("recursive-doubling", Collective::Allreduce, 8, 2, network).seconds, 4.0);
        network.oversubscription = 4;
        COMPARE_SECONDS(run("recursive-doubling", Collective::Allreduce, 8, 2, network).seconds, 6.0);
    }

    void largeRunsAreBinnedAndCapped() {
        SimulateOptions options;
        options.keepsLog = true;
        options.mostLogged = 1000;
        const auto result = run("ring", Collective::Allreduce, 1500, 1500, ideal(), {}, options);
        QCOMPARE(result.ranksPerBin, 2);
        QCOMPARE(result.bins, 750);
        QVERIFY(!result.log && result.logLeftOut);
        QCOMPARE(result.messages, int64_t{1500} * 2 * 1499);
        // Rank 2b to 2b + 1 within the bin, 2b + 1 to the next one's first.
        QCOMPARE(result.bytesBetween[0], int64_t{2 * 1499 * 4});
        QCOMPARE(result.bytesBetween[1], int64_t{2 * 1499 * 4});
        QCOMPARE(result.bytesBetween[749 * 750], int64_t{2 * 1499 * 4});
        QCOMPARE(result.bytesBetween[2], int64_t{0});
        QCOMPARE(result.events, int64_t{0});
    }

    void theBusiestLinkIsTheRootsPort() {
        QCOMPARE(run("naive", Collective::Broadcast, 8, 100).busiestLinkName, std::string("rank 0 out"));
        Network network = ideal();
        network.topology = Topology::Islands;
        network.islandRanks = 4;
        QCOMPARE(run("recursive-doubling", Collective::Allreduce, 8, 100, network).busiestLinkName,
                 std::string("island 0 out"));
    }

    void cancellingStopsWithinFiftyMilliseconds_data() {
        QTest::addColumn<bool>("queue");
        QTest::addColumn<bool>("bursts");
        QTest::newRow("dataflow") << false << false;
        QTest::newRow("event queue") << true << false;
        QTest::newRow("in a message through endless bursts") << false << true;
    }
    void cancellingStopsWithinFiftyMilliseconds() {
        QFETCH(bool, queue);
        QFETCH(bool, bursts);
        std::atomic<bool> cancel = false;
        SimulateOptions options;
        options.alwaysEventQueue = queue;
        options.cancel = &cancel;
        Disturbances disturbances;
        if (bursts)
            disturbances.links.push_back({"all", 0.5, 1e-9, 0.5, 0, 1});
        QElapsedTimer sinceCancel;
        std::thread canceller([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            sinceCancel.start();
            cancel = true;
        });
        bool cancelled = false;
        try {
            run("ring", Collective::Allreduce, bursts ? 2 : 16384, 1 << 30, ideal(), disturbances, options);
        } catch (const Cancelled&) {
            cancelled = true;
        }
        const auto waited = sinceCancel.elapsed();
        canceller.join();
        QVERIFY(cancelled);
        QVERIFY2(waited <= 50, qPrintable(QString("%1 ms").arg(waited)));
    }

    void refusesImpossibleSettings() {
        const auto refuses = [](auto change) {
            Network network;
            Disturbances disturbances;
            int64_t elementBytes = 4;
            change(network, disturbances, elementBytes);
            try {
                simulate(*makeSchedule("ring", Collective::Allreduce, 4, 100), elementBytes, network, disturbances);
            } catch (const InputError&) {
                return true;
            }
            return false;
        };
        QVERIFY(refuses([](Network& network, auto&, auto&) { network.cost.latency = -1; }));
        QVERIFY(refuses([](Network& network, auto&, auto&) { network.secondsPerReducedByte = std::nan(""); }));
        QVERIFY(refuses([](Network& network, auto&, auto&) { network.leafPorts = 0; }));
        QVERIFY(refuses([](Network& network, auto&, auto&) { network.oversubscription = 0.5; }));
        QVERIFY(refuses([](Network& network, auto&, auto&) { network.islandRanks = 0; }));
        QVERIFY(refuses([](auto&, Disturbances& what, auto&) { what.stragglers.push_back({.rank = 4}); }));
        QVERIFY(refuses([](auto&, Disturbances& what, auto&) { what.stragglers.push_back({.slowdown = 0.5}); }));
        QVERIFY(refuses([](auto&, Disturbances& what, auto&) { what.links.push_back({.link = "rank 4 out"}); }));
        QVERIFY(refuses([](auto&, Disturbances& what, auto&) { what.links.push_back({.shareTaken = 1}); }));
        QVERIFY(refuses([](auto&, Disturbances& what, auto&) { what.links.push_back({.burstSeconds = 1e-12}); }));
        QVERIFY(refuses([](auto&, auto&, int64_t& elementBytes) { elementBytes = 0; }));
        QVERIFY(refuses([](auto&, auto&, int64_t& elementBytes) { elementBytes = int64_t{1} << 60; }));
        QVERIFY(!refuses([](auto&, auto&, auto&) {}));
    }
};

QTEST_GUILESS_MAIN(SimulatorTest)
#include "simulator_test.moc"
