// SPDX-License-Identifier: GPL-3.0-or-later
// What nccl-tests prints, with what versions, options and launchers change in it.
#include "tests/core/collectives/nccl_texts.h"

#include <QTemporaryDir>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <chrono>

using namespace warplight;
using namespace warplight::test;

class NcclTestsTest : public QObject {
    Q_OBJECT
  private slots:
    void everyCellOfARowArrivesInSiUnits() {
        const NcclTests run = runOf(plain());
        QCOMPARE(run.rows.size(), size_t(1));
        const NcclRow& row = run.rows[0];
        QCOMPARE(row.bytes, int64_t(16777216));
        QCOMPARE(row.count, int64_t(4194304));
        QCOMPARE(row.type, "float");
        QCOMPARE(row.redop, "sum");
        QVERIFY(!row.root);
        QVERIFY(row.outOfPlace && row.inPlace);
        SAME(row.outOfPlace->seconds, 121.33e-6);
        SAME(row.outOfPlace->algbw, 138.28e9);
        SAME(row.outOfPlace->busbw, 242.00e9);
        QCOMPARE(row.outOfPlace->wrong, std::optional<int64_t>(0));
        QVERIFY(!row.outOfPlace->cpuTime && !row.outOfPlace->spread && !row.outOfPlace->error);
        SAME(row.inPlace->seconds, 120.47e-6);
        SAME(row.inPlace->algbw, 139.26e9);
        SAME(row.inPlace->busbw, 243.71e9);
        QCOMPARE(run.outOfBounds, std::optional<int64_t>(0));
        SAME(*run.averageBusBandwidth, 242.855e9);
        QVERIFY(!run.truncated);
        QVERIFY2(run.warnings.empty(), run.warnings.empty() ? "" : run.warnings[0].c_str());
    }

    void ranksHostsAndDevicesAreCounted() {
        const NcclTests run = runOf(rankLines(16) + columns + rowOf16MiB + footer);
        QCOMPARE(run.ranks, 16);
        QCOMPARE(run.hosts, 2);
        QCOMPARE(run.devices.size(), size_t(1));
        QCOMPARE(run.devices[0].name, "NVIDIA H100 80GB HBM3");
        QCOMPARE(run.devices[0].count, 16);
    }

    void olderRankLinesHaveNoGroupAndAnotherBusId() { // NVIDIA/nccl-tests #107
        const NcclTests run =
            runOf("#   Rank  0 Pid   1320 on ip-172-31-20-228 device  0 [0x00] Tesla V100-SXM2-16GB\n"
                  "#   Rank  1 Pid   2066 on ip-172-31-22-230 device  0 [0x00] Tesla V100-SXM2-16GB\n" +
                  std::string(columns) + rowOf16MiB + footer);
        QCOMPARE(run.ranks, 2);
        QCOMPARE(run.hosts, 2);
        QCOMPARE(run.devices[0].name, "Tesla V100-SXM2-16GB");
    }

    void rankZeroTwiceIsTold() { // the same issue: two processes that know nothing of each other
        const NcclTests run =
            runOf("#   Rank  0 Pid   1320 on ip-172-31-20-228 device  0 [0x00] Tesla V100-SXM2-16GB\n"
                  "#   Rank  0 Pid   2066 on ip-172-31-22-230 device  0 [0x00] Tesla V100-SXM2-16GB\n" +
                  std::string(columns) +
                  "  1310720000     327680000     float     sum      -1   3190.3  410.85    0.00   0  "
                  " 0.62  2114064516.13    0.00 0\n" +
                  footer);
        QCOMPARE(run.ranks, 1);
        QVERIFY(warns(run, "named twice"));
    }

    void groupsOfRanksAreCommunicatorsOfTheirOwn() { // NCCL_TESTS_SPLIT
        std::string text;
        for (int r = 0; r < 8; ++r)
            text += "#  Rank " + std::to_string(r) + " Group " + std::to_string(r % 2) +
                    " Pid 1 on a device 0 [0000:04:00] NVIDIA L4\n";
        const NcclTests run = runOf(text + columns + rowOf16MiB + footer);
        QCOMPARE(run.ranks, 4);
        QCOMPARE(run.devices[0].count, 8);
    }

