// SPDX-License-Identifier: GPL-3.0-or-later
// Collectives between threads: against sums that share no code with them, and against a replay of their schedule.
#include "core/collectives/threads.h"
#include "core/error.h"
#include "every_algorithm.h"
#include "replay.h"

#include <QTest>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <array>
#include <cstring>
#include <mutex>

using namespace warplight;
using namespace warplight::collectives;
using namespace warplight::test;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int rankStride = 4; // threads take ten times as long
#else
constexpr int rankStride = 1;
#endif

constexpr std::array everyReduction{Reduction::Sum, Reduction::Max, Reduction::Average};

std::vector<std::vector<std::byte>> encodedAll(number::Format type, const Vectors& vectors) {
    std::vector<std::vector<std::byte>> all;
    for (const auto& vector : vectors)
        all.push_back(encoded(type, vector));
    return all;
}

Vectors smallVectors(int ranks, int64_t length) {
    Vectors vectors;
    for (int rank = 0; rank < ranks; ++rank)
        vectors.push_back(smallNumbers(rank, length));
    return vectors;
}

Vectors roughVectors(number::Format type, int ranks, int64_t length) {
    Vectors vectors;
    for (int rank = 0; rank < ranks; ++rank)
        vectors.push_back(roughNumbers(type, rank, length));
    return vectors;
}

RunOutcome runOf(const Schedule& schedule, number::Format type, Reduction reduction, const Vectors& inputs,
                 const RunOptions& options = {}) {
    CollectiveCall call;
    call.schedule = &schedule;
    call.type = type;
    call.reduction = reduction;
    return runOnThreads(call, encodedAll(type, inputs), options);
}

/// Runs an allreduce of small numbers; what is wrong with its result, or nothing.
std::string wrongResult(const Variant& variant, int ranks, int64_t length, number::Format type, Reduction reduction) {
    const auto schedule = makeSchedule(variant.algorithm, Collective::Allreduce, ranks, length, variant.options);
    const RunOutcome outcome = runOf(*schedule, type, reduction, smallVectors(ranks, length));
    std::vector<double> right;
    for (int64_t i = 0; i < length; ++i)
        right.push_back(exactResult(type, reduction, ranks, i));
    for (int rank = 0; rank < ranks; ++rank)
        if (decoded(type, outcome.results[static_cast<size_t>(rank)]) != right)
            return variant.name + ", " + std::to_string(ranks) + " ranks, " + std::to_string(length) + " elements of " +
                   number::name(type) + ", reduction " + std::to_string(static_cast<int>(reduction)) + ": rank " +
                   std::to_string(rank) + " is wrong";
    return "";
}

/// An addRow for each variant; the rest of a test takes it from here.
void addVariants() {
    QTest::addColumn<int>("variant");
    int index = 0;
    for (const Variant& variant : everyVariant())
        QTest::addRow("%s", variant.name.c_str()) << index++;
}

Variant fetchedVariant() {
    QFETCH(int, variant);
    return everyVariant()[static_cast<size_t>(variant)];
}

} // namespace

class ThreadRunTest : public QObject {
    Q_OBJECT

  private slots:
    void allreduceIsExactForSmallNumbers_data() { addVariants(); }
    void allreduceIsExactForSmallNumbers() {
        const Variant variant = fetchedVariant();
        size_t turn = 0; // every rank count and length meets one type and reduction, all of them evenly
        for (int ranks = 1; ranks <= 17; ranks += rankStride)
            for (const int64_t length : lengthsFor(ranks)) {
                const std::string wrong =
                    wrongResult(variant, ranks, length, everyType[turn % 4], everyReduction[turn % 3]);
                QVERIFY2(wrong.empty(), wrong.c_str());
                ++turn;
            }
    }

    void everyTypeMeetsEveryReduction_data() { addVariants(); }
    void everyTypeMeetsEveryReduction() {
        const Variant variant = fetchedVariant();
        for (const int ranks : {3, 4})
            for (const number::Format type : everyType)
                for (const Reduction reduction : everyReduction) {
                    const std::string wrong = wrongResult(variant, ranks, 1025, type, reduction);
                    QVERIFY2(wrong.empty(), wrong.c_str());
                }
    }

