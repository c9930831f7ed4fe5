// SPDX-License-Identifier: GPL-3.0-or-later
// The table of counters, against what the installed CUPTI's host half says of each chip (no GPU needed), and the
// structs that are handed to it, against its headers.
#include "gpu/cuda/cupti_host.h"
#include "gpu/cuda/cupti_metrics.h"
#include "gpu/cuda/cupti_profiler.h"

#include <QFile>
#include <QTest>
#include <optional>
#include <string>

#include <algorithm>
#include <set>

#if __has_include(<cupti_range_profiler.h>) && __has_include(<cuda.h>)
#define WITH_CUPTI_HEADERS
#include <cupti_profiler_host.h>
#include <cupti_range_profiler.h>
#include <cupti_target.h>
#endif

using namespace warplight::cuda;

#ifdef WITH_CUPTI_HEADERS
// Each field by field: name of the struct here, in CUPTI, then pairs of fields.
#define SAME_SIZE(Ours, Theirs)                                                                                        \
    static_assert(sizeof(cupti::Ours) == sizeof(Theirs));                                                              \
    static_assert(alignof(cupti::Ours) == alignof(Theirs))
#define SAME_FIELD(Ours, our, Theirs, their)                                                                           \
    static_assert(offsetof(cupti::Ours, our) == offsetof(Theirs, their));                                              \
    static_assert(sizeof(cupti::Ours::our) == sizeof(Theirs::their))

