// SPDX-License-Identifier: GPL-3.0-or-later
// Reports of nsys stats: which of them tell of GPU work, and what comes of several.
#include "core/profiles/csv_reader.h"
#include "core/profiles/nsys_tables.h"
#include "tests/core/profiles/profile_texts.h"

#include <QTest>
#include <cstdint>
#include <string>
#include <string_view>

using namespace warplight;
using namespace warplight::profiles;
using namespace warplight::test;

namespace {

const std::string kernSum = "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name\n";
const std::string gpuTrace =
    "Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Reg/Trd,StcSMem (MB),DymSMem "
    "(MB),Bytes (MB),Throughput (MB/s),SrcMemKd,DstMemKd,Device,Ctx,GreenCtx,Strm,Name\n";

std::string processing(const std::string& recording, const std::string& report) {
    return "\nProcessing [" + recording + "] with [/opt/nsight/reports/" + report + ".py]... \n";
}

} // namespace

class NsysStatsTest : public QObject {
    Q_OBJECT
  private slots:
    void tablesAreToldByTheirColumns_data() {
        QTest::addColumn<int>("kind");
        const auto row = [](const char* columns, NsysTable kind) { QTest::newRow(columns) << static_cast<int>(kind); };
        using enum NsysTable;
        row(gpuTrace.c_str(), GpuTrace);
        row("Start(nsec),Duration(nsec),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Reg/Trd,StcSMem,DymSMem,Bytes,Thru(MB/s),"
            "SrcMemKd,DstMemKd,Device,Ctx,Strm,Name",
            GpuTrace);
        row("Start (ns),Duration (ns),CorrId,Name", GpuTrace);
        row("API Start (ns),API Dur (ns),Queue Start (ns),Queue Dur (ns),Kernel Start (ns),Kernel Dur (ns),Total Dur "
            "(ns),"
            "PID,TID,DevId,API Function,GridXYZ,BlockXYZ,Kernel Name",
            ExecTrace);
        row("PID,TID,DevId,Count,QCount,TAvg (ns),TMed (ns),TMin (ns),TMax (ns),TStdDev (ns),AAvg (ns),AMed (ns),AMin "
            "(ns),AMax (ns),AStdDev (ns),QAvg (ns),QMed (ns),QMin (ns),QMax (ns),QStdDev (ns),KAvg (ns),KMed (ns),KMin "
            "(ns),KMax (ns),KStdDev (ns),API Name,Kernel Name",
            ExecSums);
        row(kernSum.c_str(), KernelSums);
        row("Time(%),Total Time (ns),Instances,Average,Minimum,Maximum,Name", KernelSums);
        row("Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),GridXYZ,BlockXYZ,Name",
            KernelSums);
        row("Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Category,Operation",
            CategorySums);
        row("Time (%),Total Time (ns),Count,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Operation", CopyTimes);
        row("Time(%),Total Time (ns),Operations,Average,Minimum,Maximum,Operation", CopyTimes);
        row("Total (MB),Count,Avg (MB),Med (MB),Min (MB),Max (MB),StdDev (MB),Operation", CopySizes);
        // The CPU's, and ranges.
        row("Time (%),Total Time (ns),Num Calls,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name", Other);
        row("Time(%),Total Time,Calls,Average,Minimum,Maximum,Name", Other);
        row("Start (ns),Duration (ns),Name,Result,CorrID,Pid,Tid,T-Pri,Thread Name", Other);
        row("Start (ns),Duration (ns),Name,CorrID,Pid,Tid", Other);
        row("Start (ns),Duration (ns),Name,Result,CorrId", Other);
        row("Start (ns),End (ns),Duration (ns),DurChild (ns),DurNonChild "
            "(ns),Name,PID,TID,Lvl,NumChild,RangeId,ParentId,"
            "RangeStack,NameTree",
            Other);
        row("Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Style,Range", Other);
        row("Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Source,Name", Other);
        row("Start (ns),End (ns),Duration (ns),Event,Pid,Tid,Tag,Rank,PeerRank,RootRank,Size (MB)", Other);
        row("Name,Projected Start (ns),Projected Duration (ns),Orig Start (ns),Orig Duration "
            "(ns),Style,PID,TID,NumGPUOps,"
            "Lvl,NumChild,RangeId,ParentId,RangeStack",
            Other);
        row("Range,Style,Total Proj Time (ns),Total Range Time (ns),Range Instances,Proj Avg (ns),Proj Med (ns),Total "
            "GPU "
            "Ops",
            Other);
        row("NVTX Range,Style,PID,TID,NVTX Inst,Kern Inst,Total Time (ns),Avg (ns),Kernel Name", Other);
        row("Start (ns),Duration (ns),Name,Event Class,Context,CorrID,Pid,Tid,T-Pri,Thread Name", Other);
        row("Time (%),Total Time (ns),Num Calls,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Event Type,Name",
            Other);
        row("step,loss,time,name", None);
    }
    void tablesAreToldByTheirColumns() {
        QFETCH(int, kind);
        std::string columns = QTest::currentDataTag();
        while (columns.ends_with('\n'))
            columns.pop_back();
        QCOMPARE(static_cast<int>(nsysTableOf(splitLine(columns, ','))), kind);
        // An index that pandas put in front changes nothing.
        QCOMPARE(static_cast<int>(nsysTableOf(splitLine("," + columns, ','))), kind);
    }

