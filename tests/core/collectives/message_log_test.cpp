// SPDX-License-Identifier: GPL-3.0-or-later
// Logs of runs between threads against the ring's tables step by step, and what a log promises of its times.
#include "core/collectives/message_log.h"
#include "core/collectives/threads.h"
#include "core/error.h"
#include "every_algorithm.h"
#include "numbers.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <vector>

#include <algorithm>
#include <map>

using namespace warplight;
using namespace warplight::collectives;
using namespace warplight::test;

namespace {

MessageLog logOf(const Schedule& schedule) {
    std::vector<std::vector<std::byte>> inputs;
    for (int rank = 0; rank < schedule.ranks(); ++rank)
        inputs.push_back(encoded(number::Format::F32, smallNumbers(rank, schedule.elements())));
    CollectiveCall call;
    call.schedule = &schedule;
    RunOptions options;
    options.keepLog = true;
    options.repetitions = 2;
    return runOnThreads(call, inputs, options).log;
}

std::vector<int> numbersOf(const QJsonValue& array) {
    std::vector<int> numbers;
    for (const auto& value : array.toArray())
        numbers.push_back(value.toInt());
    return numbers;
}

/// Two ranks, two chunks of one element; step 0 brings chunk 0 from rank 0 to rank 1.
MessageLog twoRanks() {
    MessageLog log;
    log.ranks = 2;
    log.elements = 2;
    log.elementBytes = 4;
    log.chunkBorders = {0, 1, 2};
    log.messages = {{0, 1, 0, {0, 1}, true, 4, 0, 1}};
    return log;
}

} // namespace

class MessageLogTest : public QObject {
    Q_OBJECT

