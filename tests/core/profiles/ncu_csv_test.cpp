// SPDX-License-Identifier: GPL-3.0-or-later
// What ncu --csv prints beside plain tables: launches without a time, sums, errors, other tools' hands on it.
#include "tests/core/profiles/profile_texts.h"

#include <QTest>
#include <cstdint>
#include <optional>
#include <string>

#include <cmath>

using namespace warplight;
using namespace warplight::profiles;
using namespace warplight::test;

namespace {

const std::string details = "\"ID\",\"Process ID\",\"Kernel Name\",\"Stream\",\"Device\",\"Metric Name\",\"Metric "
                            "Unit\",\"Metric Value\"\n";

bool near(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::fabs(b); }

} // namespace

class NcuCsvTest : public QObject {
    Q_OBJECT
  private slots:
    void launchesWithoutATimeAreInNoMean() {
        const Profile profile = readData("ncu_untimed.csv");
        const KernelSummary g = summaryOf(profile, "g");
        QCOMPARE(g.launches, int64_t{2});
        for (const auto& value : {g.mean, g.median, g.minimum, g.maximum})
            QCOMPARE(*value, 10000.0);
        QCOMPARE(g.total, int64_t{10000});
        QCOMPARE(g.measured, int64_t{2}); // both have bytes, one of them a rate
        QCOMPARE(*g.bandwidth.value(), 200 / 10e-6);
        QVERIFY(warns(profile, "1 of 2 launches have no duration"));
        const Profile none = readText(details + "\"0\",\"1\",\"g\",\"7\",\"0\",\"dram__bytes.sum\",\"byte\",\"100\"\n");
        QVERIFY(!summaryOf(none, "g").mean && !summaryOf(none, "g").share);
        QCOMPARE(summaryOf(none, "g").bytes, 100.0);
    }

    void rowsOfALaunchNeedNotStandTogether() {
        const Profile profile =
            readText(details +
                     "0,1,g,7,0,gpu__time_duration.sum,us,10\n1,1,g,7,0,gpu__time_duration.sum,us,20\n"
                     "0,2,g,7,0,gpu__time_duration.sum,us,30\n" // of another process
                     "0,1,g,7,0,dram__bytes.sum,byte,100\n1,1,g,7,0,dram__bytes.sum,byte,200\n" +
                     details + // another run begins to count again
                     "0,1,g,7,0,gpu__time_duration.sum,us,40\n");
        QCOMPARE(profile.records.size(), size_t{4});
        QCOMPARE(summaryOf(profile, "g").total, int64_t{100000});
        QCOMPARE(*profile.figuresOf(profile.records[1])->dramTotal(), 200.0);
        QVERIFY(!profile.figuresOf(profile.records[2]));
    }

    void everyRunOfAFileHasItsOwnColumnsAndUnits() {
        const std::string head = "ID,Process ID,Kernel Name,Stream,Device,";
        // The second run in milliseconds.
        const Profile units = readText(head +
                                       "gpu__time_duration.sum\n,,,,,us\n0,1,gemm,7,0,100.00\n"
                                       "1,1,relu,7,0,10.00\n==PROF== Connected to process 2\n" +
                                       head +
                                       "gpu__time_duration.sum\n,,,,,ms\n0,2,gemm,7,0,3.00\n"
                                       "1,2,relu,7,0,1.00\n");
        QCOMPARE(units.records.size(), size_t{4});
        QCOMPARE(summariseKernels(units).size(), size_t{2});
        QCOMPARE(summaryOf(units, "gemm").total, int64_t{3100000});
        QCOMPARE(summaryOf(units, "relu").total, int64_t{1010000});
        QVERIFY(units.warnings.empty());
        // Other metrics in the same places, and more of them.
        const Profile other = readText(
            head +
            "gpu__time_duration.sum,sm__warps_active.avg.pct_of_peak_sustained_active\n,,,,,us,%\n"
            "0,1,gemm,7,0,100.00,50.0\n" +
            head + "dram__bytes_read.sum,gpu__time_duration.sum\n,,,,,Mbyte,us\n0,2,relu,7,0,80.00,20.0\n" + head +
            "dram__bytes_read.sum,dram__bytes_write.sum,gpu__time_duration.sum\n,,,,,Mbyte,Mbyte,us\n"
            "0,3,gemm,7,0,50.00,10.0,40.0\n");
        QCOMPARE(summaryOf(other, "relu").total, int64_t{20000});
        QVERIFY(!summaryOf(other, "relu").occupancy);
        QCOMPARE(*summaryOf(other, "gemm").occupancy, 0.5);
        QCOMPARE(summaryOf(other, "gemm").total, int64_t{140000});
        QCOMPARE(summaryOf(other, "gemm").bytes, 60e6);
        // Columns of launches that only one of the runs has.
        const Profile shapes =
            readText(details + "0,1,gemm,7,0,gpu__time_duration.sum,us,100\n"
                               "ID,Kernel Name,Device,Stream,Grid Size,Metric Name,Metric Unit,"
                               "Metric Value\n0,gemm,1,9,\"(4, 2, 1)\",gpu__time_duration.sum,us,300\n");
        QCOMPARE(shapes.records.at(1).stream, int64_t{9});
        QCOMPARE(shapes.records[1].device, 1);
        QCOMPARE(shapes.records[1].grid, (Extent{4, 2, 1}));
        QCOMPARE(shapes.records[1].duration, int64_t{300000});
    }