    void aReportOfTheCpuWithColumnsOfKernelsIsToldByItsName() {
        const std::string rows = kernSum + "100.0,600000,3,200000.0,190000.0,180000,230000,21602.5,omp_parallel\n";
        QVERIFY(holds(refusalOf(processing("x.sqlite", "openmp_sum") + rows),
                      "holds no GPU kernel but openmp_sum, expected cuda_gpu_trace"));
        QCOMPARE(summaryOf(readText(processing("x.sqlite", "cuda_gpu_kern_sum") + rows), "omp_parallel").launches,
                 int64_t{3});
        QCOMPARE(reportNamed(" ** CUDA GPU Kernel Summary (cuda_gpu_kern_sum):"), std::string("cuda_gpu_kern_sum"));
        QCOMPARE(reportNamed("=== REPORT: gpukernsum ==="), std::string("gpukernsum"));
        QCOMPARE(reportNamed("Processing [x.sqlite] with [C:\\nsys\\reports\\osrt_sum.py]..."),
                 std::string("osrt_sum"));
        QCOMPARE(reportNamed("Running [/opt/nsys/reports/gpukernsum.py x.sqlite]... "), std::string("gpukernsum"));
        QCOMPARE(reportNamed("Running [3/4] of all"), std::string());
        QCOMPARE(reportNamed("step (1) of 2:"), std::string());
    }

    void filesOfTheCpuAloneAreRefused() {
        QVERIFY(holds(refusalOfData("nsys_api_trace.csv"), "holds no GPU kernel but cuda_api_trace, expected"));
        QVERIFY(holds(refusalOfData("nsys_mpi_event_sum.csv"), "holds no GPU kernel but calls of MPI, expected"));
        QVERIFY(holds(refusalOf("Start (ns),End (ns),Duration (ns),DurChild (ns),DurNonChild (ns),Name,PID,TID,Lvl,"
                                "NumChild,RangeId,ParentId,RangeStack,NameTree\n"
                                "1,9,8,4,4,train_step,1,1,0,1,1,,:1,train_step\n"),
                      "holds no GPU kernel but ranges, expected"));
        QVERIFY(holds(refusalOf(gpuTrace), "holds no GPU kernel, expected"));
        QVERIFY(!holds(refusalOf("SKIPPED: x.sqlite does not contain OpenMP event data.\n"), "OpenMP"));
        QVERIFY(holds(refusalOf(processing("x.sqlite", "cuda_gpu_kern_sum") +
                                "SKIPPED: x.sqlite does not contain CUDA kernel data.\n"),
                      "The profiler says: x.sqlite does not contain CUDA kernel data"));
    }

    void oldReportsSayWhyTheyWereSkippedInTheirOwnLine() {
        const std::string running = "Running [/opt/nsys/reports/",
                          skipped = ".py r.sqlite]... SKIPPED: r.sqlite does not ";
        const std::string calls = running + "cudaapisum.py r.sqlite]...\n\n"
                                            " Time(%)  Total Time (ns)  Num Calls   Average       Name   \n"
                                            " -------  ---------------  ---------  ----------  ----------\n"
                                            "    99.9      136,776,274          3  45,592,091  cudaMalloc\n\n";
        const std::string said = refusalOf(calls + running + "gpukernsum" + skipped + "contain CUDA kernel data.\n\n" +
                                           running + "openmpevtsum" + skipped + "contain OpenMP event data.\n");
        QVERIFY2(holds(said, "holds no GPU kernel but cudaapisum, expected"), said.c_str());
        QVERIFY2(holds(said, "The profiler says: r.sqlite does not contain CUDA kernel data"), said.c_str());
        QVERIFY(!holds(said, "OpenMP"));
        QVERIFY(holds(refusalOf("Exporting data... ERROR: disk full\n"), "The profiler says: disk full"));
        // Recordings are told as in today's lines.
        const std::string trace = "1000,5,1,8,7,gemm\n";
        const std::string head = "Start (ns),Duration (ns),CorrId,GrdX,Strm,Name\n";
        const Profile two = readText(running + "gputrace.py a.sqlite]...\n" + head + trace + "\n" + running +
                                     "gputrace.py b.sqlite]...\n" + head + trace);
        QCOMPARE(two.gpuLabel(0), std::string("GPU 0 of a.sqlite"));
        QCOMPARE(two.gpuLabel(1), std::string("GPU 0 of b.sqlite"));
    }

    void tablesOfTheCpuTakeNothingFromKernels() {
        const Profile trace = readData("nsys_api_and_gpu_trace.csv");
        QCOMPARE(trace.records.size(), size_t{1});
        QCOMPARE(summaryOf(trace, "gemm_kernel").total, int64_t{40000});
        QCOMPARE(overlapOf(trace).busy, int64_t{40000});
        QCOMPARE(overlapOf(trace).span, int64_t{40000});
        QVERIFY(warns(trace, "Left out, since no GPU kernel is in them: cuda_api_trace."));
        const Profile sums = readData("nsys_kern_sum_and_api_trace.csv");
        QVERIFY(sums.records.empty());
        QCOMPARE(summaryOf(sums, "flash").launches, int64_t{3});
        QCOMPARE(summaryOf(sums, "flash").total, int64_t{600000});
        QCOMPARE(*summaryOf(sums, "flash").median, 190000.0);
    }

