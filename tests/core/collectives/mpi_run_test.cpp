// SPDX-License-Identifier: GPL-3.0-or-later
// Collectives between processes: against sums that share no code with them, and against their schedules.
#include "core/collectives/processes.h"
#include "core/error.h"
#include "every_algorithm.h"
#include "mpi_processes.h"
#include "replay.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <csignal>
#include <map>
#include <sys/resource.h>

using namespace warplight;
using namespace warplight::collectives;
using namespace warplight::test;

namespace {

constexpr Reduction everyReduction[]{Reduction::Sum, Reduction::Max, Reduction::Average};

std::vector<std::vector<std::byte>> smallInputs(number::Format type, int ranks, int64_t length) {
    std::vector<std::vector<std::byte>> inputs;
    for (int rank = 0; rank < ranks; ++rank)
        inputs.push_back(encoded(type, smallNumbers(rank, length)));
    return inputs;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr int rankStride = 2;
constexpr int64_t longLength = 140'007;
#else
constexpr int rankStride = 1;
constexpr int64_t longLength = 300'007; // several pieces a message
#endif

/// Sessions by rank count, as somebody would have them who tries this and that.
ProcessRanks& ranksOf(int ranks) {
    static std::map<int, std::unique_ptr<ProcessRanks>> all;
    if (!all[ranks])
        all[ranks] = std::make_unique<ProcessRanks>(ranks);
    return *all[ranks];
}

ProcessCall callOf(const Variant& variant, Collective collective, int64_t length, number::Format type,
                   Reduction reduction) {
    return {variant.algorithm, variant.options, collective, length, type, reduction, true};
}

/// Runs a collective of small numbers; what is wrong with its result, or nothing.
std::string wrongResult(ProcessRanks& processes, int ranks, const ProcessCall& call) {
    const RunOutcome outcome = processes.run(call, smallInputs(call.type, ranks, call.elements), {});
    int64_t begin = 0;
    for (int owner = 0; owner < ranks; ++owner) {
        const int64_t end = begin + call.elements / ranks + (owner < call.elements % ranks ? 1 : 0);
        for (int rank = 0; rank < ranks; ++rank) {
            if (call.collective == Collective::ReduceScatter && rank != owner)
                continue;
            const auto result = decoded(call.type, outcome.results[static_cast<size_t>(rank)]);
            for (int64_t i = begin; i < end; ++i) {
                const double right = call.collective == Collective::Broadcast ? smallNumber(0, i)
                                     : call.collective == Collective::AllGather
                                         ? smallNumber(owner, i)
                                         : exactResult(call.type, call.reduction, ranks, i);
                if (result[static_cast<size_t>(i)] != right)
                    return call.algorithm + " of " + std::to_string(call.elements) + " " + number::name(call.type) +
                           ", reduction " + std::to_string(static_cast<int>(call.reduction)) + ": rank " +
                           std::to_string(rank) + " has " + std::to_string(result[static_cast<size_t>(i)]) + " at " +
                           std::to_string(i) + ", expected " + std::to_string(right);
            }
        }
        begin = end;
    }
    return "";
}

/// Every algorithm, and the library's own.
std::vector<Variant> everyone() {
    std::vector<Variant> all = everyVariant();
    all.push_back({std::string(mpiLibrary),
                   std::string(mpiLibrary),
                   {},
                   {Collective::Allreduce, Collective::ReduceScatter, Collective::AllGather, Collective::Broadcast}});
    return all;
}

} // namespace

class MpiRunTest : public QObject {
    Q_OBJECT

  private slots:
    void allreduceIsExactForSmallNumbers_data() {
        QTest::addColumn<int>("ranks");
        for (int ranks = 1; ranks <= 5; ranks += rankStride)
            QTest::addRow("%d ranks", ranks) << ranks;
    }
    void allreduceIsExactForSmallNumbers() {
        QFETCH(int, ranks);
        size_t turn = 0;
        for (const Variant& variant : everyone())
            for (const int64_t length :
                 {int64_t{0}, int64_t{1}, int64_t{ranks - 1}, int64_t{ranks + 1}, int64_t{1025}, longLength}) {
                const ProcessCall call =
                    callOf(variant, Collective::Allreduce, length, everyType[turn % 4], everyReduction[turn % 3]);
                const std::string wrong = wrongResult(ranksOf(ranks), ranks, call);
                QVERIFY2(wrong.empty(), wrong.c_str());
                ++turn;
            }
    }

