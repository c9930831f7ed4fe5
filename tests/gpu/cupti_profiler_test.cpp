// SPDX-License-Identifier: GPL-3.0-or-later
// Measuring a launch, with a stand-in for libcupti that knows in which order it has to be called and how large its
// structs are: what is measured, what is said when it cannot be, and that nothing is left open.
#include "standin_cupti/standin_cupti.h"

#include "gpu/cuda/cupti_profiler.h"
#include "gpu/cuda/shared_library.h"

#include <QTest>
#include <cmath>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

using namespace warplight::cuda;

class CuptiProfilerTest : public QObject {
    Q_OBJECT
    std::optional<CuptiLibrary> library;
    decltype(&standinReset) reset = nullptr;
    decltype(&standinFail) fail = nullptr;
    decltype(&standinTraffic) traffic = nullptr;
    decltype(&standinCalls) calls = nullptr;
    decltype(&standinHeld) held = nullptr;
    int context = 0; ///< stands for a CUcontext

    QString failure(const std::function<void()>& action) {
        try {
            action();
        } catch (const CountersUnavailable& error) {
            return error.what();
        }
        return "nothing failed";
    }

  private slots:
    void initTestCase() {
        const std::string names[] = {STANDIN_CUPTI};
        const auto standin = SharedLibrary::open(names);
        QVERIFY(standin);
        reset = standin->function<decltype(reset)>("standinReset");
        fail = standin->function<decltype(fail)>("standinFail");
        traffic = standin->function<decltype(traffic)>("standinTraffic");
        calls = standin->function<decltype(calls)>("standinCalls");
        held = standin->function<decltype(held)>("standinHeld");
        library.emplace(STANDIN_CUPTI);
    }
    void cleanup() {
        QVERIFY2(!QString(calls()).contains('!'), calls());
        QCOMPARE(held(), 0);
    }

    void aLaunchIsMeasuredAndOnlyTheLaunch() {
        reset("GA100", 1);
        CuptiProfiler profiler(*library, &context, 0);
        traffic(1, 1, 1, 1, 1, 1); // before
        const TrafficMeasured measured = profiler.measure([&] {
            traffic(1000, 200, 30, 4, 5000, 6000);
            traffic(1, 2, 3, 4, 5, 6);
        });
        traffic(1, 1, 1, 1, 1, 1); // after
        QCOMPARE(measured.chip, std::string("GA100"));
        QCOMPARE(measured.dramReadBytes.value_or(0), 1001u);
        QCOMPARE(measured.dramWrittenBytes.value_or(0), 202u);
        QCOMPARE(measured.l2ReadBytes, 32u * 33);
        QCOMPARE(measured.l2WrittenBytes, 32u * 8);
        QCOMPARE(measured.l1Bytes, 5005u);
        QCOMPARE(measured.seconds, 6006e-9);
        // Every launch starts from nothing.
        QCOMPARE(profiler.measure([&] { traffic(7, 0, 0, 0, 0, 0); }).dramReadBytes.value_or(0), 7u);
    }

    void callsComeInTheOrderThatCuptiAsksFor() {
        reset("GH100", 1);
        {
            CuptiProfiler(*library, &context, 0).measure([] {});
        }
        QCOMPARE(QString(calls()),
                 QString("cuptiProfilerInitialize cuptiDeviceGetChipName cuptiProfilerGetCounterAvailability "
                         "cuptiProfilerGetCounterAvailability cuptiProfilerHostInitialize "
                         "cuptiProfilerHostConfigAddMetrics cuptiProfilerHostGetConfigImageSize "
                         "cuptiProfilerHostGetConfigImage cuptiProfilerHostGetNumOfPasses cuptiRangeProfilerEnable "
                         "cuptiRangeProfilerGetCounterDataSize cuptiRangeProfilerCounterDataImageInitialize "
                         "cuptiRangeProfilerSetConfig cuptiRangeProfilerStart cuptiRangeProfilerPushRange "
                         "cuptiRangeProfilerPopRange cuptiRangeProfilerStop cuptiRangeProfilerDecodeData "
                         "cuptiRangeProfilerGetCounterDataInfo cuptiProfilerHostEvaluateToGpuValues "
                         "cuptiRangeProfilerDisable cuptiProfilerHostDeinitialize"));
    }

    void severalPassesRunTheLaunchAgain() {
        reset("GV100", 3);
        CuptiProfiler profiler(*library, &context, 0);
        QCOMPARE(profiler.passes(), size_t(3));
        int launches = 0;
        const TrafficMeasured measured = profiler.measure([&] {
            ++launches;
            traffic(100, 0, 0, 0, 0, 0);
        });
        QCOMPARE(launches, 3);
        QCOMPARE(measured.dramReadBytes.value_or(0), 100u);
    }