    void sumsAndTracesAreJoinedAndCountedOnce() {
        // gemm is in both, flash in the sums alone; a second table of sums adds nothing, a second recording does.
        const std::string trace = gpuTrace + "15000,40000,1,148,1,1,256,1,1,36,0.000,0.214,,,,,H100 (0),1,,7,"
                                             "void gemm<float>(float*)\n";
        const std::string sums = kernSum + "60.0,600000,3,200000.0,190000.0,180000,230000,21602.5,flash\n"
                                           "4.0,40000,1,40000.0,40000.0,40000,40000,0.0,void gemm<float>(float*)\n";
        const std::string short_ = kernSum + "4.0,40000,1,40000.0,40000.0,40000,40000,0.0,gemm\n";
        for (const std::string& text :
             {processing("x.sqlite", "cuda_gpu_kern_sum") + sums + processing("x.sqlite", "cuda_gpu_trace") + trace,
              processing("x.sqlite", "cuda_gpu_trace") + trace + processing("x.sqlite", "cuda_gpu_kern_sum") + sums,
              trace + sums /* no line between */, sums + "\n" + trace + "\n" + short_}) {
            const Profile profile = readText(text);
            QCOMPARE(summariseKernels(profile).size(), size_t{2});
            QCOMPARE(summaryOf(profile, "flash").total, int64_t{600000});
            QCOMPARE(summaryOf(profile, "void gemm<float>(float*)").launches, int64_t{1});
            QCOMPARE(profile.records.size(), size_t{1});
        }
        const Profile two = readText(processing("a.sqlite", "cuda_gpu_kern_sum") + sums +
                                     processing("b.sqlite", "cuda_gpu_kern_sum") + sums);
        QCOMPARE(summaryOf(two, "flash").launches, int64_t{6});
        QCOMPARE(*summaryOf(two, "flash").mean, 200000.0);
        const Profile twice = readText(processing("a.sqlite", "cuda_gpu_kern_sum") + sums +
                                       processing("a.sqlite", "cuda_gpu_kern_sum") + sums);
        QCOMPARE(summaryOf(twice, "flash").launches, int64_t{3});
    }

    void recordingsOfSeveralRanksHaveGpusOfTheirOwn() {
        const std::string nccl = ",1,24,1,1,512,1,1,96,0,0,,,,,H100 (0),1,,20,ncclDevKernel_AllReduce\n",
                          gemm = ",2,148,1,1,256,1,1,36,0,0,,,,,H100 (0),1,,7,gemm\n";
        const std::string first = gpuTrace + "1000000,100000" + nccl + "1100000,100000" + gemm,
                          second = gpuTrace + "1000000,90000" + gemm + "1090000,10000" + nccl + "1100000,100000" + gemm;
        const Profile ranks = readText(processing("rank0.sqlite", "cuda_gpu_trace") + first +
                                       processing("rank1.sqlite", "cuda_gpu_trace") + second);
        QCOMPARE(overlapOf(ranks).communication, int64_t{110000});
        QCOMPARE(overlapOf(ranks).exposed, int64_t{110000});
        QCOMPARE(ranks.gpuLabel(0), std::string("GPU 0 of rank0.sqlite"));
        QCOMPARE(ranks.gpuLabel(1), std::string("GPU 0 of rank1.sqlite"));
        // Files of --output, one after the other, do not say what they are of.
        const Profile files = readText(first + second);
        QCOMPARE(overlapOf(files).exposed, int64_t{110000});
        QCOMPARE(files.gpuLabel(1), std::string("GPU 0 of recording 2"));
        const Profile one = readText(processing("rank0.sqlite", "cuda_gpu_trace") + first);
        QVERIFY(one.gpuLabels.empty());
        QCOMPARE(one.records[0].device, 0);
    }

    void categoriesPartGpuAndCpu() {
        const std::string head =
            "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Category,Operation\n";
        const Profile profile =
            readText(head + "90.0,900000,9,100000.0,100000.0,90000,110000,7071.1,CUDA_API,cudaLaunchKernel\n"
                            "6.0,60000,3,20000.0,19000.0,18000,23000,2160.2,CUDA_KERNEL,flash\n"
                            "4.0,40000,4,10000.0,10000.0,9000,11000,707.1,MEMORY_OPER,[CUDA memcpy Host-to-Device]\n"
                            "0.1,1000,1,1000.0,1000.0,1000,1000,0.0,MEMORY_OPER,[CUDA memset]\n");
        QCOMPARE(summariseKernels(profile).size(), size_t{1});
        QCOMPARE(*summaryOf(profile, "flash").share, 1.0);
        QCOMPARE(summariseCopies(profile).size(), size_t{2});
        QCOMPARE(summaryOf(profile, "[CUDA memcpy Host-to-Device]").launches, int64_t{4});
        QCOMPARE(static_cast<int>(summaryOf(profile, "[CUDA memset]").kind),
                 static_cast<int>(KernelRecord::Kind::Fill));
        QVERIFY(warns(profile, "calls of the CPU"));
        QVERIFY(holds(refusalOf(head + "90.0,900000,9,1.0,1.0,9,1,7.1,CUDA_API,cudaLaunchKernel\n"), "no GPU kernel"));
        QCOMPARE(summaryOf(readData("nsys_gpu_sum.csv"), "flash").total, int64_t{600000});
    }

