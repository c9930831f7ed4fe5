// SPDX-License-Identifier: GPL-3.0-or-later
// What every schedule promises, checked by following its messages with sets of contributions and nothing else.
#include "core/collectives/schedule.h"
#include "core/error.h"
#include "every_algorithm.h"

#include <QTest>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <algorithm>
#include <map>

using namespace warplight;
using namespace warplight::collectives;
using test::Variant;

namespace {

constexpr int mostRanks = 40; // beyond 32, so that fields of 32 bits would show

using Mask = uint64_t; ///< of ranks

Mask all(int ranks) { return (Mask{1} << ranks) - 1; }

std::vector<Step> stepOf(const Schedule& schedule, int64_t index) {
    std::vector<Step> steps(static_cast<size_t>(schedule.ranks()));
    for (int rank = 0; rank < schedule.ranks(); ++rank)
        schedule.step(rank, index, steps[static_cast<size_t>(rank)]);
    return steps;
}

/// Follows a schedule and says what is wrong with it, or nothing.
class Follower {
  public:
    explicit Follower(const Schedule& schedule)
        : schedule(schedule), borders(schedule.chunkBorders()), held(static_cast<size_t>(schedule.ranks())) {
        for (size_t rank = 0; rank < held.size(); ++rank)
            held[rank].assign(borders.size() - 1, Mask{1} << rank);
    }

    std::string follow() {
        if (borders.front() != 0 || borders.back() != schedule.elements() ||
            !std::is_sorted(borders.begin(), borders.end()))
            return "borders do not go from 0 to the end";
        for (int64_t index = 0; index < schedule.steps(); ++index) {
            const std::string wrong = followStep(index);
            if (!wrong.empty())
                return "step " + std::to_string(index) + ": " + wrong;
        }
        return outcome();
    }
    int64_t sent = 0, received = 0; ///< elements of the busiest rank, after follow()

  private:
    std::string followStep(int64_t index) {
        const std::vector<Step> steps = stepOf(schedule, index);
        const auto before = held;
        std::map<std::pair<int, int>, Range> sends;
        for (size_t rank = 0; rank < steps.size(); ++rank)
            for (const Step::Send& send : steps[rank].sends) {
                if (send.to < 0 || send.to >= schedule.ranks() || send.to == static_cast<int>(rank))
                    return "a message to nobody";
                if (!sends.emplace(std::pair(static_cast<int>(rank), send.to), send.range).second)
                    return "two messages to one rank";
                if (!isOfChunks(send.range))
                    return "a range that is no run of chunks";
                sentBy[static_cast<int>(rank)] += send.range.size();
                sent = std::max(sent, sentBy[static_cast<int>(rank)]);
            }
        for (size_t rank = 0; rank < steps.size(); ++rank)
            for (const Step::Receive& receive : steps[rank].receives) {
                const auto send = sends.find({receive.from, static_cast<int>(rank)});
                if (send == sends.end())
                    return "a message that nobody sends, or the second from one rank";
                if (!(send->second == receive.range))
                    return "sender and receiver mean other ranges";
                sends.erase(send);
                receivedBy[static_cast<int>(rank)] += receive.range.size();
                received = std::max(received, receivedBy[static_cast<int>(rank)]);
                for (size_t c = 0; c + 1 < borders.size(); ++c) {
                    if (borders[c] < receive.range.begin || borders[c + 1] > receive.range.end)
                        continue;
                    const Mask comes = before[static_cast<size_t>(receive.from)][c];
                    Mask& mine = held[rank][c];
                    if (borders[c] < borders[c + 1]) {
                        if (receive.reduce && (mine & comes) != 0)
                            return "a contribution counted twice";
                        if (schedule.collective() == Collective::Allreduce && !receive.reduce && (mine & ~comes) != 0)
                            return "a contribution lost";
                    }
                    mine = receive.reduce ? mine | comes : comes;
                }
            }
        return sends.empty() ? "" : "a message that nobody receives";
    }

    bool isOfChunks(Range range) const {
        return range.begin <= range.end && std::binary_search(borders.begin(), borders.end(), range.begin) &&
               std::binary_search(borders.begin(), borders.end(), range.end);
    }

    std::string outcome() const {
        for (int rank = 0; rank < schedule.ranks(); ++rank)
            for (size_t c = 0; c + 1 < borders.size(); ++c) {
                if (borders[c] == borders[c + 1])
                    continue;
                const Mask mask = held[static_cast<size_t>(rank)][c];
                const int owner = ownerOf(borders[c]);
                const bool right = schedule.collective() == Collective::Allreduce   ? mask == all(schedule.ranks())
                                   : schedule.collective() == Collective::Broadcast ? mask == 1
                                   : schedule.collective() == Collective::AllGather
                                       ? mask == Mask{1} << owner
                                       : owner != rank || mask == all(schedule.ranks());
                if (!right)
                    return "rank " + std::to_string(rank) + " ends without what it should hold";
            }
        return "";
    }