    void everyTypeMeetsEveryReduction() {
        int row = 0;
        for (const Variant& variant : everyone())
            for (const number::Format type : everyType)
                for (const Reduction reduction : everyReduction) {
                    if (row++ % thinned(7) != 0)
                        continue;
                    const ProcessCall call = callOf(variant, Collective::Allreduce, 1025, type, reduction);
                    const std::string wrong = wrongResult(ranksOf(3), 3, call);
                    QVERIFY2(wrong.empty(), wrong.c_str());
                }
    }

    void partsOfAnAllreduceDoWhatTheirNamesSay() {
        for (const Variant& variant : everyone())
            for (const Collective collective : variant.collectives)
                for (const int64_t length : {0, 2, 4, 1027}) {
                    const ProcessCall call =
                        callOf(variant, collective, length, number::Format::BF16, Reduction::Average);
                    const std::string wrong = wrongResult(ranksOf(4), 4, call);
                    QVERIFY2(wrong.empty(), wrong.c_str());
                }
    }

    void largeMessagesGoWithoutCopyingFromProcessToProcess() {
        // As in containers where a process must not read another's memory.
        qputenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
        ProcessRanks processes(3);
        for (const Variant& variant : everyone()) {
            const ProcessCall call =
                callOf(variant, Collective::Allreduce, 2 * longLength, number::Format::F32, Reduction::Sum);
            const std::string wrong = wrongResult(processes, 3, call);
            QVERIFY2(wrong.empty(), wrong.c_str());
        }
        qunsetenv("OMPI_MCA_btl_vader_single_copy_mechanism");
    }

    void logHoldsEverySendOfTheScheduleOnce() {
        for (const Variant& variant : everyVariant())
            for (const int ranks : {2, 5}) {
                const int64_t length = 1001;
                RunOptions options;
                options.keepLog = true;
                const RunOutcome outcome = ranksOf(ranks).run(
                    callOf(variant, Collective::Allreduce, length, number::Format::F64, Reduction::Sum),
                    smallInputs(number::Format::F64, ranks, length), options);
                const auto schedule =
                    makeSchedule(variant.algorithm, Collective::Allreduce, ranks, length, variant.options);
                std::map<std::tuple<int64_t, int, int>, Range> sends; // step, from, to
                Step step;
                for (int64_t index = 0; index < schedule->steps(); ++index)
                    for (int rank = 0; rank < ranks; ++rank) {
                        schedule->step(rank, index, step);
                        for (const Step::Send& send : step.sends)
                            sends[{index, rank, send.to}] = send.range;
                    }
                QCOMPARE(outcome.log.messages.size(), sends.size());
                QVERIFY(!sends.empty());
                QCOMPARE(outcome.log.elementBytes, int64_t{8});
                for (const Message& message : outcome.log.messages) {
                    const auto send = sends.find({message.step, message.source, message.destination});
                    QVERIFY2(send != sends.end(), variant.name.c_str());
                    QCOMPARE(message.range, send->second);
                    QCOMPARE(message.bytes, message.range.size() * 8);
                    QVERIFY(message.start >= 0 && message.start <= message.end);
                    QVERIFY(message.end <= outcome.log.seconds);
                    sends.erase(send);
                }
                Contributions(outcome.log); // nobody is counted twice
            }
    }

    void observerSeesTheReplayOfTheSchedule() {
        for (const Variant& variant : everyVariant()) {
            const int ranks = 3;
            const int64_t length = 205;
            const auto schedule =
                makeSchedule(variant.algorithm, Collective::Allreduce, ranks, length, variant.options);
            std::vector<Vectors> seen(static_cast<size_t>(schedule->steps()), Vectors(ranks));
            RunOptions options;
            options.warmups = 1;
            options.observe = [&](int rank, int64_t step, std::span<const std::byte> vector) {
                seen[static_cast<size_t>(step)][static_cast<size_t>(rank)] = decoded(number::Format::F32, vector);
            };
            Vectors vectors;
            std::vector<std::vector<std::byte>> inputs;
            for (int rank = 0; rank < ranks; ++rank) {
                vectors.push_back(roughNumbers(number::Format::F32, rank, length));
                inputs.push_back(encoded(number::Format::F32, vectors.back()));
            }
            ranksOf(ranks).run(callOf(variant, Collective::Allreduce, length, number::Format::F32, Reduction::Sum),
                               inputs, options);
            bool same = true;
            replay(*schedule, number::Format::F32, Reduction::Sum, vectors, [&](int64_t step, const Vectors& after) {
                same = same && seen[static_cast<size_t>(step)] == after;
            });
            QVERIFY2(same, variant.name.c_str());
        }
    }