    void ringIsRightForEveryLength() {
        const Variant ring{"ring", "ring", {}, {}};
        for (const int ranks : {2, 3})
            for (int64_t length = 0; length <= 1025; length += rankStride) {
                const std::string wrong = wrongResult(ring, ranks, length, number::Format::F32, Reduction::Sum);
                QVERIFY2(wrong.empty(), wrong.c_str());
            }
    }

    // Messages that are taken from the sender's memory (over 4 KiB), and in several pieces (over 256 KiB).
    void longMessagesAreNoDifferent_data() { addVariants(); }
    void longMessagesAreNoDifferent() {
        const Variant variant = fetchedVariant();
        for (const auto& [ranks, length] : {std::pair(2, int64_t{300'007}), {5, 100'003}, {8, 40'000}, {17, 30'011}}) {
            const std::string wrong = wrongResult(variant, ranks, length, number::Format::F32, Reduction::Sum);
            QVERIFY2(wrong.empty(), wrong.c_str());
        }
    }

    void ranksEndBitIdenticalAndWithinTheErrorOfASum_data() { addVariants(); }
    void ranksEndBitIdenticalAndWithinTheErrorOfASum() {
        const Variant variant = fetchedVariant();
        for (const int ranks : {2, 3, 6, 8, 13}) {
            const int64_t length = 2003;
            const auto schedule =
                makeSchedule(variant.algorithm, Collective::Allreduce, ranks, length, variant.options);
            const Vectors inputs = roughVectors(number::Format::F32, ranks, length);
            const RunOutcome outcome = runOf(*schedule, number::Format::F32, Reduction::Sum, inputs);
            for (const auto& result : outcome.results)
                QVERIFY(result == outcome.results.front());
            const std::vector<double> result = decoded(number::Format::F32, outcome.results.front());
            for (size_t i = 0; i < result.size(); ++i) {
                double sum = 0, sizes = 0;
                for (const auto& input : inputs) {
                    sum += input[i];
                    sizes += std::fabs(input[i]);
                }
                // Any order of p - 1 additions: (p - 1) u times the sum of sizes, to first order [Higham 2002, 4.2].
                const double bound = 1.01 * (ranks - 1) * 0x1p-24 * sizes;
                QVERIFY2(std::fabs(result[i] - sum) <= bound, variant.name.c_str());
            }
        }
    }

    void runIsTheReplayOfItsSchedule_data() { addVariants(); }
    void runIsTheReplayOfItsSchedule() {
        const Variant variant = fetchedVariant();
        size_t turn = 0;
        for (const Collective collective : variant.collectives)
            for (const int ranks : {2, 3, 5, 8, 11})
                for (const int64_t length : {int64_t{0}, int64_t{10}, int64_t{2051}}) {
                    const number::Format type = everyType[turn++ % 4];
                    const auto schedule = makeSchedule(variant.algorithm, collective, ranks, length, variant.options);
                    const auto steps = static_cast<size_t>(schedule->steps());
                    Vectors vectors = roughVectors(type, ranks, length);
                    std::vector<Vectors> seen(steps, Vectors(static_cast<size_t>(ranks)));
                    RunOptions options;
                    options.observe = [&](int rank, int64_t step, std::span<const std::byte> vector) {
                        seen[static_cast<size_t>(step)][static_cast<size_t>(rank)] = decoded(type, vector);
                    };
                    const RunOutcome outcome = runOf(*schedule, type, Reduction::Sum, vectors, options);
                    bool same = true;
                    replay(*schedule, type, Reduction::Sum, vectors, [&](int64_t step, const Vectors& after) {
                        same = same && seen[static_cast<size_t>(step)] == after;
                    });
                    for (size_t rank = 0; rank < vectors.size(); ++rank)
                        same = same && decoded(type, outcome.results[rank]) == vectors[rank];
                    QVERIFY2(same, (variant.name + ", " + std::to_string(ranks) + " ranks").c_str());
                }
    }

    void partsOfAnAllreduceDoWhatTheirNamesSay_data() { addVariants(); }
    void partsOfAnAllreduceDoWhatTheirNamesSay() {
        const Variant variant = fetchedVariant();
        for (const Collective collective : variant.collectives)
            for (int ranks = 1; ranks <= 9; ++ranks)
                for (const int64_t length : {int64_t{0}, int64_t{1}, int64_t{ranks}, int64_t{100}}) {
                    if (collective == Collective::Allreduce)
                        continue;
                    const auto schedule = makeSchedule(variant.algorithm, collective, ranks, length, variant.options);
                    const number::Format type = number::Format::F32;
                    // Average divides a reduce-scatter's own chunk, and nothing that is only passed on.
                    const RunOutcome outcome = runOf(*schedule, type, Reduction::Average, smallVectors(ranks, length));
                    int64_t begin = 0;
                    for (int owner = 0; owner < ranks; ++owner) {
                        const int64_t end = begin + length / ranks + (owner < length % ranks ? 1 : 0);
                        for (int rank = 0; rank < ranks; ++rank) {
                            const auto result = decoded(type, outcome.results[static_cast<size_t>(rank)]);
                            for (int64_t i = begin; i < end; ++i) {
                                const double is = result[static_cast<size_t>(i)];
                                if (collective == Collective::Broadcast)
                                    QCOMPARE(is, smallNumber(0, i));
                                else if (collective == Collective::AllGather)
                                    QCOMPARE(is, smallNumber(owner, i));
                                else if (rank == owner)
                                    QCOMPARE(is, exactResult(type, Reduction::Average, ranks, i));
                            }
                        }
                        begin = end;
                    }
                }
    }

    void anAverageMayBeLeftASum() {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 3, 10);
        CollectiveCall call{schedule.get(), number::Format::F32, Reduction::Average, false};
        const RunOutcome outcome = runOnThreads(call, encodedAll(number::Format::F32, smallVectors(3, 10)), {});
        for (int64_t i = 0; i < 10; ++i)
            QCOMPARE(decoded(number::Format::F32, outcome.results[1])[static_cast<size_t>(i)],
                     exactResult(number::Format::F32, Reduction::Sum, 3, i));
    }