    void versionsAndTheTestAreThoseOfTheHeader() {
        const NcclTests run =
            runOf("# nccl-tests version 2.17.8 nccl-headers=22803 nccl-library=22803\n" // NVIDIA/nccl #2169
                  "# Collective test starting: all_reduce_perf\n" +
                  plain());
        QCOMPARE(run.version, "2.17.8");
        QCOMPARE(run.ncclVersion, "2.28.3");
        QCOMPARE(run.test, NcclTest::AllReduce);
        QVERIFY(!run.testFromBandwidths);
        QCOMPARE(runOf("NCCL version 2.21.5+cuda11.8\n" + plain()).ncclVersion, "2.21.5");
        QCOMPARE(runOf("# nccl-tests version 2.0.0 nccl-library=2708\n" + plain()).ncclVersion, "2.7.8");
        QCOMPARE(runOf("$ mpirun -np 8 /opt/nccl-tests/build/all_reduce_perf_mpi -b 8\n" + plain()).test,
                 NcclTest::AllReduce);
    }

    void theTestIsToldFromItsBandwidths_data() {
        QTest::addColumn<int>("ranks");
        QTest::addColumn<std::string>("row");
        QTest::addColumn<std::string>("test");
        const auto row = [](const char* name, int ranks, const char* text, const char* test) {
            QTest::newRow(name) << ranks << std::string(text) << std::string(test);
        };
        row("all-reduce", 8, rowOf16MiB, "all_reduce");
        // coreweave/nccl-tests #43, GB200 NVL72
        row("all-reduce of 72", 72, "536870912 134217728 float sum -1 1806.7 297.16 586.06 0 1835.9 292.43 576.74 0\n",
            "all_reduce");
        row("two ranks: all-reduce or send", 2,
            "1048576 262144 float sum -1 100.00 10.49 10.49 0 100.00 10.49 10.49 0\n", "unknown");
        row("reduce-scatter", 4, "1048576 262144 float sum -1 100.00 10.49 7.86 0 100.00 10.49 7.86 0\n",
            "reduce_scatter");
        row("all-gather or all-to-all", 2, // DGX Spark, two nodes
            "1073741824 134217728 float none -1 27211.0 39.46 19.73 0 25806.7 41.61 20.80 0\n", "unknown");
        row("broadcast", 4, "1048576 262144 float none 0 100.00 10.49 10.49 0 100.00 10.49 10.49 0\n", "broadcast");
        row("reduce", 4, "1048576 262144 float sum 0 100.00 10.49 10.49 0 100.00 10.49 10.49 0\n", "reduce");
    }
    void theTestIsToldFromItsBandwidths() {
        QFETCH(int, ranks);
        QFETCH(std::string, row);
        QFETCH(std::string, test);
        const NcclTests run = runOf(rankLines(ranks) + columns + row + footer);
        QCOMPARE(std::string(nameOf(run.test)), test);
        QCOMPARE(run.testFromBandwidths, test != "unknown");
    }

    void factorsAreThoseOfTheirDefinition() { // nccl-tests, doc/PERFORMANCE.md
        QCOMPARE(*busFactor(NcclTest::AllReduce, 1), 0.0);
        QCOMPARE(*busFactor(NcclTest::AllReduce, 2), 1.0);
        QCOMPARE(*busFactor(NcclTest::AllReduce, 4), 1.5);
        QCOMPARE(*busFactor(NcclTest::AllReduce, 8), 1.75);
        for (const NcclTest t : {NcclTest::AllGather, NcclTest::ReduceScatter, NcclTest::AllToAll})
            QCOMPARE(*busFactor(t, 4), 0.75);
        for (const NcclTest t : {NcclTest::Broadcast, NcclTest::Reduce, NcclTest::SendRecv})
            QCOMPARE(*busFactor(t, 4), 1.0);
        QVERIFY(!busFactor(NcclTest::Unknown, 4) && !busFactor(NcclTest::AllReduce, 0));
    }

