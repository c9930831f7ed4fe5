// SPDX-License-Identifier: GPL-3.0-or-later
// What goes wrong between GPUs: a sentence each, nothing left behind, no thread that waits for ever.
#include "tests/core/collectives/gpus_fixture.h"

#include "core/error.h"
#include "gpu/cuda/driver.h"
#include "gpu/nccl/nccl_library.h"

#include <QTest>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <thread>

using namespace warplight;
using namespace warplight::test;
using namespace std::chrono_literals;

namespace {

const std::string folder = WARPLIGHT_STANDIN_FOLDER;

/// What an action says when it throws an E; anything else passes.
template <class E, class F>
std::string sentenceOf(F action) {
    try {
        action();
    } catch (const E& error) {
        return error.what();
    }
    return "";
}

/// Rank 0 sends ten elements, rank 1 expects nine.
class Disagreeing : public Schedule {
  public:
    Disagreeing() : Schedule(2, 10) {}
    int64_t steps() const override { return 1; }
    std::string_view phase(int64_t) const override { return "reduce"; }
    std::vector<int64_t> chunkBorders() const override { return {0, 9, 10}; }
    void step(int rank, int64_t, Step& out) const override {
        out.clear();
        if (rank == 0)
            out.sends.push_back({1, {0, 10}});
        else
            out.receives.push_back({0, {0, 9}, true});
    }
};

} // namespace

class GpusFaultsTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    StandInNccl nccl;

    RunOutcome ring(int ranks, RunOptions options = {}, int64_t n = 1000) {
        const auto schedule = makeSchedule("ring", Collective::Allreduce, ranks, n);
        return runOnGpus({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring",
                         startVectors(number::Format::F32, ranks, n), options);
    }

  private slots:
    void init() { nccl.use(standIn); }
    void cleanup() {
        QCOMPARE(standIn.liveObjects(), "");
        QCOMPARE(nccl.comms(), 0);
    }

    void whyThereIsNoNcclIsOneSentence_data() {
        QTest::addColumn<std::string>("driver");
        QTest::addColumn<std::string>("library");
        QTest::addColumn<int>("gpus");
        QTest::addColumn<int>("version");
        QTest::addColumn<std::string>("sentence");
        const auto row = [&](const char* name, const std::string& driver, const std::string& library, int gpus,
                             int version, const std::string& sentence) {
            QTest::newRow(name) << driver << library << gpus << version << sentence;
        };
        row("all is there", standIn.path, nccl.path, 2, 22809, "");
        row("no driver", "/no/libcuda.so.1", nccl.path, 2, 22809,
            "There is no NVIDIA driver: /no/libcuda.so.1 was not found.");
        row("no GPU", standIn.path, nccl.path, 0, 22809, "The NVIDIA driver finds no GPU.");
        row("one GPU", standIn.path, nccl.path, 1, 22809,
            "There is one NVIDIA GPU here (Stand-in GPU); collectives between GPUs need two.");
        row("no library", standIn.path, "/no/libnccl.so.2", 2, 22809,
            "NCCL is not there: /no/libnccl.so.2 was not found (Debian's and NVIDIA's package libnccl2 has it).");
        row("old", standIn.path, nccl.path, 2, 2408, nccl.path + " is NCCL 2.4.8; 2.7.0 or later is needed.");
        row("not NCCL", standIn.path, folder + "/libnvidia-ml.so.1", 2, 22809,
            folder + "/libnvidia-ml.so.1 has no ncclGetVersion: NCCL is older than 2.7.0, or it is none.");
    }
    void whyThereIsNoNcclIsOneSentence() {
        QFETCH(std::string, driver);
        QFETCH(std::string, library);
        QFETCH(int, gpus);
        QFETCH(int, version);
        QFETCH(std::string, sentence);
        qputenv("WARPLIGHT_LIBCUDA", driver.c_str());
        qputenv("WARPLIGHT_LIBNCCL", library.c_str());
        standIn.devices(gpus);
        nccl.version(version);
        QCOMPARE(whyNoNccl(), sentence);
        QCOMPARE(sentenceOf<InputError>([&] { GpuRanks(2); }), sentence); // the same when it is tried
    }

    void whatIsThereIsNamed() {
        QCOMPARE(ncclGpuCount(), 4);
        QCOMPARE(ncclName(), "NCCL 2.28.9");
        nccl.version(2708); // the digits before 2.9
        QCOMPARE(ncclName(), "NCCL 2.7.8");
        qputenv("WARPLIGHT_LIBNCCL", "/no/libnccl.so.2");
        QCOMPARE(ncclName(), "");
    }

    void whatDoesNotFitIsRefused() {
        for (const int ranks : {-1, 0, 1, 5})
            QCOMPARE(sentenceOf<InputError>([&] { GpuRanks{ranks}; }),
                     "ranks is " + std::to_string(ranks) + ", expected 2 to 4, the number of NVIDIA GPUs here");
        GpuRanks gpus(2);
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 2, 100);
        const auto three = makeSchedule("ring", Collective::Allreduce, 3, 100);
        const auto odd = makeSchedule("ring", Collective::ReduceScatter, 2, 101);
        const auto inputs = startVectors(number::Format::F32, 2, 100);
        const auto refusal = [&](const Schedule& s, number::Format type, std::string_view algorithm,
                                 std::vector<std::vector<std::byte>> vectors, const RunOptions& options) {
            return sentenceOf<InputError>([&] {
                gpus.run({&s, type, Reduction::Sum, true}, algorithm, vectors, options);
            });
        };
        QVERIFY(
            refusal(*three, number::Format::F32, "ring", inputs, {}).starts_with("there are 3 ranks in the schedule"));
        QVERIFY(refusal(*schedule, number::Format::I32, "ring", inputs, {}) != "");
        auto shorter = inputs;
        shorter[1].pop_back();
        QCOMPARE(refusal(*schedule, number::Format::F32, "ring", shorter, {}),
                 "rank 1's vector has 399 bytes, expected 400");
        RunOptions options;
        options.repetitions = 0;
        QVERIFY(
            refusal(*schedule, number::Format::F32, "ring", inputs, options).starts_with("there are 0 repetitions"));
        options = {};
        options.fault.kind = Fault::Kind::Dies;
        QVERIFY(refusal(*schedule, number::Format::F32, "ring", inputs, options)
                    .starts_with("a fault is set, expected none"));
        QCOMPARE(
            refusal(*odd, number::Format::F32, ncclLibraryAlgorithm, startVectors(number::Format::F32, 2, 101), {}),
            "there are 101 elements, expected a multiple of 2 ranks for NCCL's own reduce-scatter");
        gpus.run({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring", inputs,
                 {}); // nothing is broken by that
    }

    void errorsOfNcclNameTheCallAndTheGpu_data() {
        QTest::addColumn<std::string>("function");
        QTest::addColumn<int>("call");
        for (const char* function : {"ncclGroupStart", "ncclSend", "ncclRecv", "ncclGroupEnd"})
            for (const int call : {1, 3})
                QTest::addRow("%s %d", function, call) << std::string(function) << call;
        QTest::newRow("ncclAllReduce") << std::string("ncclAllReduce") << 2;
    }
    void errorsOfNcclNameTheCallAndTheGpu() {
        QFETCH(std::string, function);
        QFETCH(int, call);
        nccl.fault(function.c_str(), call, 3);
        const std::string said = sentenceOf<nccl::NcclError>([&] { ring(3); });
        QVERIFY2(said.starts_with("Stand-in GPU (cuda:") &&
                     said.ends_with("): " + function + " failed with internal error: as a test wanted it"),
                 said.c_str());
        QCOMPARE(nccl.aborted(), 3);
    }

    void gpusThatCannotBeJoinedAreTold() {
        nccl.fault("ncclCommInitAll", 1, 2);
        QCOMPARE(sentenceOf<nccl::NcclError>([&] { GpuRanks(2); }),
                 "joining 2 GPUs: ncclCommInitAll failed with unhandled system error: as a test wanted it");
    }

    void aRankThatHangsEndsTheRunInTime() {
        nccl.hang(1);
        RunOptions options;
        options.timeout = 150ms;
        const auto begin = std::chrono::steady_clock::now();
        const std::string said = sentenceOf<RankFailure>([&] { ring(3, options); });
        QCOMPARE(said,
                 "A collective between 3 GPUs did not come to its end within 0.1 s: ranks 0, 1, 2 did not finish.");
        QVERIFY(std::chrono::steady_clock::now() - begin < 5s);
        QCOMPARE(nccl.aborted(), 3);
    }

    void aThreadThatIsStuckInsideNcclIsFreed() {
        nccl.stick(1);
        RunOptions options;
        options.timeout = 150ms;
        const std::string said = sentenceOf<RankFailure>([&] { ring(3, options); });
        QVERIFY2(said.starts_with("A collective between 3 GPUs did not come to its end"), said.c_str());
        QCOMPARE(nccl.aborted(), 3);
    }

    void whatNcclTellsLaterIsAskedFor() {
        nccl.hang(1);
        nccl.asyncError(1, 6);
        const std::string said = sentenceOf<nccl::NcclError>([&] { ring(2); });
        QVERIFY2(said.starts_with("Stand-in GPU (cuda:1): a collective failed with remote process exited"),
                 said.c_str());
        QCOMPARE(nccl.aborted(), 2);
    }

    void messagesOfAnotherSizeAreFound() {
        const Disagreeing schedule;
        const std::string said = sentenceOf<nccl::NcclError>([&] {
            runOnGpus({&schedule, number::Format::F32, Reduction::Sum, true}, "test",
                      startVectors(number::Format::F32, 2, 10), {});
        });
        QVERIFY2(said.find("a collective failed with invalid usage: a message of another size") != std::string::npos,
                 said.c_str());
    }

    void aRunIsCancelledWhileItHangs() {
        nccl.hang(0);
        std::atomic<bool> cancel = false;
        RunOptions options;
        options.cancel = &cancel;
        std::thread later([&] {
            std::this_thread::sleep_for(50ms);
            cancel = true;
        });
        QCOMPARE(sentenceOf<Cancelled>([&] { ring(2, options); }), "cancelled");
        later.join();
        QCOMPARE(nccl.aborted(), 2);
    }

    void aKernelThatGoesWrongLosesTheGpu() {
        standIn.kernelFault(3, 700);
        const std::string said = sentenceOf<DeviceLost>([&] { ring(3); });
        QVERIFY2(said.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos, said.c_str());
    }

    void memoryThatDoesNotSufficeIsNamed() {
        standIn.memory(1'000'000);
        const std::string said = sentenceOf<InputError>([&] { ring(2, {}, 1'000'000); });
        QVERIFY2(said.starts_with("'vector' needs 4000000 bytes of GPU memory"), said.c_str());
        QCOMPARE(nccl.aborted(), 2);
    }

    void ranksOfARunThatFailedAreOfNoUse() {
        GpuRanks gpus(2);
        const auto schedule = makeSchedule("ring", Collective::Allreduce, 2, 100);
        const auto inputs = startVectors(number::Format::F32, 2, 100);
        nccl.fault("ncclSend", 1, 3);
        QVERIFY(!sentenceOf<nccl::NcclError>([&] {
                     gpus.run({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring", inputs, {});
                 }).empty());
        QVERIFY(sentenceOf<InputError>([&] {
                    gpus.run({schedule.get(), number::Format::F32, Reduction::Sum, true}, "ring", inputs, {});
                }).starts_with("these GPUs took part in a run that failed"));
    }

    void ranksMayAlsoBeJoinedOneByOne() { // as processes do
        const auto opened = nccl::Library::open();
        QVERIFY(opened.library);
        nccl::UniqueId id{};
        QCOMPARE(opened.library->getUniqueId(&id), nccl::Result::Success);
        nccl::CommHandle comms[2];
        for (int rank = 0; rank < 2; ++rank)
            QCOMPARE(opened.library->commInitRank(&comms[rank], 2, id, rank), nccl::Result::Success);
        QCOMPARE(nccl.comms(), 2);
        for (const nccl::CommHandle comm : comms)
            QCOMPARE(opened.library->commDestroy(comm), nccl::Result::Success);
        const int twice[] = {1, 1};
        QCOMPARE(opened.library->commInitAll(comms, 2, twice), nccl::Result::InvalidUsage);
        QCOMPARE(opened.library->text(nccl::Result::InvalidUsage), "invalid usage: Duplicate GPU detected");
    }
};

QTEST_GUILESS_MAIN(GpusFaultsTest)
#include "gpus_faults_test.moc"