    void runsOfAFileMayBeOfDifferentPages() {
        const std::string tall = details + "0,1,gemm,7,0,gpu__time_duration.sum,us,300.00\n";
        const std::string wide = "ID,Process ID,Kernel Name,Stream,Device,gpu__time_duration.sum\n,,,,,us\n"
                                 "0,2,relu,7,0,40.00\n";
        const std::string sums = "Process ID,Kernel Name,Invocations,Metric Name,Metric Unit,Minimum,Maximum,Average\n"
                                 "3,tanh,2,gpu__time_duration.sum,us,1,3,2\n";
        for (const std::string& text : {tall + wide + sums, sums + tall + wide, wide + sums + tall}) {
            const Profile profile = readText(text);
            QCOMPARE(summariseKernels(profile).size(), size_t{3});
            QCOMPARE(summaryOf(profile, "gemm").total, int64_t{300000});
            QCOMPARE(summaryOf(profile, "relu").total, int64_t{40000});
            QCOMPARE(summaryOf(profile, "tanh").launches, int64_t{2});
            QCOMPARE(summaryOf(profile, "tanh").total, int64_t{4000});
        }
        // One that cannot be read costs itself alone.
        const Profile whole = readText(wide + "ID,Process ID,Kernel Name,Metric Name,Value\n0,2,tanh,x,5\n" + tall);
        QCOMPARE(summariseKernels(whole).size(), size_t{2});
        QCOMPARE(summaryOf(whole, "gemm").total, int64_t{300000});
        QVERIFY(warns(whole, "line 4 has no column \"Metric Unit\""));
    }

    void aRowWithoutAnIdIsNoLaunch() {
        const std::string head = "ID,Process ID,Kernel Name,gpu__time_duration.sum,launch__registers_per_thread\n";
        // Tables put together under one header: the second run's units stand between launches.
        const Profile together = readText(head + ",,,us,register/thread\n0,1,gemm,100,32\n"
                                                 ",,,ms,register/thread\n0,2,gemm,3,32\n");
        QCOMPARE(together.records.size(), size_t{2});
        QCOMPARE(summaryOf(together, "gemm").total, int64_t{3100000});
        // A sum that a spreadsheet puts below, and an empty row of it.
        const Profile below = readText(head + ",,,us,register/thread\n0,1,gemm,100,32\n,,,,\n,,,100,\n1,1,gemm,5,32\n");
        QCOMPARE(summaryOf(below, "gemm").launches, int64_t{2});
        QCOMPARE(summaryOf(below, "gemm").total, int64_t{105000});
        QVERIFY(warns(below, "2 lines do not fit the table and are left out, the first is line 4."));
        // Right under the header a unit may be a number.
        const Profile ratio =
            readText("ID,Process ID,Kernel Name,gpu__time_duration.sum,x__ratio\n,,,us,1\n0,1,gemm,100,0.5\n");
        QCOMPARE(summaryOf(ratio, "gemm").total, int64_t{100000});
        // Units that are all empty are units too.
        const Profile none = readText("ID,Process ID,Kernel Name,launch__waves_per_multiprocessor\n,,,\n0,1,gemm,2\n");
        QCOMPARE(none.records.size(), size_t{1});
        QVERIFY(!warns(none, "left out"));
    }