    void copiesHaveTimesAndBytes() {
        const Profile profile =
            readText(processing("x.sqlite", "cuda_gpu_mem_time_sum") +
                     "Time (%),Total Time (ns),Count,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Operation\n"
                     "60.0,2000000,5,400000.0,400000.0,400000,400000,0.0,[CUDA memcpy Host-to-Device]\n" +
                     processing("x.sqlite", "cuda_gpu_mem_size_sum") +
                     "Total (MB),Count,Avg (MB),Med (MB),Min (MB),Max (MB),StdDev (MB),Operation\n"
                     "20.000,5,4.000,4.000,4.000,4.000,0.000,[CUDA memcpy Host-to-Device]\n"
                     "1.000,2,0.500,0.500,0.500,0.500,0.000,[CUDA memset]\n");
        const KernelSummary copy = summaryOf(profile, "[CUDA memcpy Host-to-Device]");
        QCOMPARE(copy.launches, int64_t{5});
        QCOMPARE(copy.bytes, 20e6);
        QCOMPARE(*copy.bandwidth.value(), 20e6 / 2e-3);
        const KernelSummary fill = summaryOf(profile, "[CUDA memset]"); // its times are not told
        QCOMPARE(fill.bytes, 1e6);
        QVERIFY(!fill.mean && !fill.bandwidth.value() && !fill.share);
    }

    void executionReportsTellOfKernels() {
        const Profile trace =
            readText("API Start (ns),API Dur (ns),Queue Start (ns),Queue Dur (ns),Kernel Start (ns),Kernel Dur "
                     "(ns),Total Dur (ns),"
                     "PID,TID,DevId,API Function,GridXYZ,BlockXYZ,Kernel Name\n"
                     "100,5000,5100,900,6000,250,6150,1,2,3,cudaLaunchKernel,  32    4    1, 256    1    1,flash\n");
        QCOMPARE(trace.records.size(), size_t{1});
        QCOMPARE(trace.records[0].start, int64_t{6000});
        QCOMPARE(trace.records[0].duration, int64_t{250});
        QCOMPARE(trace.records[0].device, 3);
        QCOMPARE(trace.records[0].grid, (Extent{32, 4, 1}));
        const Profile sums =
            readText("PID,TID,DevId,Count,QCount,TAvg (ns),TMed (ns),TMin (ns),TMax (ns),TStdDev (ns),AAvg "
                     "(ns),KAvg (ns),KMed (ns),KMin (ns),KMax (ns),KStdDev (ns),API Name,Kernel Name\n"
                     "1,2,0,4,,9000.0,9000.0,9000,9000,0.0,5000.0,250.0,240.0,200,320,1.0,cudaLaunch,k\n");
        QCOMPARE(summaryOf(sums, "k").total, int64_t{1000});
        QCOMPARE(*summaryOf(sums, "k").maximum, 320.0);
    }

    void everyFormatOfStatsIsReadOrNamed() {
        const Profile column = readData("nsys_column.txt");
        QCOMPARE(summaryOf(column, "void flash_fwd<(int)128>(P)").total, int64_t{600000});
        QCOMPARE(*summaryOf(column, "gemm").median, 100000.0);
        const Profile window = readData("nsys_window.csv"); // units stand in its cells
        QCOMPARE(summaryOf(window, "flash").total, int64_t{600000});
        QCOMPARE(*summaryOf(window, "flash").minimum, 180000.0);
        QVERIFY(window.warnings.empty());
        const Profile tabs =
            readText("Time\tTotal Time\tInstances\tAvg\tMed\tMin\tMax\tStdDev\tName\n"
                     "100.0%\t1.250 ms\t2\t625.000 µs\t625.000 µs\t600.000 µs\t650.000 µs\t1 ns\tf<a, b>\n");
        QCOMPARE(summaryOf(tabs, "f<a, b>").total, int64_t{1250000});
        const Profile events = readText("Name\tStart\tDuration\tTID\tGPU\tContext\tStream\n"
                                        "gemm(int, int)\t1.5s\t10.240 μs\t-\tGPU 1\tStream 7\t7\n");
        QCOMPARE(events.records.at(0).start, int64_t{1500000000});
        QCOMPARE(events.records[0].duration, int64_t{10240});
        QCOMPARE(events.records[0].stream, int64_t{7});
        const Profile bars = readText("+----------+-----------------+-----------+------+\n"
                                      "| Time (%) | Total Time (ns) | Instances | Name |\n"
                                      "+==========+=================+===========+======+\n"
                                      "|    100.0 |         600,000 |         3 | ядро |\n"
                                      "+----------+-----------------+-----------+------+\n");
        QCOMPARE(summaryOf(bars, "ядро").total, int64_t{600000});
        QVERIFY(
            holds(refusalOf("[\n  {\"Time (%)\": 100.0, \"Total Time (ns)\": 6, \"Instances\": 3, \"Name\": \"k\"}\n]"),
                  "is the JSON of nsys stats, expected --format csv"));
        for (const char* row : {"{\"Time (%)\":100.0,\"Total Time (ns)\":6,\"Instances\":3,\"Name\":\"k\"}",
                                "  {\n    \"Time (%)\" : 100.0,\n    \"Name\" : \"k\"\n  }"})
            QVERIFY(holds(refusalOf("Generating SQLite file x.sqlite from x.nsys-rep" +
                                    processing("x.sqlite", "cuda_gpu_kern_sum") + "[\n" + row + "\n]\n"),
                          "is the JSON of nsys stats, expected --format csv"));
    }

