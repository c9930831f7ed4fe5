// SPDX-License-Identifier: GPL-3.0-or-later
// Collectives between GPUs: the stand-ins for the driver and for NCCL, every algorithm against sums of whole numbers.
#include "tests/core/collectives/gpus_fixture.h"

#include "core/error.h"

#include <QTest>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <map>
#include <set>

using namespace warplight;
using namespace warplight::test;

namespace {

constexpr number::Format types[] = {number::Format::F32, number::Format::F64, number::Format::F16,
                                    number::Format::BF16};

/// One step that ranks 0, 1 … do as it says.
class OneStep : public Schedule {
  public:
    OneStep(int64_t n, std::vector<Step> s) : Schedule(static_cast<int>(s.size()), n), parts(std::move(s)) {}
    int64_t steps() const override { return 1; }
    std::string_view phase(int64_t) const override { return "reduce"; }
    std::vector<int64_t> chunkBorders() const override { return {0, 5, 10, 15}; }
    void step(int rank, int64_t, Step& out) const override { out = parts[static_cast<size_t>(rank)]; }

  private:
    std::vector<Step> parts;
};

} // namespace

class GpusTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    StandInNccl nccl;

  private slots:
    void init() { nccl.use(standIn); }
    void cleanup() {
        QCOMPARE(standIn.liveObjects(), "");
        QCOMPARE(nccl.comms(), 0);
        QCOMPARE(standIn.counts().findings, uint64_t(0)); // races, reads of what nobody wrote
    }

    void everyAlgorithmSumsExactly_data() {
        QTest::addColumn<std::string>("algorithm");
        QTest::addColumn<int>("ranks");
        for (const Algorithm& algorithm : algorithms())
            for (const int ranks : {2, 3, 4})
                QTest::addRow("%s, %d GPUs", algorithm.id.c_str(), ranks) << algorithm.id << ranks;
    }
    void everyAlgorithmSumsExactly() {
        QFETCH(std::string, algorithm);
        QFETCH(int, ranks);
        GpuRanks gpus(ranks);
        for (const number::Format type : types)
            for (const int64_t n : {0, 1, 3, 100, 1003})
                for (const Reduction reduction : {Reduction::Sum, Reduction::Max, Reduction::Average}) {
                    if (reduction != Reduction::Sum && n != 100)
                        continue;
                    const auto schedule = makeSchedule(algorithm, Collective::Allreduce, ranks, n);
                    const RunOutcome outcome =
                        gpus.run({schedule.get(), type, reduction, true}, algorithm, startVectors(type, ranks, n), {});
                    const auto expected = encoded(type, combinedValues(reduction, ranks, n));
                    QCOMPARE(outcome.results.size(), static_cast<size_t>(ranks));
                    for (const auto& result : outcome.results)
                        QVERIFY2(result == expected, qPrintable(QString("%1, %2 elements, reduction %3")
                                                                    .arg(number::name(type).c_str())
                                                                    .arg(n)
                                                                    .arg(static_cast<int>(reduction))));
                }
    }

    void otherCollectivesLeaveWhatTheyPromise_data() {
        QTest::addColumn<std::string>("algorithm");
        QTest::addColumn<int>("collective");
        for (const Algorithm& algorithm : algorithms())
            for (const Collective collective : algorithm.collectives)
                if (collective != Collective::Allreduce)
                    QTest::addRow("%s, %d", algorithm.id.c_str(), static_cast<int>(collective))
                        << algorithm.id << static_cast<int>(collective);
        for (const Collective collective :
             {Collective::Allreduce, Collective::ReduceScatter, Collective::AllGather, Collective::Broadcast})
            QTest::addRow("NCCL's own, %d", static_cast<int>(collective))
                << std::string(ncclLibraryAlgorithm) << static_cast<int>(collective);
    }
    void otherCollectivesLeaveWhatTheyPromise() {
        QFETCH(std::string, algorithm);
        QFETCH(int, collective);
        const auto kind = static_cast<Collective>(collective);
        const bool byLibrary = algorithm == ncclLibraryAlgorithm;
        for (const int ranks : {2, 3, 4}) {
            GpuRanks gpus(ranks);
            for (const number::Format type : types)
                for (const int64_t n : {int64_t(ranks), int64_t(byLibrary ? 1200 : 1003)})
                    for (const Reduction reduction : {Reduction::Sum, Reduction::Max, Reduction::Average}) {
                        const auto schedule = makeSchedule(!byLibrary                      ? algorithm
                                                           : kind == Collective::Broadcast ? "tree"
                                                                                           : "ring",
                                                           kind, ranks, n);
                        const auto inputs = startVectors(type, ranks, n);
                        const RunOutcome outcome =
                            gpus.run({schedule.get(), type, reduction, true}, algorithm, inputs, {});
                        const auto combined = encoded(type, combinedValues(reduction, ranks, n));
                        const auto size = static_cast<size_t>(number::bytes(type));
                        for (int rank = 0; rank < ranks; ++rank) {
                            const std::vector<std::byte>& got = outcome.results[static_cast<size_t>(rank)];
                            QCOMPARE(got.size(), inputs[0].size());
                            for (int owner = 0; owner < ranks; ++owner) {
                                if (kind == Collective::ReduceScatter && owner != rank)
                                    continue;
                                const Range chunk = chunkRange(n, ranks, owner);
                                const std::vector<std::byte>& want = kind == Collective::AllGather
                                                                         ? inputs[static_cast<size_t>(owner)]
                                                                     : kind == Collective::Broadcast ? inputs[0]
                                                                                                     : combined;
                                QVERIFY(std::memcmp(got.data() + static_cast<size_t>(chunk.begin) * size,
                                                    want.data() + static_cast<size_t>(chunk.begin) * size,
                                                    static_cast<size_t>(chunk.size()) * size) == 0);
                            }
                        }
                    }
        }
    }

    void sumsThatAreNotDividedStaySums() {
        for (const std::string_view algorithm : {std::string_view("ring"), ncclLibraryAlgorithm}) {
            const auto schedule = makeSchedule("ring", Collective::Allreduce, 3, 100);
            const RunOutcome outcome = runOnGpus({schedule.get(), number::Format::F32, Reduction::Average, false},
                                                 algorithm, startVectors(number::Format::F32, 3, 100), {});
            QVERIFY(outcome.results[2] == encoded(number::Format::F32, combinedValues(Reduction::Sum, 3, 100)));
        }
    }

    void whatIsSentIsWhatTheVectorHeldBeforeTheStep() { // two that swap
        const OneStep swap(15, {{{{1, {0, 15}}}, {{1, {0, 15}, false}}}, {{{0, {0, 15}}}, {{0, {0, 15}, false}}}});
        const auto inputs = startVectors(number::Format::F32, 2, 15);
        const RunOutcome outcome = runOnGpus({&swap, number::Format::F32, Reduction::Sum, true}, "swap", inputs, {});
        QVERIFY(outcome.results[0] == inputs[1]);
        QVERIFY(outcome.results[1] == inputs[0]);
    }

    void receivesAreAppliedInTheirOrder() { // rank 1's is added to [0, 10), then rank 2's takes the place of [5, 15)
        const OneStep both(
            15, {{{}, {{1, {0, 10}, true}, {2, {5, 15}, false}}}, {{{0, {0, 10}}}, {}}, {{{0, {5, 15}}}, {}}});
        const RunOutcome outcome = runOnGpus({&both, number::Format::F32, Reduction::Sum, true}, "both",
                                             startVectors(number::Format::F32, 3, 15), {});
        std::vector<int> expected;
        for (int64_t i = 0; i < 15; ++i)
            expected.push_back(i < 5 ? startValue(0, i) + startValue(1, i) : startValue(2, i));
        QVERIFY(outcome.results[0] == encoded(number::Format::F32, expected));
    }

    void messagesGoThroughNcclAsTheLogSays() {
        const int ranks = 4;
        const int64_t n = 1003;
        const auto schedule = makeSchedule("ring", Collective::Allreduce, ranks, n);
        RunOptions options;
        options.keepLog = true;
        const RunOutcome outcome = runOnGpus({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring",
                                             startVectors(number::Format::F32, ranks, n), options);
        std::multiset<std::string> said, seen;
        int64_t bytes = 0;
        for (const Message& m : outcome.log.messages) {
            said.insert(std::to_string(m.source) + " -> " + std::to_string(m.destination) + ": " +
                        std::to_string(m.bytes) + " bytes");
            bytes += m.bytes;
            QVERIFY(m.end > m.start && m.start >= 0 && m.end <= outcome.log.seconds);
        }
        for (const QByteArray& line : QByteArray(nccl.log()).split('\n'))
            if (line.contains("->"))
                seen.insert(line.toStdString());
        const std::multiset<std::string> once = said;
        said.insert(once.begin(), once.end()); // a warm-up was before
        QVERIFY(said == seen);
        QCOMPARE(once.size(), size_t(2 * (ranks - 1) * ranks));
        QCOMPARE(bytes, 2 * (ranks - 1) * n * 4); // 2 (p - 1) / p of the vector from each rank
        for (int rank = 0; rank < ranks; ++rank)  // by the log, everybody has everything
            for (int chunk = 0; chunk < ranks; ++chunk)
                QCOMPARE(Contributions(outcome.log).at(schedule->steps() - 1, rank, chunk).size(), size_t(ranks));
    }

    void theLibrarysCollectiveIsOneCallOfNccl() {
        const auto schedule = makeSchedule("naive", Collective::Allreduce, 2, 100);
        RunOptions options;
        options.keepLog = true;
        const RunOutcome outcome = runOnGpus({schedule.get(), number::Format::F32, Reduction::Sum, true},
                                             ncclLibraryAlgorithm, startVectors(number::Format::F32, 2, 100), options);
        QCOMPARE(std::string(nccl.log()), "all-reduce of 1\nall-reduce of 100\nall-reduce of 1\nall-reduce of 100\n");
        QVERIFY(outcome.log.messages.empty());
        QCOMPARE(standIn.counts().kernels, uint64_t(0));
    }

    void timesAreThoseOfTheSlowestGpuForEachRepetition() {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 2, 1000);
        // One reduction a GPU and repetition: a warm-up, then 1 ms and 4 ms on one GPU, 2 ms and 2 ms.
        const double kernels[] = {0.5, 0.5, 1e-3, 4e-3, 2e-3, 2e-3};
        standIn.durations(kernels, 6);
        RunOptions options;
        options.warmups = 1;
        options.repetitions = 2;
        const RunOutcome outcome = runOnGpus({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring",
                                             startVectors(number::Format::F32, 2, 1000), options);
        QCOMPARE(outcome.seconds.size(), size_t(2));
        // The stand-in's messages take 1e-11 s a byte.
        QVERIFY2(outcome.seconds[0] > 4e-3 && outcome.seconds[0] < 4.001e-3,
                 qPrintable(QString::number(outcome.seconds[0])));
        QVERIFY2(outcome.seconds[1] > 2e-3 && outcome.seconds[1] < 2.001e-3,
                 qPrintable(QString::number(outcome.seconds[1])));
        QVERIFY(outcome.results[0] ==
                encoded(number::Format::F32, combinedValues(Reduction::Sum, 2, 1000))); // put back between
    }

    void aGpuThatEndsLaterCounts() { // each repetition: two sums, then two divisions, of which one is slow
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 2, 1000);
        std::vector<double> kernels;
        for (int i = 0; i < 9; ++i)
            kernels.insert(kernels.end(), {1e-6, 1e-6, 1e-3, 6e-3});
        standIn.durations(kernels.data(), static_cast<int>(kernels.size()));
        RunOptions options;
        options.repetitions = 8;
        const RunOutcome outcome = runOnGpus({schedule.get(), number::Format::F32, Reduction::Average, true}, "ring",
                                             startVectors(number::Format::F32, 2, 1000), options);
        for (const double seconds : outcome.seconds)
            QVERIFY2(seconds > 6e-3 && seconds < 6.1e-3, qPrintable(QString::number(seconds)));
    }

    void whoWatchesSeesEveryStepOfTheLastRepetition() {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 3, 99);
        std::mutex mutex;
        std::map<std::pair<int, int64_t>, std::vector<std::byte>> seen;
        RunOptions options;
        options.repetitions = 2;
        options.observe = [&](int rank, int64_t step, std::span<const std::byte> vector) {
            const std::lock_guard lock(mutex);
            QVERIFY(seen.emplace(std::pair(rank, step), std::vector(vector.begin(), vector.end())).second);
        };
        const RunOutcome outcome = runOnGpus({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring",
                                             startVectors(number::Format::F32, 3, 99), options);
        QCOMPARE(seen.size(), size_t(3 * 4));
        QVERIFY((seen[{1, 3}] == outcome.results[1]));
        QVERIFY((seen[{1, 0}] != outcome.results[1]));
    }

    void ranksAreKeptForSeveralRuns() {
        GpuRanks gpus(2);
        QCOMPARE(gpus.ranks(), 2);
        QCOMPARE(gpus.names(), (std::vector<std::string>{"Stand-in GPU (cuda:0)", "Stand-in GPU (cuda:1)"}));
        for (const int64_t n : {1000, 10, 2000}) {
            const auto schedule = makeSchedule("ring", Collective::Allreduce, 2, n);
            const RunOutcome outcome = gpus.run({schedule.get(), number::Format::F64, Reduction::Sum, true}, "ring",
                                                startVectors(number::Format::F64, 2, n), {});
            QVERIFY(outcome.results[1] == encoded(number::Format::F64, combinedValues(Reduction::Sum, 2, n)));
        }
        QCOMPARE(nccl.comms(), 2);
    }
};

QTEST_GUILESS_MAIN(GpusTest)
#include "gpus_test.moc"
