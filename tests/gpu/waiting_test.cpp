// SPDX-License-Identifier: GPL-3.0-or-later
// Waiting is not work: threads that wait for others are parked, neither counted nor timed, and told when nothing can
// end their wait.
#include "tests/gpu/waiting_kernels.h"

#include <QTest>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

using namespace warplight;
using test::allAre;

namespace {

constexpr uint64_t fewPasses = 20; ///< over a waiting loop: what is found out too late is counted

} // namespace

class WaitingTest : public QObject {
    Q_OBJECT
    test::WaitingKernels kernels;
    using Result = test::WaitingKernels::Result;

    Result run(const char* name, uint32_t blocks, uint32_t threads, int rounds = 1000, int hostThreads = 0) {
        return kernels.run(name, blocks, threads, rounds, false, hostThreads);
    }
    QString failure(const char* name, uint32_t blocks, uint32_t threads) {
        return kernels.failure(name, blocks, threads, 1000);
    }

  private slots:
    void initTestCase() { QVERIFY(kernels.load(WARPLIGHT_TEST_DATA "/data/ptx", "waiting.ptx")); }

    /// 20 phases of 32 warps. What is left are the instructions of an arrival and a test that finds the phase complete.
    void barrierObjectsCostWhatTheirInstructionsDo() {
        const Result objects = run("barrierObjects", 1, 1024), plain = run("plainBarriers", 1, 1024);
        QCOMPARE(plain.stats.warpInstructions, uint64_t(896));
        QVERIFY2(objects.stats.warpInstructions < 20 * 32 * 16,
                 qPrintable(QString::number(objects.stats.warpInstructions)));
        QVERIFY(objects.stats.modelled->seconds < 2 * plain.stats.modelled->seconds);
        QVERIFY(objects.stats.findings.empty());
    }

    void waitingLoopsAreNotCounted_data() {
        QTest::addColumn<uint64_t>("pass"); // instructions
        QTest::newRow("volatileShared") << uint64_t(3);
        QTest::newRow("acquireShared") << uint64_t(3);
        QTest::newRow("waitShared") << uint64_t(20);
        QTest::newRow("polledAtomic") << uint64_t(4);
        QTest::newRow("cachedFlag") << uint64_t(3);
        QTest::newRow("countedSpin") << uint64_t(4);
        QTest::newRow("severalFlags") << uint64_t(80);
    }
    /// However long the last warp works, the seven others' loops cost the same.
    void waitingLoopsAreNotCounted() {
        QFETCH(uint64_t, pass);
        const Result shorter = run(QTest::currentDataTag(), 1, 256, 1000),
                     longer = run(QTest::currentDataTag(), 1, 256, 9000);
        QVERIFY(allAre(shorter.y, 42) && allAre(longer.y, 42));
        const uint64_t work = run(QTest::currentDataTag(), 1, 32, 1000).stats.warpInstructions;
        QVERIFY2(shorter.stats.warpInstructions < work + 7 * (fewPasses * pass + 20),
                 qPrintable(QString("%1 with, %2 without").arg(shorter.stats.warpInstructions).arg(work)));
        const uint64_t more = run(QTest::currentDataTag(), 1, 32, 9000).stats.warpInstructions;
        QCOMPARE(longer.stats.warpInstructions - shorter.stats.warpInstructions, more - work);
    }

    void locksAreTakenInTurn() {
        const Result blocks = run("lockOfBlocks", 8, 64);
        QVERIFY(allAre(blocks.y, 42));
        QCOMPARE(blocks.first[0], 0);
        const Result lanes = run("lockOfLanes", 2, 64); // lanes that have the lock get ahead of those that wait for it
        QCOMPARE(lanes.y[0], 128);
        QCOMPARE(lanes.first[0], 0);
        QVERIFY(lanes.stats.warpInstructions < 4 * 32 * 40);
    }

    void blocksThatFitMakeProgressTogether() {
        for (const char* name : {"waitForLaterBlock", "acquireLaterBlock", "semaphore"}) {
            const Result one = run(name, 40, 64, 0, 1), four = run(name, 40, 64, 0, 4);
            QVERIFY2(allAre(one.y, 42) && allAre(four.y, 42), name);
            QCOMPARE(one.stats.warpInstructions, four.stats.warpInstructions);
            // Each block that has its turn wakes all others, which look once.
            QVERIFY2(one.stats.warpInstructions < 40 * 40 * 2 * fewPasses, name);
        }
    }
    void blocksThatDoNotFitAreTold() { // an A100 holds four of 512 threads on each of 108 multiprocessors
        QVERIFY(allAre(run("waitForLaterBlock", 432, 512).y, 42));
        const QString text = failure("waitForLaterBlock", 433, 512);
        QVERIFY2(text.startsWith("deadlock: ") && text.contains("432 of 433 blocks have begun"), qPrintable(text));
        QVERIFY2(text.contains("kernel waitForLaterBlock, block (0, 0, 0)"), qPrintable(text));
    }

    void whatEndsByItselfIsNoDeadlock() {
        QCOMPARE(run("timeout", 1, 64).y[0], 1);
        const Result limited = run("limitedPasses", 1, 64);
        QCOMPARE(limited.y[0], 1);
        // A thousand reads by two warps, all counted: nobody ended them.
        QCOMPARE(limited.stats.instructionsByClass.at("global memory"), uint64_t(2 * 1001));
    }

    void whatNothingCanEndIsTold_data() {
        QTest::addColumn<QString>("thread");
        QTest::addColumn<QString>("at");
        QTest::newRow("flagNobodySets") << "(0, 0, 0)"
                                        << "ld.volatile.global.u32";
        QTest::newRow("sharedFlagNobodySets") << "(32, 0, 0)"
                                              << "ld.volatile.shared.u32";
        QTest::newRow("countedForever") << "(0, 0, 0)"
                                        << "ld.volatile.global.u32";
        QTest::newRow("missingArrival") << "(0, 0, 0)"
                                        << "mbarrier.test_wait.shared.b64";
        QTest::newRow("lockTakenTwice") << "(0, 0, 0)"
                                        << "atom.global.cas.b32";
        QTest::newRow("semaphoreNobodySets") << "(0, 0, 0)"
                                             << "ld.global.acquire.gpu.b32";
        QTest::newRow("endless") << "(0, 0, 0)"
                                 << "bra.uni";
    }
    void whatNothingCanEndIsTold() {
        QFETCH(QString, thread);
        QFETCH(QString, at);
        const QString text = failure(QTest::currentDataTag(), 1, 64);
        QVERIFY2(text.startsWith("deadlock: "), qPrintable(text));
        QVERIFY2(text.contains(QString("kernel %1, block (0, 0, 0), thread %2, at '%3' (waiting.ptx:")
                                   .arg(QTest::currentDataTag(), thread, at)),
                 qPrintable(text));
    }
};

QTEST_GUILESS_MAIN(WaitingTest)
#include "waiting_test.moc"