SAME_SIZE(Initialize, CUpti_Profiler_Initialize_Params);
SAME_SIZE(ChipName, CUpti_Device_GetChipName_Params);
SAME_FIELD(ChipName, deviceIndex, CUpti_Device_GetChipName_Params, deviceIndex);
SAME_FIELD(ChipName, chipName, CUpti_Device_GetChipName_Params, pChipName);
SAME_SIZE(CounterAvailability, CUpti_Profiler_GetCounterAvailability_Params);
SAME_FIELD(CounterAvailability, context, CUpti_Profiler_GetCounterAvailability_Params, ctx);
SAME_FIELD(CounterAvailability, bytes, CUpti_Profiler_GetCounterAvailability_Params, counterAvailabilityImageSize);
SAME_FIELD(CounterAvailability, image, CUpti_Profiler_GetCounterAvailability_Params, pCounterAvailabilityImage);
SAME_SIZE(HostInitialize, CUpti_Profiler_Host_Initialize_Params);
SAME_FIELD(HostInitialize, profilerType, CUpti_Profiler_Host_Initialize_Params, profilerType);
SAME_FIELD(HostInitialize, chipName, CUpti_Profiler_Host_Initialize_Params, pChipName);
SAME_FIELD(HostInitialize, counterAvailability, CUpti_Profiler_Host_Initialize_Params, pCounterAvailabilityImage);
SAME_FIELD(HostInitialize, host, CUpti_Profiler_Host_Initialize_Params, pHostObject);
SAME_SIZE(HostDeinitialize, CUpti_Profiler_Host_Deinitialize_Params);
SAME_FIELD(HostDeinitialize, host, CUpti_Profiler_Host_Deinitialize_Params, pHostObject);
SAME_SIZE(SupportedChips, CUpti_Profiler_Host_GetSupportedChips_Params);
SAME_FIELD(SupportedChips, chips, CUpti_Profiler_Host_GetSupportedChips_Params, numChips);
SAME_FIELD(SupportedChips, chipNames, CUpti_Profiler_Host_GetSupportedChips_Params, ppChipNames);
SAME_SIZE(AddMetrics, CUpti_Profiler_Host_ConfigAddMetrics_Params);
SAME_FIELD(AddMetrics, host, CUpti_Profiler_Host_ConfigAddMetrics_Params, pHostObject);
SAME_FIELD(AddMetrics, metricNames, CUpti_Profiler_Host_ConfigAddMetrics_Params, ppMetricNames);
SAME_FIELD(AddMetrics, metrics, CUpti_Profiler_Host_ConfigAddMetrics_Params, numMetrics);
SAME_SIZE(ConfigImageSize, CUpti_Profiler_Host_GetConfigImageSize_Params);
SAME_FIELD(ConfigImageSize, host, CUpti_Profiler_Host_GetConfigImageSize_Params, pHostObject);
SAME_FIELD(ConfigImageSize, bytes, CUpti_Profiler_Host_GetConfigImageSize_Params, configImageSize);
SAME_SIZE(ConfigImage, CUpti_Profiler_Host_GetConfigImage_Params);
SAME_FIELD(ConfigImage, host, CUpti_Profiler_Host_GetConfigImage_Params, pHostObject);
SAME_FIELD(ConfigImage, bytes, CUpti_Profiler_Host_GetConfigImage_Params, configImageSize);
SAME_FIELD(ConfigImage, image, CUpti_Profiler_Host_GetConfigImage_Params, pConfigImage);
SAME_SIZE(PassCount, CUpti_Profiler_Host_GetNumOfPasses_Params);
SAME_FIELD(PassCount, bytes, CUpti_Profiler_Host_GetNumOfPasses_Params, configImageSize);
SAME_FIELD(PassCount, image, CUpti_Profiler_Host_GetNumOfPasses_Params, pConfigImage);
SAME_FIELD(PassCount, passes, CUpti_Profiler_Host_GetNumOfPasses_Params, numOfPasses);
SAME_SIZE(Evaluate, CUpti_Profiler_Host_EvaluateToGpuValues_Params);
SAME_FIELD(Evaluate, host, CUpti_Profiler_Host_EvaluateToGpuValues_Params, pHostObject);
SAME_FIELD(Evaluate, counterData, CUpti_Profiler_Host_EvaluateToGpuValues_Params, pCounterDataImage);
SAME_FIELD(Evaluate, bytes, CUpti_Profiler_Host_EvaluateToGpuValues_Params, counterDataImageSize);
SAME_FIELD(Evaluate, rangeIndex, CUpti_Profiler_Host_EvaluateToGpuValues_Params, rangeIndex);
SAME_FIELD(Evaluate, metricNames, CUpti_Profiler_Host_EvaluateToGpuValues_Params, ppMetricNames);
SAME_FIELD(Evaluate, metrics, CUpti_Profiler_Host_EvaluateToGpuValues_Params, numMetrics);
SAME_FIELD(Evaluate, values, CUpti_Profiler_Host_EvaluateToGpuValues_Params, pMetricValues);
SAME_SIZE(RangeEnable, CUpti_RangeProfiler_Enable_Params);
SAME_FIELD(RangeEnable, context, CUpti_RangeProfiler_Enable_Params, ctx);
SAME_FIELD(RangeEnable, profiler, CUpti_RangeProfiler_Enable_Params, pRangeProfilerObject);
SAME_SIZE(RangeOnly, CUpti_RangeProfiler_Disable_Params);
SAME_FIELD(RangeOnly, profiler, CUpti_RangeProfiler_Disable_Params, pRangeProfilerObject);
SAME_SIZE(RangeOnly, CUpti_RangeProfiler_Start_Params);
SAME_FIELD(RangeOnly, profiler, CUpti_RangeProfiler_Start_Params, pRangeProfilerObject);
SAME_SIZE(RangeOnly, CUpti_RangeProfiler_PopRange_Params);
SAME_FIELD(RangeOnly, profiler, CUpti_RangeProfiler_PopRange_Params, pRangeProfilerObject);
SAME_SIZE(RangeCounterDataSize, CUpti_RangeProfiler_GetCounterDataSize_Params);
SAME_FIELD(RangeCounterDataSize, profiler, CUpti_RangeProfiler_GetCounterDataSize_Params, pRangeProfilerObject);
SAME_FIELD(RangeCounterDataSize, metricNames, CUpti_RangeProfiler_GetCounterDataSize_Params, pMetricNames);
SAME_FIELD(RangeCounterDataSize, metrics, CUpti_RangeProfiler_GetCounterDataSize_Params, numMetrics);
SAME_FIELD(RangeCounterDataSize, maxRanges, CUpti_RangeProfiler_GetCounterDataSize_Params, maxNumOfRanges);
SAME_FIELD(RangeCounterDataSize, maxRangeTreeNodes, CUpti_RangeProfiler_GetCounterDataSize_Params,
           maxNumRangeTreeNodes);
SAME_FIELD(RangeCounterDataSize, bytes, CUpti_RangeProfiler_GetCounterDataSize_Params, counterDataSize);
SAME_SIZE(RangeCounterDataInitialize, CUpti_RangeProfiler_CounterDataImage_Initialize_Params);
SAME_FIELD(RangeCounterDataInitialize, profiler, CUpti_RangeProfiler_CounterDataImage_Initialize_Params,
           pRangeProfilerObject);