    void columnFormatOfSeveralReportsIsCutWhereItsRulersSay() {
        const Profile profile = readText("Processing [x.sqlite] with [/opt/nsight/reports/cuda_api_sum.py]... \n\n"
                                         " ** CUDA API Summary (cuda_api_sum):\n\n"
                                         " Time (%)  Total Time (ns)  Num Calls  Avg (ns)        Name      \n"
                                         " --------  ---------------  ---------  --------  ----------------\n"
                                         "    100.0          900,000          9  100,000.0 cudaLaunchKernel\n\n"
                                         "Processing [x.sqlite] with [/opt/nsight/reports/cuda_gpu_trace.py]... \n\n"
                                         " ** CUDA GPU Trace (cuda_gpu_trace):\n\n"
                                         " Start (ns)  Duration (ns)  CorrId  GrdX  GrdY  GrdZ  BlkX  BlkY  BlkZ  "
                                         "Reg/Trd  StcSMem (MB)  DymSMem (MB)  "
                                         "Bytes (MB)  Strm             Name            \n"
                                         " ----------  -------------  ------  ----  ----  ----  ----  ----  ----  "
                                         "-------  ------------  ------------  "
                                         "----------  ----  ---------------------------\n"
                                         "  1,000,000          2,500      11     8     4     1   256     1     1       "
                                         "32         0.000         0.016  "
                                         "               7  ядро, void f(int, int)     \n"
                                         "  1,010,000            500      12                                           "
                                         "                                "
                                         "     4.000     7  [CUDA memcpy Host-to-Device]\n");
        QCOMPARE(profile.records.size(), size_t{2});
        QCOMPARE(profile.records[0].start, int64_t{1000000});
        QCOMPARE(profile.records[0].grid, (Extent{8, 4, 1}));
        QCOMPARE(profile.records[0].sharedBytes, int64_t{16000});
        QCOMPARE(profile.nameOf(profile.records[0]), std::string_view("ядро, void f(int, int)"));
        QCOMPARE(profile.records[1].bytes, 4e6);
        QCOMPARE(static_cast<int>(profile.records[1].kind), static_cast<int>(KernelRecord::Kind::Copy));
    }

    void aColumnWithoutAUnitCostsItselfAlone() {
        const Profile trace = readData("nsys_gpu_trace_2020.csv");
        QCOMPARE(trace.records.size(), size_t{1});
        QCOMPARE(trace.records[0].start, int64_t{1234567891});
        QCOMPARE(trace.records[0].duration, int64_t{30});
        QCOMPARE(trace.records[0].sharedBytes, int64_t{-1});
        QVERIFY(warns(trace, "have no unit and are not shown"));
        // Without a start a launch is on no timeline, without a duration in no sum.
        const Profile starts = readText("Start,Duration (ns),CorrId,Strm,Name\n5,30,1,7,gemm\n");
        QCOMPARE(starts.records[0].duration, int64_t{30});
        QVERIFY(!starts.records[0].timed());
        QVERIFY(warns(starts, "Start has no unit and is not shown"));
        const Profile durations = readText("Start (ns),Duration,CorrId,Strm,Name\n5,30,1,7,gemm\n");
        QVERIFY(!durations.records[0].lasts());
        QCOMPARE(summaryOf(durations, "gemm").launches, int64_t{1});
        // nsys prints all times of sums in one unit, 2019 in the one of the title.
        const Profile sums =
            readText("Time(%),Total Time (us),Instances,Average,Minimum,Maximum,Name\n1,6,3,2,1,3,k\n");
        QCOMPARE(*summaryOf(sums, "k").minimum, 1000.0);
        const Profile mean = readText("Time(%),Total Time,Instances,Avg (us),Name\n1,6,3,2,k\n");
        QCOMPARE(summaryOf(mean, "k").total, int64_t{6000});
        const Profile titled = readText("CUDA Kernel Statistics (nanoseconds)\n\n"
                                        "Time(%)      Total Time   Instances         Average         Minimum  Name\n"
                                        "-------  --------------  ----------  --------------  --------------  ----\n"
                                        "  100.0             600           3           200.0             180  gemm\n");
        QCOMPARE(summaryOf(titled, "gemm").total, int64_t{600});
        const Profile bare = readText("Time(%),Total Time,Instances,Average,Minimum,Maximum,Name\n1,6,3,2,1,3,k\n");
        QCOMPARE(summaryOf(bare, "k").launches, int64_t{3});
        QVERIFY(!summaryOf(bare, "k").mean);
        QVERIFY(holds(refusalOf("Time(%),Total Time (miles),Instances,Name\n1,6,3,k\n"),
                      "has Total Time in \"miles\", expected a unit of time"));
    }

    void namesWithCommasNeedNoQuotes() {
        const Profile sums = readData("nsys_unquoted.csv");
        QCOMPARE(summaryOf(sums, "void matmul_kernel<float>(float*,float*,float*,int)").total, int64_t{1250000});
        QCOMPARE(*summaryOf(sums, "vectorAdd").share, 306.0 / 1556);
        QVERIFY(sums.warnings.empty());
        const Profile first = readText("Name,Start (ns),Duration (ns),CorrId\nvoid f<a, b>(int, int),5,30,1\n");
        QCOMPARE(summaryOf(first, "void f<a, b>(int, int)").total, int64_t{30});
    }