    void summariesByKernelAreSums() {
        const Profile profile = readData("ncu_summary.csv");
        const KernelSummary saxpy = summaryOf(profile, "unnamed>::saxpyKernel(float, const float *)");
        QCOMPARE(saxpy.launches, int64_t{14});
        QCOMPARE(*saxpy.mean, 20000.0);
        QCOMPARE(*saxpy.minimum, 10000.0);
        QCOMPARE(*saxpy.maximum, 30000.0);
        QCOMPARE(saxpy.total, int64_t{280000});
        QCOMPARE(summaryOf(profile, "k2(int)").total, int64_t{6000});
        QVERIFY(warns(profile, "--print-summary"));
        // Two shapes of one kernel, means of counters, rows apart.
        const std::string head =
            "\"Process ID\",\"Kernel Name\",\"Block Size\",\"Grid Size\",\"Invocations\",\"Section "
            "Name\",\"Metric Name\",\"Metric Unit\",\"Minimum\",\"Maximum\",\"Average\"\n";
        const Profile two = readText(head + "1,k,\"(32, 1, 1)\",\"(1, 1, 1)\",2,S,Duration,us,1,3,2\n1,k,\"(64, 1, "
                                            "1)\",\"(1, 1, 1)\",3,S,Duration,us,4,6,5\n"
                                            "1,k,\"(32, 1, 1)\",\"(1, 1, 1)\",2,S,dram__bytes.sum,byte,100,300,200\n");
        const KernelSummary k = summaryOf(two, "k");
        QCOMPARE(k.launches, int64_t{5});
        QCOMPARE(k.total, int64_t{19000});
        QCOMPARE(*k.mean, 3800.0);
        QCOMPARE(*k.minimum, 1000.0);
        QCOMPARE(*k.maximum, 6000.0);
        QCOMPARE(k.bytes, 400.0);
        QCOMPARE(*k.bandwidth.value(), 400 / 4e-6);
        QVERIFY(holds(refusalOf("\"Device\",\"CC\",\"Invocations\",\"Section Name\",\"Metric Name\",\"Metric Unit\","
                                "\"Minimum\",\"Maximum\",\"Average\"\n0,8.0,3,S,Duration,us,1,3,2\n"),
                      "sums over all kernels of a GPU or an NVTX range (--print-summary), expected --print-summary "
                      "per-kernel, or none"));
    }

    void anIndexInFrontChangesNothing() {
        // As pandas' to_csv writes the raw page: an index, and numbers with ".0" where a column had a gap.
        const Profile raw = readText(",ID,Process ID,Kernel Name,Stream,Device,gpu__time_duration.sum\n"
                                     "0,,,,,,us\n1,0.0,1.0,g,7.0,1.0,10\n2,1.0,1.0,g,8.0,1.0,20\n");
        QCOMPARE(raw.records.size(), size_t{2});
        QCOMPARE(raw.records[1].duration, int64_t{20000});
        QCOMPARE(raw.records[1].stream, int64_t{8});
        QCOMPARE(raw.records[1].device, 1);
        const Profile tall = readText("\"Unnamed: 0\"," + details + "0,0,1,g,7,0,gpu__time_duration.sum,us,10\n" +
                                      "1,0,1,g,7,0,dram__bytes.sum,byte,100\n");
        QCOMPARE(tall.records.size(), size_t{1});
        QCOMPARE(tall.records[0].duration, int64_t{10000});
    }

    void theWindowsExportHasUnitsInItsTitles() {
        const Profile profile =
            readText("\"ID\",\"Function Name\",\"Stream\",\"gpu__time_duration.sum "
                     "[usecond]\",\"dram__bytes_read.sum (Kbyte)\",\"dram__bytes_write.sum [byte]\"\n"
                     "\"0\",\"gemm\",\"7\",\"10\",\"2\",\"500\"\n");
        QCOMPARE(profile.records[0].duration, int64_t{10000});
        QCOMPARE(*profile.figuresOf(profile.records[0])->dramTotal(), 2500.0);
        QVERIFY(profile.warnings.empty());
    }