SAME_FIELD(RangeCounterDataInitialize, bytes, CUpti_RangeProfiler_CounterDataImage_Initialize_Params, counterDataSize);
SAME_FIELD(RangeCounterDataInitialize, counterData, CUpti_RangeProfiler_CounterDataImage_Initialize_Params,
           pCounterData);
SAME_SIZE(RangeConfig, CUpti_RangeProfiler_SetConfig_Params);
SAME_FIELD(RangeConfig, profiler, CUpti_RangeProfiler_SetConfig_Params, pRangeProfilerObject);
SAME_FIELD(RangeConfig, configBytes, CUpti_RangeProfiler_SetConfig_Params, configSize);
SAME_FIELD(RangeConfig, configImage, CUpti_RangeProfiler_SetConfig_Params, pConfig);
SAME_FIELD(RangeConfig, counterDataBytes, CUpti_RangeProfiler_SetConfig_Params, counterDataImageSize);
SAME_FIELD(RangeConfig, counterData, CUpti_RangeProfiler_SetConfig_Params, pCounterDataImage);
SAME_FIELD(RangeConfig, range, CUpti_RangeProfiler_SetConfig_Params, range);
SAME_FIELD(RangeConfig, replayMode, CUpti_RangeProfiler_SetConfig_Params, replayMode);
SAME_FIELD(RangeConfig, maxRangesPerPass, CUpti_RangeProfiler_SetConfig_Params, maxRangesPerPass);
SAME_FIELD(RangeConfig, nestingLevels, CUpti_RangeProfiler_SetConfig_Params, numNestingLevels);
SAME_FIELD(RangeConfig, minNestingLevel, CUpti_RangeProfiler_SetConfig_Params, minNestingLevel);
SAME_FIELD(RangeConfig, passIndex, CUpti_RangeProfiler_SetConfig_Params, passIndex);
SAME_FIELD(RangeConfig, targetNestingLevel, CUpti_RangeProfiler_SetConfig_Params, targetNestingLevel);
SAME_SIZE(RangePush, CUpti_RangeProfiler_PushRange_Params);
SAME_FIELD(RangePush, profiler, CUpti_RangeProfiler_PushRange_Params, pRangeProfilerObject);
SAME_FIELD(RangePush, name, CUpti_RangeProfiler_PushRange_Params, pRangeName);
SAME_SIZE(RangeStop, CUpti_RangeProfiler_Stop_Params);
SAME_FIELD(RangeStop, profiler, CUpti_RangeProfiler_Stop_Params, pRangeProfilerObject);
SAME_FIELD(RangeStop, passIndex, CUpti_RangeProfiler_Stop_Params, passIndex);
SAME_FIELD(RangeStop, targetNestingLevel, CUpti_RangeProfiler_Stop_Params, targetNestingLevel);
SAME_FIELD(RangeStop, allPassesSubmitted, CUpti_RangeProfiler_Stop_Params, isAllPassSubmitted);
SAME_SIZE(RangeDecode, CUpti_RangeProfiler_DecodeData_Params);
SAME_FIELD(RangeDecode, profiler, CUpti_RangeProfiler_DecodeData_Params, pRangeProfilerObject);
SAME_FIELD(RangeDecode, rangesDropped, CUpti_RangeProfiler_DecodeData_Params, numOfRangeDropped);
SAME_SIZE(CounterDataInfo, CUpti_RangeProfiler_GetCounterDataInfo_Params);
SAME_FIELD(CounterDataInfo, counterData, CUpti_RangeProfiler_GetCounterDataInfo_Params, pCounterDataImage);
SAME_FIELD(CounterDataInfo, bytes, CUpti_RangeProfiler_GetCounterDataInfo_Params, counterDataImageSize);
SAME_FIELD(CounterDataInfo, ranges, CUpti_RangeProfiler_GetCounterDataInfo_Params, numTotalRanges);