    void chipsDifferInWhatTheyCanCount() {
        reset("GB202", 1); // dram__bytes_op_read
        {
            CuptiProfiler profiler(*library, &context, 0);
            QCOMPARE(profiler.measure([&] { traffic(5, 6, 0, 0, 0, 0); }).dramWrittenBytes.value_or(0), 6u);
        }
        QCOMPARE(held(), 0);
        reset("GB10B", 1); // integrated
        CuptiProfiler profiler(*library, &context, 0);
        const TrafficMeasured measured = profiler.measure([&] { traffic(5, 6, 7, 8, 9, 10); });
        QVERIFY(!measured.dramReadBytes && !measured.dramWrittenBytes);
        QCOMPARE(measured.l2ReadBytes, 32u * 7);
        QCOMPARE(measured.l1Bytes, 9u);
    }

    void countersThatMayNotBeReadAreExplained_data() {
        QTest::addColumn<QString>("function");
        for (const char* function :
             {"cuptiProfilerInitialize", "cuptiProfilerGetCounterAvailability", "cuptiRangeProfilerEnable",
              "cuptiRangeProfilerCounterDataImageInitialize", "cuptiRangeProfilerSetConfig", "cuptiRangeProfilerStart",
              "cuptiRangeProfilerPushRange", "cuptiRangeProfilerStop", "cuptiRangeProfilerDecodeData",
              "cuptiProfilerHostEvaluateToGpuValues"})
            QTest::newRow(function) << function;
    }
    void countersThatMayNotBeReadAreExplained() {
        QFETCH(QString, function);
        reset("GA100", 1);
        fail(function.toUtf8(), 35);
        bool launched = false;
        const QString said = failure([&] {
            CuptiProfiler profiler(*library, &context, 0);
            profiler.measure([&] { launched = true; });
        });
        for (const char* word : {"CUPTI_ERROR_INSUFFICIENT_PRIVILEGES", "ERR_NVGPUCTRPERM", "administrator",
                                 "NVreg_RestrictProfilingToAdminUsers=0", "counted figures are shown instead"})
            QVERIFY2(said.contains(word), qPrintable(said));
        QVERIFY(!said.contains('\n'));
    }

    void otherFailuresNameTheCallAndTheError() {
        reset("GA100", 1);
        fail("cuptiRangeProfilerSetConfig", 7);
        QVERIFY(failure([&] {
                    CuptiProfiler(*library, &context, 0).measure([] {});
                }).contains("cuptiRangeProfilerSetConfig answered CUPTI_ERROR_INVALID_OPERATION (7)"));
        reset("GA100", 1);
        fail("cuptiRangeProfilerEnable", 39);
        QVERIFY(failure([&] { CuptiProfiler(*library, &context, 0); }).contains("another profiler"));
        reset("GX999", 1);
        QVERIFY(failure([&] {
                    CuptiProfiler(*library, &context, 0);
                }).contains("the counters of the GPU chip 'GX999' are not known; known are those of GV100, TU102"));
    }

    void aLaunchThatFailsLeavesTheProfilerUsable() {
        reset("GA100", 1);
        CuptiProfiler profiler(*library, &context, 0);
        QVERIFY_EXCEPTION_THROWN(profiler.measure([]() -> void { throw std::out_of_range("kernel"); }),
                                 std::out_of_range);
        QCOMPARE(profiler.measure([&] { traffic(11, 0, 0, 0, 0, 0); }).dramReadBytes.value_or(0), 11u);
    }

    void countersThatCannotBeAreRefused() {
        reset("GA100", 1);
        CuptiProfiler profiler(*library, &context, 0);
        QVERIFY(failure([&] {
                    profiler.measure([&] { traffic(-1, 0, 0, 0, 0, 0); });
                }).contains("the counter dram__bytes_read.sum says -1"));
        QVERIFY(failure([&] {
                    profiler.measure([&] { traffic(0, 0, 0, 0, std::nan(""), 0); });
                }).contains("the counter l1tex__t_bytes.sum says nan"));
    }

    void aLibraryThatIsNotThereIsSaid() {
        reset("GA100", 1);
        QVERIFY(failure([] {
                    CuptiLibrary("/nowhere/libcupti.so.13");
                }).contains("/nowhere/libcupti.so.13 could not be opened"));
        QVERIFY(failure([] { CuptiLibrary("libm.so.6"); }).contains("need the CUPTI of CUDA 12.6 or later"));
    }
};

QTEST_GUILESS_MAIN(CuptiProfilerTest)
#include "cupti_profiler_test.moc"