  private slots:
    void ringIsItsOracleStepByStep_data() {
        QTest::addColumn<int>("ranks");
        QTest::addColumn<qint64>("elements");
        for (const int ranks : {2, 3, 4, 5, 8})
            for (const qint64 elements : {ranks, ranks * 3 + 1, 20'000})
                QTest::addRow("%d ranks, %lld elements", ranks, elements) << ranks << elements;
    }
    void ringIsItsOracleStepByStep() {
        QFETCH(int, ranks);
        QFETCH(qint64, elements);
        QFile file(QStringLiteral(WARPLIGHT_TEST_DATA "/oracles/allreduce/ring_%1.json").arg(ranks));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonArray steps = QJsonDocument::fromJson(file.readAll()).object()["steps"].toArray();
        QCOMPARE(steps.size(), 2 * (ranks - 1));

        AlgorithmOptions options;
        options.convention = ChunkConvention::Baidu; // whose order the tables have: rank 0 sends chunk 0 first
        const auto schedule = makeSchedule("ring", Collective::Allreduce, ranks, elements, options);
        const MessageLog log = logOf(*schedule);
        const Contributions contributions(log);
        QCOMPARE(contributions.steps(), steps.size());
        QCOMPARE(log.messages.size(), static_cast<size_t>(steps.size() * ranks));
        auto message = log.messages.begin();
        for (int index = 0; index < steps.size(); ++index) {
            const QJsonObject step = steps[index].toObject();
            QCOMPARE(schedule->phase(index), step["phase"].toString().toStdString());
            for (const auto& value : step["messages"].toArray()) {
                const QJsonObject expected = value.toObject();
                const auto chunk = static_cast<size_t>(expected["chunk"].toInt());
                QCOMPARE(message->step, index);
                QCOMPARE(message->source, expected["source"].toInt());
                QCOMPARE(message->destination, expected["destination"].toInt());
                QCOMPARE(message->range.begin, log.chunkBorders[chunk]);
                QCOMPARE(message->range.end, log.chunkBorders[chunk + 1]);
                QCOMPARE(message->reduce, index < ranks - 1);
                QCOMPARE(contributions.at(index - 1, message->source, static_cast<int>(chunk)),
                         numbersOf(expected["contributions"]));
                ++message;
            }
            const QJsonArray after = step["after"].toArray();
            for (int rank = 0; rank < ranks; ++rank)
                for (int chunk = 0; chunk < ranks; ++chunk)
                    QCOMPARE(contributions.at(index, rank, chunk), numbersOf(after[rank].toArray()[chunk]));
        }
    }

    void contributionsOnlyGrowUntilAllAreThere_data() {
        QTest::addColumn<int>("variant");
        int index = 0;
        for (const Variant& variant : everyVariant())
            QTest::addRow("%s", variant.name.c_str()) << index++;
    }
    void contributionsOnlyGrowUntilAllAreThere() {
        QFETCH(int, variant);
        const Variant chosen = everyVariant()[static_cast<size_t>(variant)];
        for (const int ranks : {1, 2, 7, 8, 13}) {
            const auto schedule = makeSchedule(chosen.algorithm, Collective::Allreduce, ranks, 300, chosen.options);
            const MessageLog log = logOf(*schedule);
            const Contributions contributions(log);
            QCOMPARE(contributions.steps(), schedule->steps());
            for (int rank = 0; rank < ranks; ++rank)
                for (int chunk = 0; chunk + 1 < static_cast<int>(log.chunkBorders.size()); ++chunk) {
                    std::vector<int> before = contributions.at(-1, rank, chunk);
                    QCOMPARE(before, std::vector<int>{rank});
                    for (int64_t step = 0; step < contributions.steps(); ++step) {
                        const std::vector<int> after = contributions.at(step, rank, chunk);
                        QVERIFY(std::includes(after.begin(), after.end(), before.begin(), before.end()));
                        before = after;
                    }
                    QCOMPARE(before.size(), static_cast<size_t>(ranks));
                }
        }
    }

    void timesAreOfOneClock_data() { contributionsOnlyGrowUntilAllAreThere_data(); }
    void timesAreOfOneClock() {
        QFETCH(int, variant);
        const Variant chosen = everyVariant()[static_cast<size_t>(variant)];
        const auto schedule = makeSchedule(chosen.algorithm, Collective::Allreduce, 6, 20'000, chosen.options);
        const MessageLog log = logOf(*schedule);
        QVERIFY(log.seconds > 0);
        std::map<std::pair<int, int64_t>, double> lastOfStep; // end of a rank's receives
        for (const Message& message : log.messages) {
            QVERIFY(message.start >= 0 && message.start <= message.end && message.end <= log.seconds);
            QCOMPARE(message.bytes, message.range.size() * 4);
            double& last = lastOfStep[{message.destination, message.step}];
            last = std::max(last, message.end);
        }
        for (const Message& message : log.messages) { // a rank takes its steps one after the other
            const auto before = lastOfStep.find({message.source, message.step - 1});
            QVERIFY(before == lastOfStep.end() || before->second <= message.start);
        }
        const auto order = [](const Message& a, const Message& b) {
            return std::tie(a.step, a.source, a.destination) < std::tie(b.step, b.source, b.destination);
        };
        QVERIFY(std::is_sorted(log.messages.begin(), log.messages.end(), order));
    }

    void aContributionCountedTwiceIsFound() {
        MessageLog log = twoRanks();
        QCOMPARE(Contributions(log).at(0, 1, 0), (std::vector<int>{0, 1}));
        QCOMPARE(Contributions(log).at(0, 1, 1), std::vector<int>{1});
        QCOMPARE(Contributions(log).at(0, 0, 0), std::vector<int>{0});
        log.messages.push_back({0, 1, 1, {0, 1}, true, 4, 1, 2});
        QVERIFY_EXCEPTION_THROWN(Contributions{log}, std::runtime_error);
        log.messages.back().reduce = false; // takes the place of both: no error, but the sum is lost
        QCOMPARE(Contributions(log).at(1, 1, 0), std::vector<int>{0});
        QVERIFY_EXCEPTION_THROWN(Contributions(log).at(2, 0, 0), std::out_of_range);
    }

    void aLogTooLargeForItsSetsIsRefused() {
        MessageLog log = twoRanks();
        log.ranks = 4096;
        log.chunkBorders.resize(4097);
        for (int64_t i = 0; i < 4097; ++i)
            log.chunkBorders[static_cast<size_t>(i)] = i;
        QVERIFY_EXCEPTION_THROWN(Contributions{log}, InputError);
    }

    void aMessageThatNobodySentIsFound() {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 2, 2);
        std::vector<RankLog> logs(2);
        logs[0].sent = {{0, 1, 5.0}};
        logs[1].received = {{0, 0, {0, 1}, true, 6.0}};
        logs[0].start = logs[1].start = 4;
        logs[0].end = logs[1].end = 7;
        const MessageLog log = joinLogs(*schedule, number::Format::F32, logs);
        QCOMPARE(log.messages, (std::vector<Message>{{0, 1, 0, {0, 1}, true, 4, 1.0, 2.0}}));
        QCOMPARE(log.seconds, 3.0);
        logs[1].received.push_back({1, 0, {1, 2}, false, 6.5});
        QVERIFY_EXCEPTION_THROWN(joinLogs(*schedule, number::Format::F32, logs), std::logic_error);
    }
};

QTEST_GUILESS_MAIN(MessageLogTest)
#include "message_log_test.moc"
