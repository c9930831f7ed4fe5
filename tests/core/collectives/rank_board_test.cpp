// SPDX-License-Identifier: GPL-3.0-or-later
// The board names the rank that holds up the others, and nobody while somebody gets ahead.
#include "core/collectives/rank_board.h"

#include <QTest>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <array>
#include <thread>

using namespace warplight::collectives;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// A board in which time passes when it is told to.
struct Board {
    explicit Board(int ranks) : board(memory.data(), ranks, true) {}
    std::optional<RankBoard::Stall> after(std::chrono::milliseconds time) const {
        return board.stall(Clock::now() + time, 10s);
    }
    alignas(64) std::array<std::byte, 4096> memory{};
    RankBoard board;
};

} // namespace

class RankBoardTest : public QObject {
    Q_OBJECT

  private slots:
    void nobodyIsNamedBeforeTheTimeoutNorWhenAllAreDone() {
        Board b(2);
        b.board.setWorking(0, 3);
        b.board.setWaiting(1, 3, 0);
        QVERIFY(!b.after(9s));
        QVERIFY(b.after(11s));
        b.board.setDone(0);
        b.board.setDone(1);
        QVERIFY(!b.after(1h));
    }

    void theOneThatOthersWaitForIsNamed() {
        Board b(5);
        b.board.setWorking(2, 3);
        b.board.setWaiting(3, 3, 2);
        b.board.setWaiting(4, 2, 3);
        b.board.setWaiting(0, 1, 4);
        b.board.setDone(1);
        const auto stall = b.after(10'500ms);
        QVERIFY(stall);
        QCOMPARE(stall->rank, 2);
        QCOMPARE(stall->sentence,
                 std::string("Rank 2 hangs in step 3: rank 3 has waited 10.5 s for it, and through it 2 others."));
    }

    void oneWhoGetsAheadKeepsAllFromBeingNamed() {
        Board b(3);
        b.board.setWorking(0, 0);
        b.board.setWaiting(1, 0, 0);
        std::this_thread::sleep_for(30ms);
        b.board.setWorking(2, 5);
        QVERIFY(!b.board.stall(Clock::now(), 20ms));
        std::this_thread::sleep_for(30ms);
        const auto stall = b.board.stall(Clock::now(), 20ms);
        QVERIFY(stall);
        QCOMPARE(stall->rank, 0);
    }

    void ofACircleItsLowestIsNamed() {
        Board b(4);
        b.board.setDone(0);
        b.board.setWaiting(1, 7, 3);
        b.board.setWaiting(3, 7, 2);
        b.board.setWaiting(2, 7, 1);
        const auto stall = b.after(11s);
        QVERIFY(stall);
        QCOMPARE(stall->rank, 1);
        QVERIFY2(stall->sentence.starts_with("Rank 1 waits in step 7 for rank 3, which waits for it"),
                 stall->sentence.c_str());
    }

    void whoStopsWhileNobodyWaitsIsNamedToo() {
        Board b(3);
        b.board.setDone(0);
        b.board.setWorking(1, 9);
        b.board.setDone(2);
        const auto stall = b.after(12s);
        QVERIFY(stall);
        QCOMPARE(stall->sentence, std::string("Rank 1 hangs in step 9: it has not moved for 12.0 s."));
    }

    void whoHasNotStartedFailedOrEndedIsToldApart() {
        Board b(2);
        b.board.setWaiting(1, 0, 0);
        QVERIFY(b.after(11s)->sentence.starts_with("Rank 0 has not started: rank 1 has waited"));
        b.board.setWorking(0, 4);
        b.board.setFailed(0);
        QVERIFY(b.after(11s)->sentence.starts_with("Rank 0 failed in step 4: rank 1"));
        b.board.setDone(0);
        const auto stall = b.after(11s);
        QCOMPARE(stall->rank, 0);
        QVERIFY(stall->sentence.starts_with("Rank 0 has ended too early: rank 1"));
    }

    void aRankThatWaitsForItselfOrNobodyIsNamed() {
        Board b(1);
        b.board.setWaiting(0, 2, 0);
        QCOMPARE(b.after(11s)->rank, 0);
        b.board.setWaiting(0, 2, -1);
        QCOMPARE(b.after(11s)->rank, 0);
    }

    void twoBoardsOverOneMemorySeeTheSame() {
        Board b(2);
        b.board.setWorking(0, 1);
        b.board.setWaiting(1, 1, 0);
        const RankBoard other(b.memory.data(), 2, false);
        const auto stall = other.stall(Clock::now() + 11s, 10s);
        QVERIFY(stall);
        QCOMPARE(stall->rank, 0);
        QVERIFY(RankBoard::bytesFor(2) <= 2 * 64);
    }
};

QTEST_GUILESS_MAIN(RankBoardTest)
#include "rank_board_test.moc"