    // ---- what versions, options and launchers change

    void withoutARootColumnAndWithErrorForWrong() { // nccl-tests 2.0 to 2.12
        const NcclTests run = runOf(rankLines(8) + R"(
#                                                     out-of-place                       in-place
#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error
#        (B)    (elements)                     (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
    16777216       4194304   float     sum   121.33  138.28  242.00  0e+00   120.47  139.26  243.71  1e-06
)" + footer);
        const NcclRow& row = run.rows.at(0);
        QCOMPARE(row.redop, "sum");
        QVERIFY(!row.root && !row.outOfPlace->wrong);
        QCOMPARE(*row.outOfPlace->error, 0.0);
        QCOMPARE(*row.inPlace->error, 1e-6);
        SAME(row.inPlace->busbw, 243.71e9);
        QVERIFY(run.warnings.empty());
    }

    void broadcastMayHaveNoRedopColumn() {
        const NcclTests run = runOf("# Collective test starting: broadcast_perf\n" + rankLines(4) + R"(
#       size         count    type    root     time   algbw   busbw  error     time   algbw   busbw  error
     1048576        262144   float       2   100.00   10.49   10.49  0e+00   110.00    9.53    9.53    N/A
)" + footer);
        const NcclRow& row = run.rows.at(0);
        QCOMPARE(row.redop, "");
        QCOMPARE(row.root, std::optional<int>(2));
        SAME(row.outOfPlace->algbw, 10.49e9);
        QVERIFY(!row.inPlace->error);
        QVERIFY(run.warnings.empty());
    }

    void blankCellsAreFoundByWhatIsThere() {
        const std::string start = rankLines(8) + columns;
        const auto first = [&](const std::string& row) { return runOf(start + row + footer).rows.at(0); };
        const NcclRow noRedop = first("16777216 4194304 float -1 121.33 138.28 242.00 0 120.47 139.26 243.71 0\n");
        QCOMPARE(noRedop.redop, "");
        SAME(noRedop.outOfPlace->busbw, 242e9);
        const NcclRow neither = first("16777216 4194304 float 121.33 138.28 242.00 0 120.47 139.26 243.71 0\n");
        SAME(neither.outOfPlace->seconds, 121.33e-6);
        const NcclRow half = first("16777216 4194304 float sum -1                     120.47 139.26 243.71 0\n");
        QVERIFY(!half.outOfPlace);
        SAME(half.inPlace->seconds, 120.47e-6);
        QVERIFY(half.timing() == &*half.inPlace);
    }

    void whatWasNotCheckedIsNotZero() { // alltoall has no in-place check
        const NcclTests run = runOf(
            "# Collective test starting: alltoall_perf\n" + rankLines(16) + columns +
            "  8589934592     134217728     float    none      -1   215847   39.80   37.31       0   205790   41.74   "
            "39.13    N/A\n" +
            footer);
        QCOMPARE(run.rows.at(0).outOfPlace->wrong, std::optional<int64_t>(0));
        QVERIFY(!run.rows.at(0).inPlace->wrong);
        QVERIFY(run.warnings.empty());
    }

    void wrongElementsAreCountedAlsoAsPowers() {
        const NcclTests run =
            runOf(rankLines(8) + columns +
                  "16777216 4194304 float sum -1 121.33 138.28 242.00 1.34218e+08 120.47 139.26 243.71 12\n"
                  "# Out of bounds values : 2 FAILED\n# Avg bus bandwidth    : 242.855\n");
        QCOMPARE(run.rows.at(0).outOfPlace->wrong, std::optional<int64_t>(134218000));
        QCOMPARE(run.rows.at(0).inPlace->wrong, std::optional<int64_t>(12));
        QCOMPARE(run.outOfBounds, std::optional<int64_t>(2));
    }