    void commasOfSpreadsheetsAreDecimalPoints() {
        const std::string head = "Time (%);Total Time (ns);Instances;Avg (ns);Min (ns);Max (ns);Name\n";
        const Profile saved = readText(head + "60,0;600.000;3;200000,0;180.000;230000;flash\n"
                                              "40,0;400000;4;100000,5;90000;110000;gemm\n");
        QCOMPARE(summaryOf(saved, "flash").total, int64_t{600000});
        QCOMPARE(*summaryOf(saved, "flash").mean, 200000.0);
        QCOMPARE(*summaryOf(saved, "flash").minimum, 180000.0);
        QCOMPARE(*summaryOf(saved, "gemm").mean, 100000.5);
        const Profile trace = readText("Start (ms);Duration (ms);CorrId;GrdX;Bytes (MB);Strm;Name\n"
                                       "15,000000;0,040000;1;148;;7;gemm\n"
                                       "18,000000;1,250;2;;4,194;7;[CUDA memcpy HtoD]\n");
        QCOMPARE(summaryOf(trace, "gemm").total, int64_t{40000});
        QCOMPARE(trace.records[1].duration, int64_t{1250000});
        QCOMPARE(trace.records[1].bytes, 4.194e6);
        // Other programs part by semicolons and keep the point; the table tells it, not the row before.
        const Profile later = readText("Start (ms);Duration (ms);CorrId;GrdX;Strm;Name\n"
                                       "15.123;1.250;1;148;7;gemm\n"
                                       "16.500;0.300;2;148;7;flash\n");
        QCOMPARE(summaryOf(later, "gemm").total, int64_t{1250000});
        const Profile point = readText(head + "60.0;600000.0;3;200000.0;180000.0;230000.0;flash\n");
        QCOMPARE(summaryOf(point, "flash").total, int64_t{600000});
        QCOMPARE(*summaryOf(point, "flash").minimum, 180000.0);
    }

    void aCutFileKeepsItsWholeRows() {
        const Profile cut = readText(kernSum + "60.0,600000,3,200000.0,190000.0,180000,230000,21602.5,\"f(int)\"\n"
                                               "40.0,400000,4,100000.0,100000.0,90000,110000,7071.1,\"g(in");
        QCOMPARE(summaryOf(cut, "f(int)").total, int64_t{600000});
        QVERIFY(warns(cut, "The file ends within a quoted cell of line 3: what stands from there on is left out."));
        QVERIFY(holds(refusalOf(kernSum + "60.0,600000,3,200000.0,190000.0,180000,230000,21602.5,\"f(in"),
                      "ends within a quoted cell of line 2"));
    }

    void cutAndMovedColumnsOfATerminal() {
        const std::string dashes = " --------  ---------------  ---------  ---------  ----------------\n";
        const std::string rows = "     75.0        1,500,000          3  500,000.0  void at::native\n"
                                 "     25.0          500,000          1  500,000.0  gemm\n";
        const std::string head = " Time (%)  Total Time (ns)  Instances   Avg (ns)";
        // Titles are centred, so that a narrow window cuts the last one off.
        const Profile cut =
            readText(" ** CUDA GPU Kernel Summary (cuda_gpu_kern_sum):\n\n" + head + "      \n" + dashes + rows);
        QCOMPARE(summaryOf(cut, "void at::native").launches, int64_t{3});
        QVERIFY(holds(refusalOf(head + "     \n" + dashes + rows), "a table whose last column has lost its title"));
        QVERIFY(
            holds(refusalOf(" ** CUDA API Summary (cuda_api_sum):\n\n Time (%)  Total Time (ns)  Num Calls   Avg (ns)"
                            "     \n" +
                            dashes + rows),
                  "cuda_api_sum"));
        // Lines without the blanks in front.
        const Profile moved =
            readText("Time (%)  Total Time (ns)  Instances   Avg (ns)        Name\n" + dashes.substr(1) +
                     "75.0        1,500,000          3  500,000.0  void at::native\n"
                     "25.0          500,000          1  500,000.0  gemm  of two words\n");
        QCOMPARE(summaryOf(moved, "void at::native").total, int64_t{1500000});
        QCOMPARE(summaryOf(moved, "gemm  of two words").launches, int64_t{1});
        // Bars in a name.
        const Profile barred = readText("| Time (%) | Total Time (ns) | Instances | Name |\n"
                                        "|----------|-----------------|-----------|------|\n"
                                        "| 60.0 | 600,000 | 3 | void f<(bool)1 || (bool)0>(int) |\n");
        QCOMPARE(summaryOf(barred, "void f<(bool)1||(bool)0>(int)").total, int64_t{600000});
    }