static_assert(cupti::rangeProfiler == int(CUPTI_PROFILER_TYPE_RANGE_PROFILER));
static_assert(cupti::autoRange == int(CUPTI_AutoRange) && cupti::userRange == int(CUPTI_UserRange));
static_assert(cupti::kernelReplay == int(CUPTI_KernelReplay) && cupti::userReplay == int(CUPTI_UserReplay));
static_assert(cupti::success == int(CUPTI_SUCCESS) && cupti::invalidParameter == int(CUPTI_ERROR_INVALID_PARAMETER) &&
              cupti::invalidMetricName == int(CUPTI_ERROR_INVALID_METRIC_NAME) &&
              cupti::hardwareBusy == int(CUPTI_ERROR_HARDWARE_BUSY) &&
              cupti::notSupported == int(CUPTI_ERROR_NOT_SUPPORTED) &&
              cupti::insufficientPrivileges == int(CUPTI_ERROR_INSUFFICIENT_PRIVILEGES) &&
              cupti::multipleSubscribers == int(CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED) &&
              cupti::virtualisedInsufficientPrivileges == int(CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES));
#endif

class CuptiMetricsTest : public QObject {
    Q_OBJECT
    std::optional<CuptiLibrary> library;
    QString why;

  private slots:
    void initTestCase() {
#ifdef __SANITIZE_ADDRESS__
        why = "the address sanitizer does not let CUPTI open its libraries (RTLD_DEEPBIND)";
        return;
#endif
        try {
            library.emplace();
        } catch (const CountersUnavailable& error) {
            why = error.what();
        }
    }

    void structsSayTheSizesThatCuptiKnows() {
#ifdef WITH_CUPTI_HEADERS
        QCOMPARE(cupti::Initialize().structSize, CUpti_Profiler_Initialize_Params_STRUCT_SIZE);
        QCOMPARE(cupti::ChipName().structSize, CUpti_Device_GetChipName_Params_STRUCT_SIZE);
        QCOMPARE(cupti::CounterAvailability().structSize, CUpti_Profiler_GetCounterAvailability_Params_STRUCT_SIZE);
        QCOMPARE(cupti::HostInitialize().structSize, CUpti_Profiler_Host_Initialize_Params_STRUCT_SIZE);
        QCOMPARE(cupti::HostDeinitialize().structSize, CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE);
        QCOMPARE(cupti::SupportedChips().structSize, CUpti_Profiler_Host_GetSupportedChips_Params_STRUCT_SIZE);
        QCOMPARE(cupti::AddMetrics().structSize, CUpti_Profiler_Host_ConfigAddMetrics_Params_STRUCT_SIZE);
        QCOMPARE(cupti::ConfigImageSize().structSize, CUpti_Profiler_Host_GetConfigImageSize_Params_STRUCT_SIZE);
        QCOMPARE(cupti::ConfigImage().structSize, CUpti_Profiler_Host_GetConfigImage_Params_STRUCT_SIZE);
        QCOMPARE(cupti::PassCount().structSize, CUpti_Profiler_Host_GetNumOfPasses_Params_STRUCT_SIZE);
        QCOMPARE(cupti::Evaluate().structSize, CUpti_Profiler_Host_EvaluateToGpuValues_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeEnable().structSize, CUpti_RangeProfiler_Enable_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeOnly().structSize, CUpti_RangeProfiler_Start_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeCounterDataSize().structSize, CUpti_RangeProfiler_GetCounterDataSize_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeCounterDataInitialize().structSize,
                 CUpti_RangeProfiler_CounterDataImage_Initialize_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeConfig().structSize, CUpti_RangeProfiler_SetConfig_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangePush().structSize, CUpti_RangeProfiler_PushRange_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeStop().structSize, CUpti_RangeProfiler_Stop_Params_STRUCT_SIZE);
        QCOMPARE(cupti::RangeDecode().structSize, CUpti_RangeProfiler_DecodeData_Params_STRUCT_SIZE);
        QCOMPARE(cupti::CounterDataInfo().structSize, CUpti_RangeProfiler_GetCounterDataInfo_Params_STRUCT_SIZE);
#else
        QSKIP("CUPTI's headers were not found when this test was built");
#endif
    }