    void repetitionsStartFromTheSameVectors() {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 3, 5000);
        RunOptions options;
        options.repetitions = 20;
        options.warmups = 3;
        const RunOutcome outcome =
            runOf(*schedule, number::Format::F32, Reduction::Sum, smallVectors(3, 5000), options);
        QCOMPARE(outcome.seconds.size(), size_t{20});
        for (const double seconds : outcome.seconds)
            QVERIFY(seconds > 0);
        for (int64_t i = 0; i < 5000; ++i)
            QCOMPARE(decoded(number::Format::F32, outcome.results[2])[static_cast<size_t>(i)],
                     exactResult(number::Format::F32, Reduction::Sum, 3, i));
    }

    void vectorsThatDoNotFitAreRefused() {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 3, 10);
        QVERIFY_EXCEPTION_THROWN(runOf(*schedule, number::Format::F32, Reduction::Sum, smallVectors(2, 10)),
                                 InputError);
        QVERIFY_EXCEPTION_THROWN(runOf(*schedule, number::Format::F32, Reduction::Sum, smallVectors(3, 9)), InputError);
        const auto crowd = makeSchedule("ring", Collective::Allreduce, 1025, 1);
        QVERIFY_EXCEPTION_THROWN(runOf(*crowd, number::Format::F32, Reduction::Sum, smallVectors(1025, 1)), InputError);
        RunOptions none;
        none.repetitions = 0;
        QVERIFY_EXCEPTION_THROWN(runOf(*schedule, number::Format::F32, Reduction::Sum, smallVectors(3, 10), none),
                                 InputError);
    }
};

QTEST_GUILESS_MAIN(ThreadRunTest)
#include "thread_run_test.moc"