    void perIterationColumnsAreRead() { // -I
        const NcclTests run = runOf(rankLines(8) + R"(
#       size         count      type   redop    root     time   algbw   busbw  #wrong    i_min    i_max    i_p99    i_cv%     time   algbw   busbw  #wrong    i_min    i_max    i_p99    i_cv%
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)     (us)     (us)      (%)     (us)  (GB/s)  (GB/s)             (us)     (us)     (us)      (%)
    16777216       4194304     float     sum      -1   121.33  138.28  242.00       0   119.02   130.51   129.00     2.50   120.47  139.26  243.71       0   118.10   125.55   124.00     1.25
)" + footer);
        const NcclRow& row = run.rows.at(0);
        SAME(row.outOfPlace->spread->min, 119.02e-6);
        SAME(row.outOfPlace->spread->max, 130.51e-6);
        SAME(row.outOfPlace->spread->p99, 129e-6);
        SAME(row.outOfPlace->spread->variation, 0.025);
        SAME(row.inPlace->busbw, 243.71e9);
        SAME(row.inPlace->spread->variation, 0.0125);
        QVERIFY(run.warnings.empty());
    }

    void timestampsAreTwoWords() { // -S
        const NcclTests run = runOf(rankLines(8) + R"(
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong           timestamp
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)         %Y-%m-%d %H:%M:%S
    16777216       4194304     float     sum      -1   121.33  138.28  242.00       0   120.47  139.26  243.71       3  2025-10-02 12:31:59
    16777216       4194304     float     sum      -1                                     120.47  139.26  243.71       0  2025-10-02 12:32:00
)" + footer);
        QCOMPARE(run.rows.size(), size_t(2));
        QCOMPARE(run.rows[0].inPlace->wrong, std::optional<int64_t>(3));
        QVERIFY(!run.rows[1].outOfPlace);
        SAME(run.rows[1].inPlace->seconds, 120.47e-6);
        QCOMPARE(run.warnings.size(), size_t(1));
        QVERIFY(warns(run, "Values are wrong in 1 of 3 results, the first is 16 MiB in place, 3 wrong elements."));
    }

    void cpuTimesAreMarked() { // -C
        std::string text = plain();
        for (size_t at = 0; (at = text.find("   time   algbw", at)) != std::string::npos; at += 10)
            text.replace(at, 7, "cputime");
        const NcclTests run = runOf(text);
        QVERIFY(run.rows.at(0).outOfPlace->cpuTime && run.rows.at(0).inPlace->cpuTime);
        SAME(run.rows[0].outOfPlace->seconds, 121.33e-6);
    }

    void timesMayBePowersOfTen() { // a time of 12,345,678 us does not fit into seven characters
        const NcclTests run =
            runOf("# Collective test starting: all_reduce_perf\n" + rankLines(8) + columns +
                  "34359738368 8589934592 float sum -1 1.2e+07 2.78 4.87 0 1.2e+07 2.78 4.87 0\n" + footer);
        SAME(run.rows.at(0).outOfPlace->seconds, 12.0);
        QVERIFY(run.warnings.empty()); // two digits agree with 12.35 s
    }

    void launchersLabelsAreTakenOff_data() {
        QTest::addColumn<std::string>("label");
        QTest::newRow("mpirun") << std::string("[1,0]<stdout>:");
        QTest::newRow("mpirun, indented") << std::string("         [1,12]<stdout>:"); // aws-k8s-tester #503
        QTest::newRow("mpirun of Open MPI 5") << std::string("[prterun-node-12@1,0]<stdout>: ");
        QTest::newRow("srun --label") << std::string("0: ");
    }
    void launchersLabelsAreTakenOff() {
        QFETCH(std::string, label);
        std::string text = label;
        for (const char c : plain())
            text += c == '\n' ? "\n" + label : std::string(1, c);
        const NcclTests run = runOf(text);
        QCOMPARE(run.ranks, 8);
        QCOMPARE(run.rows.size(), size_t(1));
        SAME(run.rows[0].inPlace->busbw, 243.71e9);
        SAME(*run.averageBusBandwidth, 242.855e9);
        QVERIFY(run.warnings.empty());
    }

    void hashesMayHaveBeenTakenByALogTool() { // NVIDIA/nccl-tests #249, NVIDIA/nccl #583
        std::string text;
        for (const char c : plain())
            if (c != '#')
                text += c;
        const NcclTests run = runOf(text);
        QCOMPARE(run.ranks, 8);
        QCOMPARE(run.rows.size(), size_t(1));
        QCOMPARE(run.rows[0].inPlace->wrong, std::optional<int64_t>(0));
        SAME(*run.averageBusBandwidth, 242.855e9);
        QVERIFY(run.warnings.empty());
    }

    void windowsLineEndsAndAByteOrderMarkDoNotMatter() {
        std::string text = "\xEF\xBB\xBF";
        for (const char c : plain())
            text += c == '\n' ? "\r\n" : std::string(1, c);
        QCOMPARE(runOf(text).rows.size(), size_t(1));
        QVERIFY(runOf(text).warnings.empty());
    }

    void linesOfOthersInBetweenDoNotMatter() {
        std::string text = plain();
        text.insert(text.find("    16777216"), "llm207:149:157 [1] NCCL INFO NET/IB : No device found.\n\n");
        const NcclTests run = runOf(text);
        QCOMPARE(run.rows.size(), size_t(1));
        QVERIFY(run.warnings.empty());
    }

    void rowsBehindAHashAreNone() {
        std::string text = plain();
        text.insert(text.find("    16777216"),
                    "#   33554432 8388608 float sum -1 121.33 138.28 242.00 0 120.47 139.26 243.71 0\n");
        QCOMPARE(runOf(text).rows.size(), size_t(1));
    }

    void rowsThatSomebodyWroteIntoAreLeftOutAndTold() { // NVIDIA/nccl #1453
        const NcclTests run =
            runOf(rankLines(8) + columns +
                  "        8192          2048     float     sum      -1[0] h100:497888 NCCL INFO 8192 Bytes\n" +
                  rowOf16MiB + footer);
        QCOMPARE(run.rows.size(), size_t(1));
        QVERIFY(warns(run, "1 of its lines is no whole row and is left out: line 14."));
    }

    void unknownColumnsAreToldAndTheOthersStayInPlace() {
        std::string text = plain();
        text.replace(text.find("#wrong     time"), 15, "#wrong  joules     time");
        text.replace(text.find("       0   120.47"), 17, "       0  17.5   120.47");
        const NcclTests run = runOf(text);
        QVERIFY(warns(run, "joules"));
        SAME(run.rows.at(0).inPlace->seconds, 120.47e-6);
    }

    // ---- what does not fit together

    void busBandwidthsThatDoNotFollowFromTheTimeAreFlagged() {
        const auto flagged = [](const char* busbw) {
            return runOf("# Collective test starting: all_reduce_perf\n" + rankLines(8) + columns +
                         "16777216 4194304 float sum -1 121.33 138.28 " + busbw + " 0 120.47 139.26 243.71 0\n" +
                         footer);
        };
        QVERIFY(flagged("242.00").warnings.empty());
        QVERIFY(flagged("242.40").warnings.empty()); // averages of several processes
        QVERIFY(warns(flagged("245.00"),
                      "The bus bandwidth of 1 of 2 results is not that of all_reduce: line 15 says 245 "
                      "GB/s, its time and 8 ranks make 242"));
        QVERIFY(warns(flagged("138.28"), "is not that of all_reduce")); // computed for two ranks
    }

    void algorithmBandwidthsThatAreNotSizeOverTimeAreFlagged() {
        const NcclTests run =
            runOf(rankLines(8) + columns +
                  "16777216 4194304 float sum -1 121.33 276.56 484.00 0 120.47 139.26 243.71 0\n" + footer);
        QVERIFY(warns(run, "is not size over time"));
    }

    void smallBandwidthsAreComparedAsExactlyAsTheyArePrinted() { // 8 bytes in 12.90 us are 0.00 GB/s
        const NcclTests run = runOf("# Collective test starting: all_reduce_perf\n" + rankLines(8) + columns +
                                    "8 2 float sum -1 12.90 0.00 0.00 0 12.87 0.00 0.00 0\n"
                                    "65536 16384 float sum -1 18.95 3.46 6.05 0 18.25 3.59 6.28 0\n" +
                                    footer);
        QVERIFY(run.warnings.empty());
        QCOMPARE(run.rows.size(), size_t(2));
    }

    void runsThatWereCutAreTold() {
        const NcclTests run = runOf(rankLines(8) + columns + rowOf16MiB + "    33554432       8388608     flo");
        QVERIFY(run.truncated);
        QVERIFY(warns(run, "did not come to its end"));
        QVERIFY(warns(run, "1 of its lines is no whole row"));
        QCOMPARE(run.rows.size(), size_t(1));
    }

    void severalRunsInAFileStayApart() {
        const std::string two = "# Collective test starting: all_reduce_perf\n" + plain() +
                                "# Collective test starting: broadcast_perf\n" + rankLines(4) + columns +
                                "1048576 262144 float none 0 100.00 10.49 10.49 0 100.00 10.49 10.49 0\n" + footer;
        const std::vector<NcclTests> runs = runsOf(two);
        QCOMPARE(runs.size(), size_t(2));
        QCOMPARE(runs[0].test, NcclTest::AllReduce);
        QCOMPARE(runs[0].ranks, 8);
        QCOMPARE(runs[1].test, NcclTest::Broadcast);
        QCOMPARE(runs[1].ranks, 4);
        QCOMPARE(runs[1].rows.size(), size_t(1));
        QTemporaryDir folder;
        const QString path = folder.filePath("two.txt");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(two.data(), static_cast<qint64>(two.size()));
        file.close();
        const NcclTests first = readNcclTests(path.toStdString());
        QCOMPARE(first.ranks, 8);
        QCOMPARE(first.source, path.toStdString());
        QVERIFY(warns(first, "The file holds 2 runs; this is the first."));
    }

    void whatHoldsNoTableIsRefused() {
        QVERIFY(refusal("").starts_with("memory: holds no table of nccl-tests, expected a line"));
        QVERIFY(refusal("hello\n1 2 3\n").starts_with("memory: holds no table of nccl-tests"));
        QCOMPARE(refusal(rankLines(1) + columns),
                 "memory: the table in line 5 has no rows, expected one line for each size");
        QVERIFY(
            refusal("{\"traceEvents\":[]}").starts_with("memory: JSON without \"results\", expected what nccl-tests"));
        QVERIFY(refusal("{\"results\":[]}").starts_with("memory: \"results\" is empty"));
        try {
            readNcclTests("/no/such/file");
            QFAIL("no file, no error");
        } catch (const InputError& error) {
            QVERIFY(std::string(error.what()).starts_with("/no/such/file: "));
        }
    }

    void rowsTakeTimeInProportionToTheirNumber() {
        const auto seconds = [](int rows) {
            std::string text = rankLines(8) + columns;
            for (int i = 0; i < rows; ++i)
                text += rowOf16MiB;
            const auto begin = std::chrono::steady_clock::now();
            if (runOf(text + footer).rows.size() != static_cast<size_t>(rows))
                return -1.0;
            return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        };
        const double small = seconds(20'000), large = seconds(200'000);
        QVERIFY(small > 0 && large > 0);
        QVERIFY2(large < 40 * small, qPrintable(QString("%1 s, %2 s").arg(small).arg(large)));
    }
};

QTEST_GUILESS_MAIN(NcclTestsTest)
#include "nccl_tests_test.moc"