    void everyChipOfCuptiHasItsCountersAndTheyFitTheirPasses() {
        if (!library)
            QSKIP(qPrintable(why));
        const auto known = chipsWithTrafficMetrics();
        int measured = 0;
        for (const std::string& chip : cuptiChips(*library)) {
            bool works = true;
            try {
                cuptiHasMetric(*library, chip, "gpu__time_duration.sum");
            } catch (const CountersUnavailable&) {
                works = false; // listed, but refused by the host half
            }
            const bool ours = std::find(known.begin(), known.end(), chip) != known.end();
            QVERIFY2(ours == works,
                     (chip + (works ? " is missing in" : " does not belong into") + " resources/cupti_metrics.json")
                         .c_str());
            if (!works)
                continue;
            const TrafficMetrics metrics = trafficMetrics(chip);
            for (const std::string& name : metrics.names())
                QVERIFY2(cuptiHasMetric(*library, chip, name), (chip + " has no " + name).c_str());
            const CuptiHost host(*library, chip, metrics.names());
            QVERIFY(!host.configImage().empty());
            QVERIFY2(host.passes() == static_cast<size_t>(metrics.passes),
                     qPrintable(QString("%1 takes %2 passes").arg(chip.c_str()).arg(host.passes())));
            QVERIFY2(host.passes() == 1 || metrics.family == "Volta", chip.c_str());
            ++measured;
        }
        QVERIFY(measured >= 29); // CUDA 13.0 knows as many
    }

    void moreCountersThanFitTakeMorePasses() {
        if (!library)
            QSKIP(qPrintable(why));
        auto names = trafficMetrics("GA100").names();
        for (const char* more : {"lts__t_sectors_op_read.sum", "lts__t_sectors_op_write.sum",
                                 "l1tex__data_bank_conflicts_pipe_lsu.sum", "lts__d_sectors_fill_device.sum"})
            names.emplace_back(more);
        QVERIFY(CuptiHost(*library, "GA100", names).passes() > 1);
    }

    void graphicsBlackwellHasNamesOfItsOwn() {
        const TrafficMetrics metrics = trafficMetrics("GB202");
        QCOMPARE(metrics.dramRead, std::string("dram__bytes_op_read.sum"));
        QCOMPARE(metrics.dramWritten, std::string("dram__bytes_op_write.sum"));
        if (!library)
            QSKIP(qPrintable(why));
        QVERIFY(!cuptiHasMetric(*library, "GB202", "dram__bytes_read.sum"));
        QVERIFY(cuptiHasMetric(*library, "GB100", "dram__bytes_read.sum"));
        QVERIFY(!cuptiHasMetric(*library, "GB100", "dram__bytes_op_read.sum"));
    }

    void integratedChipsCannotCountDram() {
        for (const char* chip : {"GA10B", "GB10B", "GB20B"}) {
            const TrafficMetrics metrics = trafficMetrics(chip);
            QVERIFY(!metrics.hasDram());
            QCOMPARE(metrics.names().size(), size_t(4));
            if (!library)
                continue;
            for (const char* name :
                 {"dram__bytes_read.sum", "dram__bytes_op_read.sum", "dram__bytes.sum", "fbpa__dram_read_bytes.sum"})
                QVERIFY2(!cuptiHasMetric(*library, chip, name), name);
        }
    }

    void unknownChipsAndCountersAreSaid() {
        try {
            trafficMetrics("GK110");
            QFAIL("GK110 is older than these counters");
        } catch (const CountersUnavailable& error) {
            QVERIFY(QString(error.what()).startsWith("the counters of the GPU chip 'GK110' are not known; known are"));
        }
        if (!library)
            QSKIP(qPrintable(why));
        try {
            CuptiHost(*library, "GB202", {"dram__bytes_read.sum"});
            QFAIL("GB202 has no such counter");
        } catch (const CountersUnavailable& error) {
            QVERIFY2(QString(error.what())
                         .contains("does not know all of these counters of the GPU chip GB202: "
                                   "dram__bytes_read.sum"),
                     error.what());
        }
    }

    void withoutAGpuTheProfilerSaysSo() {
        if (!library)
            QSKIP(qPrintable(why));
        if (QFile::exists("/dev/nvidiactl"))
            QSKIP("this machine has an NVIDIA driver");
        QVERIFY_EXCEPTION_THROWN(CuptiProfiler(*library, nullptr, 0), CountersUnavailable);
    }

    void theTableNamesEveryChipOnce() {
        const auto all = chipsWithTrafficMetrics();
        QCOMPARE(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    }
};

QTEST_GUILESS_MAIN(CuptiMetricsTest)
#include "cupti_metrics_test.moc"