    void errorsOfTheProfilerAreToldWithWhatHelps() {
        const std::string permission = refusalOfData("ncu_permission.csv");
        for (const char* words : {"ERR_NVGPUCTRPERM - The user does not have permission",
                                  "NVreg_RestrictProfilingToAdminUsers=0", "CAP_SYS_ADMIN"})
            QVERIFY2(holds(permission, words), words);
        QVERIFY(!holds(permission, "No kernels were profiled")); // that follows from it
        QVERIFY(holds(refusalOf("==PROF== Connected to process 1\n==WARNING== No kernels were profiled.\n"),
                      "The profiler says: No kernels were profiled"));
        QVERIFY(holds(refusalOf("==ERROR== Profiling failed because a driver resource was unavailable. Ensure that no "
                                "other tool (like DCGM) is concurrently collecting profiling data.\n"),
                      "Only one profiler can hold the counters"));
        QVERIFY(holds(refusalOf(details + "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission\n"),
                      "no launch stands in its table"));
        const Profile half = readText(details + "0,1,g,7,0,gpu__time_duration.sum,us,10\n"
                                                "==ERROR== The application returned an error code (11).\n");
        QCOMPARE(half.records.size(), size_t{1});
        QVERIFY(warns(half, "The profiler says: The application returned an error code (11)."));
        QVERIFY(holds(refusalOf("  saxpy(int) (1, 1, 1)x(32, 1, 1), Context 1, Stream 7, Device 0, CC 9.0\n"
                                "    Section: GPU Speed Of Light Throughput\n"
                                "    Metric Name             Metric Unit Metric Value\n    Duration  us  10\n"),
                      "it is the page that ncu prints without --csv"));
    }

    void setFullCountsFlopsByCycles() {
        // Single precision as the roofline section has it: adds, multiplications and twice the multiply-adds a cycle.
        const std::string op = "smsp__sass_thread_inst_executed_op_";
        const std::string head = "ID,Kernel Name,gpu__time_duration.sum,smsp__cycles_elapsed.avg.per_second,";
        const auto flopsOf = [](const std::string& text) {
            const Profile profile = readText(text);
            const Figures* figures = profile.figuresOf(profile.records.at(0));
            return figures ? figures->flops() : std::nullopt;
        };
        const std::string row = "\n0,k,1000,1.5,"; // 1 ms at 1.5 GHz: 1.5e6 cycles
        const std::string adds =
            op + "fadd_pred_on.sum.per_cycle_elapsed," + op + "fmul_pred_on.sum.per_cycle_elapsed,";
        const std::string units = "\n,,us,Ghz,inst/cycle,inst/cycle,";
        const double expected = (100 + 50 + 2000) * 1.5e6;
        QVERIFY(near(*flopsOf(head + adds + op + "ffma_pred_on.sum.per_cycle_elapsed" + units + "inst/cycle" + row +
                              "100,50,\"1,000\"\n"),
                     expected));
        QVERIFY(near(*flopsOf(head + adds + "derived__smsp__sass_thread_inst_executed_op_ffma_pred_on_x2" + units +
                              "inst" + row + "100,50,2000\n"),
                     expected));
        // Both for one: the count once. Whole sums before those by cycle.
        QVERIFY(near(*flopsOf(head + adds + op + "ffma_pred_on.sum.per_cycle_elapsed,derived__" + op +
                              "ffma_pred_on_x2" + units + "inst/cycle,inst/cycle" + row + "100,50,1000,2000\n"),
                     expected));
        QVERIFY(near(*flopsOf(head + op + "ffma_pred_on.sum," + op + "ffma_pred_on.sum.per_cycle_elapsed" +
                              "\n,,us,Ghz,inst,inst/cycle" + row + "10,1000\n"),
                     20));
        // Tensor cores by type: the coarsest sum of each, integers are no FLOPs.
        const std::string tensor = "sm__ops_path_tensor_src_";
        QVERIFY(near(*flopsOf(head + tensor + "fp16.sum.per_cycle_elapsed," + tensor +
                              "fp16_dst_fp32.sum.per_cycle_elapsed," + tensor + "bf16_dst_fp32.sum.per_cycle_elapsed," +
                              tensor + "int8.sum.per_cycle_elapsed" + "\n,,us,Ghz,op/cycle,op/cycle,op/cycle,op/cycle" +
                              row + "8,6,4,1000\n"),
                     12 * 1.5e6));
        // Tensor cores that worked uncounted leave no total.
        QVERIFY(!flopsOf(head + op +
                         "ffma_pred_on.sum,sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_"
                         "active\n,,us,Ghz,inst,%" +
                         row + "10,37.5\n"));
        QVERIFY(flopsOf(head + op +
                        "ffma_pred_on.sum,sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_"
                        "active\n,,us,Ghz,inst,%" +
                        row + "10,0\n"));
    }

    void namesKeepTheirScript() {
        const Profile profile = readData("ncu_strange_names.csv");
        QCOMPARE(summaryOf(profile, "тест_ядро").total, int64_t{3000});
        QCOMPARE(summaryOf(profile, "").total, int64_t{2000});
        QCOMPARE(summaryOf(profile, "void f<\"a, b\">(int)\nsecond").total, int64_t{1000});
    }
};

QTEST_GUILESS_MAIN(NcuCsvTest)
#include "ncu_csv_test.moc"