    void copiesBefore2021HaveNames() {
        const Profile profile = readText("CUDA Kernel Statistics (nanoseconds)\n\n"
                                         "Time(%),Total Time,Instances,Average,Minimum,Maximum,Name\n"
                                         "100.0,600,3,200.0,180,220,gemm\n\n"
                                         "CUDA Memory Operation Statistics (nanoseconds)\n\n"
                                         "Time(%),Total Time,Operations,Average,Minimum,Maximum,Name\n"
                                         "100.0,4096,2,2048.0,2000,2096,[CUDA memcpy HtoD]\n\n"
                                         "CUDA Memory Operation Statistics (KiB)\n\n"
                                         "Total,Operations,Average,Minimum,Maximum,Name\n"
                                         "8.000,2,4.000,4.000,4.000,[CUDA memcpy HtoD]\n");
        const KernelSummary copies = summaryOf(profile, "[CUDA memcpy HtoD]");
        QCOMPARE(copies.launches, int64_t{2});
        QCOMPARE(copies.total, int64_t{4096});
        QCOMPARE(copies.bytes, 8192.0);
        QCOMPARE(summaryOf(profile, "gemm").total, int64_t{600});
    }

    void sumsByShapeAreOfTheSameLaunches() {
        const std::string byShape = "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev "
                                    "(ns),GridXYZ,BlockXYZ,Name\n";
        const Profile profile =
            readText(kernSum + "100.0,600000,3,200000.0,190000.0,180000,230000,21602.5,flash\n\n" + byShape +
                     "60.0,400000,2,200000.0,190000.0,180000,220000,1.5,8 1 1,128 1 1,flash\n"
                     "40.0,200000,1,200000.0,200000.0,200000,200000,0,4 1 1,128 1 1,flash\n");
        QCOMPARE(summaryOf(profile, "flash").launches, int64_t{3});
    }

    void aRoundedZeroIsNoSize() {
        const Profile trace = readText(gpuTrace + "401000,5000,3,,,,,,,,,,0.000,0.0,Device,Device,A (0),1,,7,"
                                                  "[CUDA memcpy Device-to-Device]\n"
                                                  "1000,200000,1,148,1,1,256,1,1,36,0.000,0.214,,,,,A (0),1,,7,"
                                                  "MemcpyKernel(float*)\n");
        QCOMPARE(trace.records[1].bytes, -1.0);
        QCOMPARE(static_cast<int>(trace.records[0].kind), static_cast<int>(KernelRecord::Kind::Kernel));
        QVERIFY(warns(trace, "Sizes in this file are rounded"));
    }

    void namesThatAreCutAlikeAreOfDifferentKernels() {
        // 40 characters instead of 100.
        const std::string report = " ** CUDA GPU Kernel Summary (cuda_gpu_kern_sum):\n\n"
                                   " Time (%)  Total Time (ns)  Instances   Avg (ns)                     Name\n"
                                   " --------  ---------------  ---------  -----------  "
                                   "----------------------------------------\n";
        for (const std::string mark : {"…", "..."}) {
            const std::string name = "void marlin::Marlin<(long)11258999069107" + mark;
            const Profile profile = readText(report + "     50.0       30,000,000        300    100,000.0  " + name +
                                             "\n     40.0       20,000,000         10  2,000,000.0  " + name +
                                             "\n      5.0       10,000,000          5  2,000,000.0  " + name +
                                             "\n      5.0        1,000,000          1  1,000,000.0  gemm\n");
            QCOMPARE(summariseKernels(profile).size(), size_t{4});
            QCOMPARE(summaryOf(profile, name).total, int64_t{30000000});
            QCOMPARE(*summaryOf(profile, name).mean, 100000.0);
            QCOMPARE(summaryOf(profile, name + " (2)").total, int64_t{20000000});
            QCOMPARE(summaryOf(profile, name + " (3)").launches, int64_t{5});
            QCOMPARE(shortName(name + " (2)"), std::string("Marlin (2)"));
            QVERIFY(classOf(name + " (2)") == KernelClass::MatrixProduct);
            QCOMPARE(profile.warnings.size(), size_t{1});
            QVERIFY(warns(profile, "cut alike are numbered; --format csv keeps them whole"));
        }
        const std::string byShape = "Time (%),Total Time (ns),Instances,GridXYZ,BlockXYZ,Name\n";
        const std::string shapes = "50,600,3,8 1 1,128 1 1,f<int…\n30,400,2,4 1 1,128 1 1,f<int…\n"
                                   "20,200,1,8 1 1,128 1 1,f<int…\n";
        const Profile shaped = readText(byShape + shapes);
        QCOMPARE(summaryOf(shaped, "f<int…").total, int64_t{1000});
        QCOMPARE(summaryOf(shaped, "f<int… (2)").total, int64_t{200});
        // A second report of the same launches adds none, whichever comes first.
        const std::string sums = kernSum + "60,1000,5,200,200,200,200,0,f<int…\n40,200,1,200,200,200,200,0,f<int…\n";
        for (const std::string& text : {byShape + shapes + sums, sums + byShape + shapes}) {
            const Profile both = readText(text);
            QCOMPARE(summaryOf(both, "f<int…").launches + summaryOf(both, "f<int… (2)").launches, int64_t{6});
        }
        // A trace cannot tell.
        const Profile trace = readText("Start (ns),Duration (ns),CorrId,Strm,Name\n1,5,1,7,f<int…\n9,5,2,7,f<int…\n");
        QCOMPARE(summaryOf(trace, "f<int…").launches, int64_t{2});
        QVERIFY(warns(trace, "cut alike may be counted as one; --format csv keeps them whole"));
        // Nor can sums of two recordings: which of their names are the same?
        const std::string two = "Processing [a.sqlite] with [cuda_gpu_kern_sum.py]...\n" + kernSum +
                                "60,1000,5,200,200,200,200,0,f<int…\n40,200,1,200,200,200,200,0,f<int…\n\n"
                                "Processing [b.sqlite] with [cuda_gpu_kern_sum.py]...\n" +
                                kernSum + "60,1000,5,200,200,200,200,0,f<int…\n";
        QVERIFY(warns(readText(two), "cut alike may be counted as one"));
        // Parameters are no number of ours, and a whole name is one kernel.
        QCOMPARE(shortName("f(int, ...) (2)"), std::string("f"));
        QVERIFY(readText(kernSum + "60,1000,5,200,200,200,200,0,f(...)\n").warnings.empty());
    }

