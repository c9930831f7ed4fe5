// SPDX-License-Identifier: GPL-3.0-or-later
// Logs as people paste them: behind labels, cut by other output, in JSON and CSV of relatives, with ranks left out.
#include "tests/core/collectives/nccl_texts.h"

#include <QDir>
#include <QFile>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <algorithm>
#include <random>

using namespace warplight;
using namespace warplight::test;

namespace {

std::string fileText(const char* name) {
    QFile file(QString(WARPLIGHT_TEST_DATA "/data/collectives/") + name);
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
}

std::vector<double> microseconds(const NcclTests& run, bool inPlace) {
    std::vector<double> all;
    for (const NcclRow& row : run.rows) {
        const auto& half = inPlace ? row.inPlace : row.outOfPlace;
        all.push_back(half ? std::round(half->seconds * 1e8) / 100 : -1);
    }
    return all;
}

/// Every line behind a label, "\n" in it ends the line before.
std::string labelled(const std::string& text, const std::string& label, const std::string& behind = "") {
    std::string made;
    for (size_t at = 0; at < text.size();) {
        const size_t end = text.find('\n', at);
        made += label + text.substr(at, end - at) + behind + '\n';
        at = end + 1;
    }
    return made;
}

const std::string fourRows = "        1024           256     float     sum      -1    20.00    0.05    0.09      0    "
                             "19.50    0.05    0.09      0\n"
                             "       65536         16384     float     sum      -1    25.00    2.62    4.59      0    "
                             "24.00    2.73    4.78      0\n"
                             "     1048576        262144     float     sum      -1    60.00   17.48   30.58      0    "
                             "58.00   18.08   31.64      0\n"
                             "    67108864      16777216     float     sum      -1   1000.0   67.11  117.44      0   "
                             "990.00   67.79  118.63      0\n";
std::string fourSizes() { return rankLines(8) + columns + fourRows + footer; }

} // namespace