    /// Of p chunks of which the first n mod p have one element more, counted out element by element.
    int ownerOf(int64_t element) const {
        const int64_t n = schedule.elements(), p = schedule.ranks();
        int64_t end = 0;
        for (int owner = 0;; ++owner) {
            end += n / p + (owner < n % p ? 1 : 0);
            if (element < end)
                return owner;
        }
    }

    const Schedule& schedule;
    std::vector<int64_t> borders;
    std::vector<std::vector<Mask>> held; ///< [rank][chunk]
    std::map<int, int64_t> sentBy, receivedBy;
};

} // namespace

class ScheduleTest : public QObject {
    Q_OBJECT

  private slots:
    void messagesPairUpAndEverybodyEndsWithTheWhole_data() {
        QTest::addColumn<int>("variant");
        int index = 0;
        for (const Variant& variant : test::everyVariant())
            QTest::addRow("%s", variant.name.c_str()) << index++;
    }
    void messagesPairUpAndEverybodyEndsWithTheWhole() {
        QFETCH(int, variant);
        const Variant chosen = test::everyVariant()[static_cast<size_t>(variant)];
        for (const Collective collective : chosen.collectives)
            for (int ranks = 1; ranks <= mostRanks; ++ranks)
                for (const int64_t length : test::lengthsFor(ranks)) {
                    const auto schedule = makeSchedule(chosen.algorithm, collective, ranks, length, chosen.options);
                    const std::string wrong = Follower(*schedule).follow();
                    QVERIFY2(wrong.empty(),
                             (std::to_string(ranks) + " ranks, " + std::to_string(length) + " elements, collective " +
                              std::to_string(static_cast<int>(collective)) + ": " + wrong)
                                 .c_str());
                }
    }

    // Bytes of the busiest rank, in elements, by the formulas of the papers.
    void ranksSendWhatTheFormulasSay_data() {
        QTest::addColumn<std::string>("algorithm");
        QTest::addColumn<int>("collective");
        QTest::addColumn<int>("numerator");   // of V, at 8 ranks
        QTest::addColumn<int>("denominator"); // of V
        const auto all = static_cast<int>(Collective::Allreduce), scatter = static_cast<int>(Collective::ReduceScatter),
                   gather = static_cast<int>(Collective::AllGather),
                   broadcast = static_cast<int>(Collective::Broadcast);
        QTest::newRow("ring, 2(p - 1)V/p") << std::string("ring") << all << 14 << 8;
        QTest::newRow("ring, reduce-scatter, (p - 1)V/p") << std::string("ring") << scatter << 7 << 8;
        QTest::newRow("ring, all-gather, (p - 1)V/p") << std::string("ring") << gather << 7 << 8;
        QTest::newRow("parameter server, 2(p - 1)V/p") << std::string("parameter-server") << all << 14 << 8;
        QTest::newRow("halving-doubling, 2(p - 1)V/p") << std::string("halving-doubling") << all << 14 << 8;
        QTest::newRow("halving, (p - 1)V/p") << std::string("halving-doubling") << scatter << 7 << 8;
        QTest::newRow("doubling, (p - 1)V/p") << std::string("halving-doubling") << gather << 7 << 8;
        QTest::newRow("recursive doubling, V log2 p") << std::string("recursive-doubling") << all << 3 << 1;
        QTest::newRow("naive, (p - 1)V at the root") << std::string("naive") << all << 7 << 1;
        QTest::newRow("tree, 3V inside") << std::string("tree") << all << 3 << 1;
        QTest::newRow("tree, broadcast, 2V inside") << std::string("tree") << broadcast << 2 << 1;
        QTest::newRow("double tree, 2V") << std::string("double-tree") << all << 2 << 1;
    }
    void ranksSendWhatTheFormulasSay() {
        QFETCH(std::string, algorithm);
        QFETCH(int, collective);
        QFETCH(int, numerator);
        QFETCH(int, denominator);
        const int64_t length = 8 * 8 * 2 * 10;
        const auto schedule = makeSchedule(algorithm, static_cast<Collective>(collective), 8, length);
        Follower follower(*schedule);
        QCOMPARE(follower.follow(), std::string());
        QCOMPARE(follower.sent, length * numerator / denominator);
        if (algorithm != "tree") // whose leaves send V and receive V; inside, up and down differ
            QCOMPARE(follower.received, follower.sent);
    }