    void aRoundedZeroIsNoTime() {
        // --timeunit sec: three decimals in CSV, four in columns.
        const std::string head = "Time (%),Total Time (s),Instances,Avg (s),Med (s),Min (s),Max (s),StdDev (s),Name\n";
        const Profile seconds = readText(head + "99.0,0.080,2000,0.000,0.000,0.000,0.001,0.000,gemm\n"
                                                "1.0,0.000,20,0.000,0.000,0.000,0.000,0.000,relu\n");
        const KernelSummary gemm = summaryOf(seconds, "gemm"), relu = summaryOf(seconds, "relu");
        QCOMPARE(gemm.total, int64_t{80000000});
        QCOMPARE(*gemm.mean, 40000.0); // of the sum and the launches
        QVERIFY(!gemm.median && !gemm.minimum);
        QCOMPARE(*gemm.maximum, 1e6);
        QCOMPARE(relu.launches, int64_t{20});
        QVERIFY(!relu.timed && !relu.mean && !relu.median && !relu.minimum && !relu.maximum && !relu.share);
        QCOMPARE(seconds.warnings.size(), size_t{1});
        QVERIFY(warns(seconds, "rounded to 3 decimals of s") && warns(seconds, "without --timeunit"));
        const Profile mean = readText(head + "99.0,1.500,1000,0.002,0.001,0.001,0.004,0.000,gemm\n");
        QCOMPARE(*summaryOf(mean, "gemm").mean, 1.5e6);
        QCOMPARE(*summaryOf(mean, "gemm").median, 1e6);
        // A sum of whole milliseconds tells less than the mean of two launches.
        const Profile coarse = readText("Total Time (ms),Instances,Avg (ms),Name\n1,2,0.625,gemm\n");
        QCOMPARE(*summaryOf(coarse, "gemm").mean, 625000.0);
        const Profile copies = readText(
            " ** GPU MemOps Summary (by Time) (gpumemtimesum):\n\n"
            " Time (%)  Total Time (s)  Count  Avg (s)  Med (s)  Min (s)  Max (s)  StdDev (s)      Operation     \n"
            " --------  --------------  -----  -------  -------  -------  -------  ----------  ------------------\n"
            "     99.0          0.0001      4   0.0000   0.0000   0.0000   0.0001      0.0000  [CUDA memcpy HtoD]\n");
        QCOMPARE(*summaryOf(copies, "[CUDA memcpy HtoD]").mean, 25000.0);
        QVERIFY(warns(copies, "rounded to 4 decimals of s"));
        // Other programs drop zeros at the end: one cell of a column with all digits says that none is lost.
        const Profile dropped = readText("Start (us),Duration (us),CorrId,GrdX,Strm,Name\n"
                                         "1.0,5.0,1,8,7,relu\n8.0,1.504,2,8,7,relu\n12.5,2.5,3,8,7,relu\n");
        QCOMPARE(summaryOf(dropped, "relu").total, int64_t{9004});
        QVERIFY(!warns(dropped, "rounded"));
        const Profile trace = readText("Start (ms),Duration (ms),CorrId,GrdX,Strm,Name\n"
                                       "1.000,0.000,1,8,7,relu\n1.001,0.002,2,8,7,relu\n");
        QCOMPARE(summaryOf(trace, "relu").launches, int64_t{2});
        QCOMPARE(summaryOf(trace, "relu").timed, int64_t{1});
        QCOMPARE(summaryOf(trace, "relu").total, int64_t{2000});
        QVERIFY(warns(trace, "rounded to 3 decimals of ms"));
        // Three decimals of microseconds are whole nanoseconds, and 0 ns is shorter than the clock.
        const Profile whole = readText("Start (us),Duration (us),CorrId,GrdX,Strm,Name\n1.000,0.000,1,8,7,relu\n");
        QCOMPARE(whole.records.at(0).duration, int64_t{0});
        QVERIFY(whole.warnings.empty());
        const Profile clock = readText(kernSum + "100.0,600,3,200.0,190.0,0,410,21.5,flash\n");
        QCOMPARE(*summaryOf(clock, "flash").minimum, 0.0);
        QVERIFY(clock.warnings.empty());
    }

    void rowsThatDoNotFitAreCounted() {
        const Profile profile = readText(kernSum + "100.0,600000,3,200000.0,190000.0,180000,230000,21602.5,flash\n"
                                                   "12,13\n");
        QVERIFY(warns(profile, "1 line does not fit the table and is left out, the first is line 3."));
    }
};

QTEST_GUILESS_MAIN(NsysStatsTest)
#include "nsys_stats_test.moc"
