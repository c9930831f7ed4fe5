// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever a loop looks like, what it waits for gets its turn: other blocks, warps and lanes. Kernels of turns.cu.
#include "tests/gpu/waiting_kernels.h"

#include <QTest>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace warplight;
using test::allAre;

class TurnsTest : public QObject {
    Q_OBJECT
    test::WaitingKernels kernels;

    auto run(const char* name, uint32_t blocks, uint32_t threads, int number = 0, bool checks = false) {
        return kernels.run(name, blocks, threads, number, checks);
    }

  private slots:
    void initTestCase() { QVERIFY(kernels.load(WARPLIGHT_TEST_DATA "/data/ptx", "turns.ptx")); }

    void blocksThatPollLetOthersBegin() {
        for (const char* name : {"laterBetweenBarriers", "laterRotating", "laterScanning", "laterCountedInMemory"})
            QVERIFY2(allAre(run(name, 2, 64).y, 42), name);
    }

    /// However long the last warp works, the seven others' loops cost the same.
    void loopsThatLookAtOnePlaceAfterTheOtherAreNotCounted() {
        const auto shorter = run("rotatingFlags", 1, 256, 1000), longer = run("rotatingFlags", 1, 256, 9000);
        QVERIFY(allAre(shorter.y, 42) && allAre(longer.y, 42));
        const uint64_t work = run("rotatingFlags", 1, 32, 1000).stats.warpInstructions;
        QVERIFY2(shorter.stats.warpInstructions < work + 7 * 100,
                 qPrintable(QString("%1 with, %2 without").arg(shorter.stats.warpInstructions).arg(work)));
    }

    void whatNothingCanEndIsTold_data() {
        QTest::addColumn<QString>("at");
        QTest::newRow("rotatingNever") << "ld.volatile.global.u32";
        QTest::newRow("scanningNever") << "ld.volatile.global.u32";
        QTest::newRow("locksCrossed") << "atom.global.cas.b32";
    }
    void whatNothingCanEndIsTold() {
        QFETCH(QString, at);
        const QString told = kernels.failure(QTest::currentDataTag(), 1, 64, 0);
        QVERIFY2(told.startsWith("deadlock: ") && told.contains(QTest::currentDataTag()) && told.contains(at) &&
                     told.contains("block (0, 0, 0)"),
                 qPrintable(told));
    }

    /// Limits are of one wait: not of all warps and blocks together, nor of all waits one after the other.
    void manyWaitsThatEndByThemselvesAreNoDeadlock() {
        QVERIFY(allAre(run("timeoutOfEachWarp", 4096, 32, 1000).y, 1000));
        QVERIFY(allAre(run("timeoutOfEachWarp", 1, 1024, 100'000).y, 100'000));
    }
    void eachWaitByTheClockTakesItsTime() {
        for (const int waits : {1, 20, 300}) { // each 1000 clocks, and up to one step of the clock more
            const int32_t clocks = run("timedWaits", 1, 32, waits).y[0];
            QVERIFY2(clocks >= 1000 * waits && clocks <= 2100 * waits + 1000, qPrintable(QString::number(clocks)));
        }
    }

    void lanesThatEndAWaitGoAhead() {
        const auto told = run("laneTellsLane", 1, 32, 1'000'000);
        QCOMPARE(told.y[0], 1);
        QVERIFY2(told.y[1] < 1000, qPrintable(QString::number(told.y[1])));
        QVERIFY(allAre(run("threeGroups", 1, 32).y, 42));
        const auto sums = run("twoLocks", 4, 64);
        std::vector<int32_t> expected(sums.y.size());
        for (int t = 0; t < 256; ++t)
            if (const auto a = static_cast<size_t>(t * 7 % 8), b = static_cast<size_t>((t * 5 + 1) % 8); a != b) {
                ++expected[a];
                ++expected[b];
            }
        QCOMPARE(sums.y, expected);
        QVERIFY(allAre(sums.first, 0)); // all locks are free
    }
    void lanesThatExchangeValuesWaitForOneAnother() {
        QVERIFY(allAre(run("lanesMeetBehind", 1, 32, 100'000).y, 100'000));
    }

    void threadsMeetAtBarriersAllTogether() { QVERIFY(allAre(run("blocksInTurn", 4, 64, 20).y, 20)); }
    void longComputingIsNoWait() { QVERIFY(allAre(run("computesInCalls", 1, 256, 100'000).y, 42)); }

    void turnsByAFlagThatBothWriteAreNoRace() {
        const auto result = run("turnsByFlag", 1, 64, 5, true);
        QVERIFY(allAre(result.y, 10));
        QCOMPARE(result.stats.findings.size(), size_t{0});
    }
    void anUpdateOfACopyThatNobodyWaitedForIsTold() {
        const auto result = run("addsToCopy", 1, 64, 0, true);
        QCOMPARE(result.stats.findings.size(), size_t{1});
        QCOMPARE(result.stats.findings.front().kind, std::string("unfinished copy"));
    }
};

QTEST_GUILESS_MAIN(TurnsTest)
#include "turns_test.moc"