    void stepsAreAsManyAsTheFormulasSay() {
        const auto steps = [](const char* algorithm, int ranks, const AlgorithmOptions& options = {}) {
            return makeSchedule(algorithm, Collective::Allreduce, ranks, 1000, options)->steps();
        };
        for (const auto& algorithm : algorithms())
            QCOMPARE(steps(algorithm.id.c_str(), 1), 0);
        QCOMPARE(steps("naive", 6), 10);             // 2(p - 1)
        QCOMPARE(steps("parameter-server", 6), 2);   // all at once, there and back
        QCOMPARE(steps("ring", 6), 10);              // 2(p - 1)
        QCOMPARE(steps("recursive-doubling", 8), 3); // log2 p
        QCOMPARE(steps("recursive-doubling", 9), 5); // two more for folding
        QCOMPARE(steps("halving-doubling", 8), 6);   // 2 log2 p
        QCOMPARE(steps("halving-doubling", 15), 8);
        QCOMPARE(steps("tree", 15), 8 - 1 + 2 * 3); // K - 1 + 2H
        QCOMPARE(steps("tree", 15, {ChunkConvention::Nccl, 4, 1}), 2 * 3);
        QCOMPARE(steps("double-tree", 16), 2 * (8 - 1 + 4));                      // 2(K - 1 + H)
        QCOMPARE(steps("hierarchical", 16), 2 * 3 + 8 - 1 + 2 * 2);               // 4 nodes of 4
        QCOMPARE(steps("hierarchical", 8, {ChunkConvention::Nccl, 8, 8}), 2 * 7); // one node: a ring
    }

    void phasesSayWhatIsDone_data() { messagesPairUpAndEverybodyEndsWithTheWhole_data(); }
    void phasesSayWhatIsDone() {
        QFETCH(int, variant);
        const Variant chosen = test::everyVariant()[static_cast<size_t>(variant)];
        for (int ranks = 2; ranks <= 20; ++ranks) {
            const auto schedule = makeSchedule(chosen.algorithm, Collective::Allreduce, ranks, 100, chosen.options);
            for (int64_t index = 0; index < schedule->steps(); ++index) {
                bool reduces = false, copies = false;
                for (const Step& step : stepOf(*schedule, index))
                    for (const Step::Receive& receive : step.receives)
                        (receive.reduce ? reduces : copies) = true;
                const std::string_view phase = schedule->phase(index);
                QCOMPARE(reduces, phase == "reduce" || phase == "reduce-scatter" || phase == "reduce and broadcast");
                QCOMPARE(copies, phase == "broadcast" || phase == "all-gather" || phase == "reduce and broadcast");
            }
        }
    }