    void oneSessionRunsManyCalls() {
        ProcessRanks processes(2);
        pid_t mpirun = -1;
        for (int call = 0; call < 3; ++call) {
            RunOptions options;
            options.warmups = 1;
            options.repetitions = 7;
            const int64_t length = 1000 * (call + 1) * (call + 1) * (call + 1) * (call + 1); // memory grows on the way
            const RunOutcome outcome =
                processes.run({.algorithm = call == 1 ? std::string(mpiLibrary) : "ring", .elements = length},
                              smallInputs(number::Format::F32, 2, length), options);
            QCOMPARE(outcome.seconds.size(), size_t{7});
            for (const double seconds : outcome.seconds)
                QVERIFY(seconds > 0 && seconds < 60);
            for (int64_t i = 0; i < length; ++i)
                QCOMPARE(decoded(number::Format::F32, outcome.results[1])[static_cast<size_t>(i)],
                         exactResult(number::Format::F32, Reduction::Sum, 2, i));
            std::vector<pid_t> both;
            for (const OurProcess& each : processesOf(getpid()))
                if (each.isMpirun)
                    both.push_back(each.pid);
            QVERIFY(!both.empty());
            if (call > 0)
                QVERIFY(std::find(both.begin(), both.end(), mpirun) != both.end());
            mpirun = both.back();
        }
    }

    void whatDoesNotFitIsRefusedAndTheSessionGoesOn() {
        ProcessRanks& processes = ranksOf(2);
        const auto inputs = smallInputs(number::Format::F32, 2, 10);
        const auto refused = [&](const ProcessCall& call, const std::vector<std::vector<std::byte>>& vectors,
                                 const RunOptions& options) {
            try {
                processes.run(call, vectors, options);
            } catch (const InputError& error) {
                return std::string(error.what());
            }
            return std::string();
        };
        QVERIFY(!refused({.elements = 10}, smallInputs(number::Format::F32, 3, 10), {}).empty());
        QVERIFY(!refused({.elements = 11}, inputs, {}).empty());
        QVERIFY(!refused({.algorithm = "rings", .elements = 10}, inputs, {}).empty());
        RunOptions options;
        options.repetitions = 0;
        QVERIFY(!refused({.elements = 10}, inputs, options).empty());
        QVERIFY_EXCEPTION_THROWN(ProcessRanks(0), InputError);
        QVERIFY_EXCEPTION_THROWN(ProcessRanks(65), InputError);

        // The system gives no more memory.
        ProcessRanks other(2);
        other.run({.elements = 10}, inputs, {});
        rlimit limit{};
        getrlimit(RLIMIT_FSIZE, &limit);
        const rlimit small{1 << 20, limit.rlim_max};
        const auto before = signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        std::string sentence;
        try {
            other.run({.elements = 1'000'000}, smallInputs(number::Format::F32, 2, 1'000'000), {});
        } catch (const InputError& error) {
            sentence = error.what();
        }
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, before);
        QVERIFY2(sentence.starts_with("16 MB of memory to share"), sentence.c_str());

        for (ProcessRanks* each : {&processes, &other}) {
            const std::string wrong = wrongResult(*each, 2, {.elements = 10});
            QVERIFY2(wrong.empty(), wrong.c_str());
        }
    }

    void moreThanTheMemoryIsRefusedBeforeAnythingStarts() {
        ProcessRanks processes(64);
        RunOptions options;
        options.repetitions = std::numeric_limits<int>::max(); // whose times alone are 2 TB
        std::string sentence;
        try {
            processes.run({.elements = 10}, smallInputs(number::Format::F32, 64, 10), options);
        } catch (const InputError& error) {
            sentence = error.what();
        }
        QVERIFY2(sentence.starts_with("64 ranks with vectors of ") && sentence.find(" are free") != std::string::npos,
                 sentence.c_str());
    }
};

QTEST_GUILESS_MAIN(MpiRunTest)
#include "mpi_run_test.moc"