class NcclPastedTest : public QObject {
    Q_OBJECT
  private slots:
    void filesOfTheKind_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<int>("ranks");
        QTest::addColumn<double>("busbw"); // of 64 MiB out of place, GB/s
        QTest::addColumn<int>("warnings");
        const auto row = [](const char* file, int ranks, double busbw, int warnings) {
            QTest::newRow(file) << file << ranks << busbw << warnings;
        };
        row("intel_mpi.log", 8, 117.44, 0);
        row("kubectl_ts.log", 8, 117.44, 0);
        row("ansi.log", 8, 117.44, 0);
        row("side_by_side.log", 8, 117.44, 1);
        row("three_pieces.log", 8, 117.44, 0);
        row("info_glued.log", 8, 117.44, 0);
        row("tuning_debug.log", 8, 117.44, 0);
        row("slurm_json_first.log", 8, 117.44, 0);
        row("csv138.csv", 8, 117.44, 0);
        row("rccl_Z.json", 4, 100.663296, 0);
        row("meta_fork.json", 8, 58.720256, 0);
        row("last_rank_only.log", 8, 117.44, 1);
        row("rank71_only.log", 72, 132.35, 1);
        row("rank_ranges.log", 16, 125.83, 0);
    }
    void filesOfTheKind() {
        QFETCH(QString, file);
        QFETCH(int, ranks);
        QFETCH(double, busbw);
        QFETCH(int, warnings);
        const std::vector<NcclTests> runs = runsOf(fileText(qPrintable(file)));
        QCOMPARE(runs.size(), size_t(1));
        QCOMPARE(runs[0].ranks, ranks);
        QCOMPARE(microseconds(runs[0], false), (std::vector<double>{20, 25, 60, 1000}));
        QCOMPARE(microseconds(runs[0], true), (std::vector<double>{19.5, 24, 58, 990}));
        SAME(runs[0].rows[3].outOfPlace->busbw, busbw * 1e9);
        QCOMPARE(static_cast<int>(runs[0].warnings.size()), warnings);
    }

    void labelsOfEveryKindAreTakenOff_data() {
        QTest::addColumn<std::string>("label");
        for (const char* label : {"[0] ",
                                  "0: ",
                                  " 3: ",
                                  "[1,0]<stdout>:",
                                  "[1,0]<stdout> ",
                                  "[prterun-node-12@1,0]<stdout>: ",
                                  "worker-0 nccl ",
                                  "[worker-0] ",
                                  "nccl-1  | ",
                                  "2024-11-05T10:11:12.123456789Z stdout F ",
                                  "2024-11-05 10:11:12,123 INFO  [main] ",
                                  "2024-11-05 10:11:12.123 | INFO     | __main__:run:42 - ",
                                  "Nov  5 10:11:12 host nccl[1234]: ",
                                  "> ",
                                  ">> ",
                                  "\t",
                                  "\x1b[36mpod-a\x1b[0m ",
                                  "1234\t",
                                  "(0) ",
                                  "host01: ",
                                  "INFO:root:"})
            QTest::newRow(label) << std::string(label);
    }
    void labelsOfEveryKindAreTakenOff() {
        QFETCH(std::string, label);
        for (const std::string& text : {fourSizes(), fileText("three_pieces.log")}) {
            const NcclTests run = runOf(labelled(text, label));
            QCOMPARE(run.ranks, 8);
            QCOMPARE(microseconds(run, false), (std::vector<double>{20, 25, 60, 1000}));
            QCOMPARE(microseconds(run, true), (std::vector<double>{19.5, 24, 58, 990}));
            QVERIFY2(run.warnings.empty(), run.warnings.empty() ? "" : run.warnings[0].c_str());
        }
    }

    void wordsBehindTheLastColumnDoNotMatter() {
        for (const char* behind : {" |", "   \x1b[0m", "  stream=stdout", "\r", "  # ok", "  <-- here"}) {
            const NcclTests run = runOf(labelled(fourSizes(), "", behind));
            QCOMPARE(run.rows.size(), size_t(4));
            QCOMPARE(run.rows[3].inPlace->wrong, std::optional<int64_t>(0));
            QVERIFY2(run.warnings.empty(), run.warnings.empty() ? "" : run.warnings[0].c_str());
        }
    }

    /// A line of NCCL at every character of a row, glued to it: the row is read or told, never read wrong.
    void aRowCutAnywhereIsJoined() {
        const size_t begin = fourSizes().find("       65536");
        int lost = 0;
        for (size_t cut = 12; cut < 112; ++cut) {
            std::string text = fourSizes();
            text.insert(begin + cut, "node-0:41:41 [0] NCCL INFO Launch mode Parallel\n");
            const NcclTests run = runOf(text);
            const std::string where = "cut at " + std::to_string(cut);
            if (run.rows.size() == 3) {
                ++lost;
                QVERIFY2(warns(run, "1 of its lines is no whole row"), where.c_str());
                continue;
            }
            QVERIFY2(microseconds(run, false) == (std::vector<double>{20, 25, 60, 1000}), where.c_str());
            QVERIFY2(microseconds(run, true) == (std::vector<double>{19.5, 24, 58, 990}), where.c_str());
        }
        QVERIFY2(lost <= 5, qPrintable(QString("%1 rows are lost").arg(lost)));
    }

    /// In three pieces, with a launcher's label before each line.
    void aRowCutTwiceIsJoined() {
        const size_t begin = fourSizes().find("     1048576");
        int lost = 0, all = 0;
        for (size_t first = 12; first < 105; first += 3)
            for (size_t second = first + 4; second < 112; second += 5, ++all) {
                std::string text = fourSizes();
                text.insert(begin + second, "node-0:41:41 [0] NCCL INFO 1048576 Bytes -> Algo 1 proto 2 time 54.7\n");
                text.insert(begin + first, "  node-1:7:7 [1] NCCL INFO AllReduce: opCount 0 count 2\n"
                                           "node-1:8:8 [2] NCCL INFO 12 coll channels\n");
                const NcclTests run = runOf(all % 2 ? text : labelled(text, "[0] "));
                const std::string where = "cut at " + std::to_string(first) + " and " + std::to_string(second);
                if (run.rows.size() == 3) {
                    ++lost;
                    QVERIFY2(first < 26 || warns(run, "no whole row"), where.c_str()); // numbers alone are no row
                    continue;
                }
                QVERIFY2(microseconds(run, false) == (std::vector<double>{20, 25, 60, 1000}), where.c_str());
                QVERIFY2(microseconds(run, true) == (std::vector<double>{19.5, 24, 58, 990}), where.c_str());
            }
        QVERIFY2(lost <= all / 5, qPrintable(QString("%1 of %2 rows are lost").arg(lost).arg(all)));
    }

    /// srun -l and its like: what begins with a label's number is no rest of a row.
    void labelsBetweenPiecesAreNoNumbers() {
        for (const char* label : {"%1: ", "10:11:%1 ", "2026-11-05T10:11:1%1Z "})
            for (const int ranks : {1, 5, 8, 40}) {
                std::string text;
                for (const QString& line :
                     QString::fromStdString(rankLines(8) + columns).split('\n', Qt::SkipEmptyParts))
                    text += QString(label).arg(0).toStdString() + line.toStdString() + '\n';
                for (QString row : QString::fromStdString(fourRows).split('\n', Qt::SkipEmptyParts)) {
                    for (const auto& [from, length] : {std::pair<qsizetype, qsizetype>(0, 51), {51, 24}, {75, 999}}) {
                        text += QString(label).arg(0).toStdString() + row.mid(from, length).toStdString();
                        for (int rank = 0; rank < ranks && length < 999; ++rank)
                            text += (rank ? QString(label).arg(rank % 10).toStdString() : "") + "node-0:10" +
                                    std::to_string(rank) + ":10 [0] NCCL INFO AllReduce: opCount 0 count 256 root 0\n";
                    }
                    text += '\n';
                }
                const NcclTests run = runOf(text);
                QVERIFY2(microseconds(run, false) == (std::vector<double>{20, 25, 60, 1000}), text.c_str());
                QVERIFY2(microseconds(run, true) == (std::vector<double>{19.5, 24, 58, 990}), text.c_str());
            }
    }

    void linesWrappedByANarrowWindowAreJoined() {
        for (const size_t width : {60, 72, 80, 83, 100, 110}) {
            std::string text;
            for (const QString& line :
                 QString::fromStdString(std::string(columns) + fourRows).split('\n', Qt::SkipEmptyParts))
                for (size_t at = 0; at < line.toStdString().size(); at += width)
                    text += line.toStdString().substr(at, width) + '\n';
            const NcclTests run = runOf(rankLines(8) + text + footer);
            QVERIFY2(microseconds(run, false) == (std::vector<double>{20, 25, 60, 1000}), text.c_str());
            QVERIFY2(microseconds(run, true) == (std::vector<double>{19.5, 24, 58, 990}), text.c_str());
            QVERIFY2(run.warnings.empty(), text.c_str());
        }
    }

    void theCommandBeforeATableNamesIt() {
        const std::string table = columns + fourRows + footer;
        const auto runs =
            runsOf("ls build: all_reduce_perf sendrecv_perf\n+ mpirun -np 8 ./build/all_gather_perf -b 1K\n" +
                   rankLines(8) + table + "+ mpirun -np 8 ./build/alltoall_perf\n" + rankLines(8) + table +
                   "+ ./build/hypercube_perf -g 8\n" + rankLines(8) + table);
        QCOMPARE(runs.size(), size_t(3));
        QCOMPARE(runs[0].test, NcclTest::AllGather);
        QCOMPARE(runs[1].test, NcclTest::AllToAll);
        QCOMPARE(runs[2].test, NcclTest::Unknown); // although its bandwidths are those of an all-reduce
        QCOMPARE(runs[2].testName, "hypercube");
        QVERIFY(warns(runs[2], "The test hypercube is not known"));
        QVERIFY(!warns(runs[2], "bus bandwidth of"));
    }

    void aTableOfSeveralTestsIsSeveralRuns() {
        const std::string head = "collective, ranks, size, type, redop, inplace, time, algbw, busbw, #wrong\n";
        const std::string first = "\"AllReduce\", 8, 1024, \"float\", \"sum\", 0, 20.0, 0.0512, 0.0896, \"0\"\n"
                                  "\"AllReduce\", 8, 65536, \"float\", \"sum\", 0, 25.0, 2.62144, 4.58752, \"12\"\n";
        const std::string second = "\"AllGather\", 8, 1024, \"float\", \"none\", 0, 20.0, 0.0512, 0.0448, \"0\"\n"
                                   "\"AllGather\", 8, 65536, \"float\", \"none\", 0, 25.0, 2.62144, 2.29376, \"0\"\n"
                                   "\"AllGather\", 4, 65536, \"float\", \"none\", 0, 25.0, 2.62144, 1.96608, \"0\"\n";
        const auto runs = runsOf(head + first + second);
        QCOMPARE(runs.size(), size_t(3));
        QCOMPARE(runs[0].test, NcclTest::AllReduce);
        QCOMPARE(runs[0].rows.size(), size_t(2));
        QCOMPARE(runs[0].rows[1].outOfPlace->wrong, std::optional<int64_t>(12));
        QCOMPARE(runs[1].test, NcclTest::AllGather);
        QCOMPARE(runs[1].rows.size(), size_t(2));
        QCOMPARE(runs[2].ranks, 4);
        // A cell more than there are names: not read under other names.
        QVERIFY(refusal(head + "\"AllReduce\", 1, 8, 1024, \"float\", \"sum\", 0, 20.0, 0.0512, 0.0896, \"0\"\n")
                    .find("has no rows") != std::string::npos);
        QCOMPARE(runOf(head + "\"AlltoAllv\", 8, 1024, \"float\", \"none\", 0, 20.0, 0.0512, 0.0448, \"0\"\n").testName,
                 "AlltoAllv");
        const NcclTests comma = runOf(
            "size (B);count;type;redop;root;time (us);algbw (GB/s);busbw (GB/s);#wrong;time_ip;algbw_ip;busbw_ip\n"
            "65536;16384;float;sum;-1;25,00;2,62;4,59;0;24,00;2,73;4,78\n");
        SAME(comma.rows[0].outOfPlace->busbw, 4.59e9);
        SAME(comma.rows[0].inPlace->seconds, 24e-6);
    }

    void recordsOfSeveralTestsMayTakeTurns() {
        std::string text = "[";
        for (const char* size : {"1024", "65536"})
            for (const char* test : {"AllReduce", "AllGather"})
                text += std::string(text.size() > 1 ? "," : "") + "{\"name\":\"" + test +
                        "\",\"ranks\":8,\"size\":" + size +
                        ",\"type\":\"float\",\"inPlace\":0,\"time\":20,\"algBw\":1,\"busBw\":1}";
        const auto runs = runsOf(text + "]");
        QCOMPARE(runs.size(), size_t(2));
        QCOMPARE(runs[0].rows.size(), size_t(2));
        QCOMPARE(runs[1].test, NcclTest::AllGather);
    }

    void whatTheRunSaysOfItselfIsTold() {
        std::string text = fourSizes();
        text.insert(text.find("# Avg bus"), "# Bitwise mismatches   : 4 FAILED\n");
        QVERIFY(warns(runOf(text), "The run says that it found 4 bitwise mismatches."));
        std::string times = columns;
        for (size_t at = times.find("    time"); at != std::string::npos; at = times.find("    time", at + 1))
            times.replace(at, 8, "cputime ");
        QVERIFY(warns(runOf(rankLines(8) + times + fourRows + footer), "Times are those of the host's calls (-C)"));
        std::string starred = fourRows;
        starred.replace(starred.find("      0    19.50"), 7, "  1e+00*");
        QCOMPARE(*runOf(rankLines(8) + columns + starred + footer).rows[0].outOfPlace->wrong, int64_t(1));
    }

    void millisecondsOfNccl1() {
        const NcclTests run = runOf(fileText("nccl1_ms.log"));
        QCOMPARE(run.ranks, 2);
        QCOMPARE(run.rows.size(), size_t(4));
        SAME(run.rows[0].outOfPlace->seconds, 0.5e-3);
        SAME(run.rows[0].outOfPlace->algbw, 20e9);
        QVERIFY(!warns(run, "is not size over time"));
    }

    void timesWithoutAUnitAreThoseOfTheBandwidths() {
        std::string text = fourSizes();
        const size_t units = text.find("#        (B)");
        text.erase(units, text.find('\n', units) + 1 - units);
        SAME(runOf(text).rows[0].outOfPlace->seconds, 20e-6);
    }

    void wrongValuesAreTold() {
        const NcclTests text = runOf(fileText("wrong_values.log"));
        QVERIFY(
            warns(text, "Values are wrong in 4 of 8 results, the first is 1 MiB out of place, 4096 wrong elements."));
        QVERIFY(!text.rows[1].outOfPlace->valuesWrong && text.rows[2].outOfPlace->valuesWrong);
        const NcclTests old = runOf(fileText("old_alltoall_err.log"));
        QVERIFY(warns(old, "Values are wrong in 4 of 8 results, the first is 1 KiB in place, off by 1."));
        const NcclTests json = runOf(fileText("j_nan_wrong.json"));
        QVERIFY(warns(json, "the first is 1 MiB out of place, 77 wrong elements."));
        QVERIFY(json.failed && !json.bandwidthLow);
        QVERIFY(warns(runOf(rankLines(8) + columns + fourRows +
                            "# Out of bounds values : 2 FAILED\n"
                            "# Avg bus bandwidth    : 12.3 FAILED\n"),
                      "The run says that its values are wrong: 2 results out of bounds."));
        QVERIFY(runOf(fourSizes()).warnings.empty()); // roundings and N/A are no fault
    }

    void ranksThatAreNotNamedAreToldFromBandwidths() {
        const NcclTests run = runOf(std::string(columns) + fourRows + footer);
        QCOMPARE(run.ranks, 8);
        QVERIFY(run.ranksFromBandwidths);
        QCOMPARE(run.test, NcclTest::AllReduce);
        const NcclTests one = runOf(rankLines(1) + columns + fourRows + footer);
        QCOMPARE(one.ranks, 8);
        QVERIFY(warns(one, "One rank is named, but the bus bandwidths are those of 8 ranks"));
        const NcclTests cut = runOf("# Collective test starting: all_reduce_perf\n" + rankLines(3) + "...\n" + columns +
                                    fourRows + footer);
        QCOMPARE(cut.ranks, 8);
        QVERIFY(warns(cut, "3 ranks are named, but the bus bandwidths are those of 8 ranks"));
    }

    void rowsWithoutTheirColumnNamesAreRead() {
        const NcclTests run = runOf(fourRows);
        QCOMPARE(microseconds(run, true), (std::vector<double>{19.5, 24, 58, 990}));
        QVERIFY(warns(run, "The line of column names is missing"));
    }

    void jsonOfRcclMayStandInAListAmongLines() { // as rccl-tests writes it: -Z json -x FILE
        const auto object = [](int size, int inPlace, double time, const char* wrong) {
            return QString(
                       R"({"numCycle":0, "name":"AllReduce", "nodes":1, "ranks":2, "ranksPerNode":2, "gpusPerRank":1,
 "size":%1, "type":"float", "redop":"sum", "inPlace":%2, "time":%3, "algBw":%4, "busBw":%4, "wrong":%5})")
                .arg(size)
                .arg(inPlace)
                .arg(time)
                .arg(size / time * 1e-3)
                .arg(wrong)
                .toStdString();
        };
        const std::string list = "[\n" + object(1 << 20, 0, 50, "\"0\"") + ",\n" + object(1 << 20, 1, 40, "\"3\"") +
                                 ",\n" + object(2 << 20, 0, 80, "\"0\"") + ",\n" + object(2 << 20, 1, 70, "\"N/A\"") +
                                 "\n]\n";
        for (const std::string& text :
             {list, "I 10:11:12 starting {} [0]\n" + list + "done\n", list.substr(0, list.rfind(']')), "\"\n" + list}) {
            const NcclTests run = runOf(text);
            QCOMPARE(run.form, NcclTests::Form::Json);
            QCOMPARE(run.test, NcclTest::AllReduce);
            QCOMPARE(run.ranks, 2);
            QCOMPARE(microseconds(run, false), (std::vector<double>{50, 80}));
            QCOMPARE(microseconds(run, true), (std::vector<double>{40, 70}));
            QVERIFY(warns(run, "Values are wrong in 1 of 4 results, the first is 1 MiB in place, 3 wrong elements."));
        }
    }

    void logRecordsHoldLines() { // docker's json-file, and a collector that keeps all in one string
        std::string docker, one = "{\"msg\":\"";
        const std::string text = fourSizes();
        for (size_t at = 0; at < text.size();) {
            const size_t end = text.find('\n', at);
            docker += "{\"log\":\"" + text.substr(at, end - at) +
                      "\\n\",\"stream\":\"stdout\",\"time\":\"2024-11-05T10:11:12Z\"}\n";
            one += text.substr(at, end - at) + "\\n";
            at = end + 1;
        }
        for (const std::string& log : {docker, one + "\"}\n"})
            QCOMPARE(microseconds(runOf(log), true), (std::vector<double>{19.5, 24, 58, 990}));
    }

    /// Files with pieces cut out, doubled or swapped: runs that our own table gives back row by row, or a refusal.
    void damagedFilesAreReadOrRefused() {
        std::mt19937 random(17);
        const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
        for (const QString& file : QDir(WARPLIGHT_TEST_DATA "/data/collectives").entryList(QDir::Files)) {
            const std::string whole = fileText(qPrintable(file));
            for (int round = 0; round < 60; ++round) {
                std::string text = whole;
                for (size_t changes = 1 + below(6); changes > 0 && !text.empty(); --changes) {
                    const size_t at = below(text.size()), length = std::min(below(120), text.size() - at);
                    if (const size_t how = below(4); how == 0)
                        text.erase(at, length);
                    else if (how == 1)
                        text.insert(below(text.size()), text.substr(at, length));
                    else if (how == 2)
                        text[at] = "{}[]\"#|,\n 0\x1b"[below(12)];
                    else
                        text.insert(at, "host:1:2 [0] NCCL INFO x\n");
                }
                try {
                    for (const NcclTests& run : runsOf(text))
                        QVERIFY2(runOf(formatNcclTests(run)).rows.size() == run.rows.size(),
                                 formatNcclTests(run).c_str());
                } catch (const InputError&) {
                }
            }
        }
    }
};

QTEST_GUILESS_MAIN(NcclPastedTest)
#include "nccl_pasted_test.moc"