    void ringIsTheTableOfItsConvention_data() {
        QTest::addColumn<int>("convention");
        QTest::addColumn<std::vector<std::vector<int>>>("chunks"); // that ranks 0 to 3 send, step by step
        using Table = std::vector<std::vector<int>>;
        QTest::newRow("Baidu") << static_cast<int>(ChunkConvention::Baidu)
                               << Table{{0, 1, 2, 3}, {3, 0, 1, 2}, {2, 3, 0, 1},
                                        {1, 2, 3, 0}, {0, 1, 2, 3}, {3, 0, 1, 2}};
        QTest::newRow("NCCL") << static_cast<int>(ChunkConvention::Nccl)
                              << Table{{3, 0, 1, 2}, {2, 3, 0, 1}, {1, 2, 3, 0},
                                       {0, 1, 2, 3}, {3, 0, 1, 2}, {2, 3, 0, 1}};
    }
    void ringIsTheTableOfItsConvention() {
        QFETCH(int, convention);
        QFETCH(std::vector<std::vector<int>>, chunks);
        AlgorithmOptions options;
        options.convention = static_cast<ChunkConvention>(convention);
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 4, 10, options);
        const std::vector<int64_t> borders{0, 3, 6, 8, 10}; // the first 10 mod 4 chunks have one element more
        QCOMPARE(schedule->chunkBorders(), borders);
        QCOMPARE(schedule->steps(), 6);
        Step step;
        for (size_t index = 0; index < 6; ++index) {
            QCOMPARE(schedule->phase(static_cast<int64_t>(index)), index < 3 ? "reduce-scatter" : "all-gather");
            for (int rank = 0; rank < 4; ++rank) {
                schedule->step(rank, static_cast<int64_t>(index), step);
                const auto chunk = static_cast<size_t>(chunks[index][static_cast<size_t>(rank)]);
                QCOMPARE(step.sends, (std::vector<Step::Send>{{(rank + 1) % 4, {borders[chunk], borders[chunk + 1]}}}));
            }
        }
    }

    void nobodyAddsUpInBothTreesOfADoubleTree() {
        for (int ranks = 2; ranks <= 200; ++ranks) {
            const auto schedule = makeSchedule("double-tree", Collective::Allreduce, ranks, 2 * 8);
            for (int rank = 0; rank < ranks; ++rank) {
                bool first = false, second = false; // half of the vector in which it adds up
                int64_t sent = 0, received = 0;
                Step step;
                for (int64_t index = 0; index < schedule->steps(); ++index) {
                    schedule->step(rank, index, step);
                    for (const Step::Send& send : step.sends)
                        sent += send.range.size();
                    for (const Step::Receive& receive : step.receives) {
                        received += receive.range.size();
                        if (receive.reduce)
                            (receive.range.end <= 8 ? first : second) = true;
                    }
                }
                QVERIFY(!(first && second));
                QVERIFY(sent <= 2 * 16 && received <= 2 * 16); // full bandwidth: V up and V down
            }
        }
    }

    void chunksAreNearlyEqualAndTheLongerOnesComeFirst() {
        for (int64_t elements = 0; elements < 50; ++elements)
            for (int64_t chunks = 1; chunks < 20; ++chunks) {
                int64_t end = 0;
                for (int64_t chunk = 0; chunk < chunks; ++chunk) {
                    const Range range = chunkRange(elements, chunks, chunk);
                    QCOMPARE(range.begin, end);
                    QCOMPARE(range.size(), elements / chunks + (chunk < elements % chunks ? 1 : 0));
                    end = range.end;
                }
                QCOMPARE(end, elements);
            }
    }

    void aStepIsWrittenWhereTheLastOneWas() {
        for (const Variant& variant : test::everyVariant()) {
            const auto schedule = makeSchedule(variant.algorithm, Collective::Allreduce, 24, 1000, variant.options);
            Step step;
            step.sends.reserve(64);
            step.receives.reserve(64);
            const auto* sends = step.sends.data();
            const auto* receives = step.receives.data();
            for (int64_t index = 0; index < schedule->steps(); ++index)
                for (int rank = 0; rank < 24; ++rank)
                    schedule->step(rank, index, step);
            QVERIFY(step.sends.data() == sends && step.receives.data() == receives);
        }
    }

    void messagesOfThousandsOfRanksPairUp() {
        for (const char* algorithm :
             {"ring", "recursive-doubling", "halving-doubling", "tree", "double-tree", "hierarchical"}) {
            const int ranks = 5000;
            const auto schedule = makeSchedule(algorithm, Collective::Allreduce, ranks, 1'000'003);
            for (int64_t index = 0; index < schedule->steps(); index += std::max<int64_t>(1, schedule->steps() / 50)) {
                std::map<std::pair<int, int>, int64_t> open; // begin + end of ranges under way
                const std::vector<Step> steps = stepOf(*schedule, index);
                for (int rank = 0; rank < ranks; ++rank)
                    for (const Step::Send& send : steps[static_cast<size_t>(rank)].sends)
                        open[{rank, send.to}] = send.range.begin + send.range.end;
                size_t received = 0;
                for (int rank = 0; rank < ranks; ++rank)
                    for (const Step::Receive& receive : steps[static_cast<size_t>(rank)].receives) {
                        const auto send = open.find({receive.from, rank});
                        QVERIFY(send != open.end() && send->second == receive.range.begin + receive.range.end);
                        ++received;
                    }
                QCOMPARE(received, open.size());
            }
        }
    }

    void whatCannotBeMadeIsRefusedWithTheName() {
        const auto message = [](const char* algorithm, Collective collective, int ranks, int64_t elements,
                                const AlgorithmOptions& options) -> std::string {
            try {
                makeSchedule(algorithm, collective, ranks, elements, options);
            } catch (const InputError& error) {
                return error.what();
            }
            return "";
        };
        const Collective all = Collective::Allreduce;
        QVERIFY(message("star", all, 4, 4, {}).find("'star' is not known, expected one of naive, parameter-server") !=
                std::string::npos);
        QVERIFY(message("tree", Collective::AllGather, 4, 4, {}).find("'tree' cannot do all-gather") !=
                std::string::npos);
        QVERIFY(message("ring", all, 0, 4, {}).starts_with("ranks is 0"));
        QVERIFY(message("ring", all, 4, -1, {}).starts_with("elements is -1"));
        QVERIFY(message("tree", all, 4, 4, {ChunkConvention::Nccl, 4, 0}).starts_with("pipelineChunks is 0"));
        QVERIFY(message("hierarchical", all, 4, 4, {ChunkConvention::Nccl, 0, 1}).starts_with("ranksPerNode is 0"));
    }
};

QTEST_GUILESS_MAIN(ScheduleTest)
#include "schedule_test.moc"
