// SPDX-License-Identifier: GPL-3.0-or-later
// The JSON of nccl-tests (-J), tables in markdown, and the table that we write.
#include "tests/core/collectives/nccl_texts.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

using namespace warplight;
using namespace warplight::test;

namespace {

std::string json(const std::string& results, const std::string& end = R"("end_time":"2026-08-01 10:00:09")") {
    return R"({"version":3,"start_time":"2026-08-01 10:00:00","args":["./build/all_reduce_perf","-b","8","--token=tok3n"],
"env":["PATH=\/usr\/bin","AWS_SECRET_ACCESS_KEY=s3cr3t"],"nccl_version":22907,
"config":{"nthreads":1,"ngpus":4,"minimum_bytes":8,"maximum_bytes":16777216,"step_factor":2,"blocking_collectives":"false",
"devices":[{"rank":0,"group":0,"pid":11,"hostname":"node-a","device":0,"device_hex":"0000:04:00","device_info":"NVIDIA H100 80GB HBM3"},
{"rank":4,"group":0,"pid":12,"hostname":"node-b","device":0,"device_hex":"0000:04:00","device_info":"NVIDIA H100 80GB HBM3"}]},
"results":[)" +
           results +
           R"(],"out_of_bounds":{"count":0,"okay":"true"},"average_bus_bandwidth":{"bandwidth":242.855000,"okay":"unchecked"},
"errors":[""],)" +
           end + "}";
}
constexpr const char* jsonRow =
    R"({"size":16777216,"count":4194304,"type":"float","redop":"sum","root":"    -1",
"out_of_place":{"time":121.330000,"alg_bw":138.277558,"bus_bw":241.985726,"nwrong":0.000000},
"in_place":{"time":120.470000,"alg_bw":139.264680,"bus_bw":243.713190,"nwrong":null},"actual_iterations":20,"experiment_name":"x"})";

} // namespace

class NcclJsonTest : public QObject {
    Q_OBJECT
  private slots:
    // ---- JSON

    void severalDocumentsInOne() {
        const std::string one = json(jsonRow);
        for (const std::string& text : {"[" + one + "," + one + "]", "{\"a{\": " + one + ", \"b\": " + one + "}"}) {
            const auto runs = runsOf(text);
            QCOMPARE(runs.size(), size_t(2));
            for (const NcclTests& run : runs) {
                QCOMPARE(run.test, NcclTest::AllReduce);
                QCOMPARE(run.version, "format 3");
                QCOMPARE(run.rows.size(), size_t(1));
            }
        }
    }

    void jsonSaysTheSameAsText() {
        const NcclTests run = runOf(json(jsonRow));
        QCOMPARE(run.form, NcclTests::Form::Json);
        QCOMPARE(run.version, "format 3");
        QCOMPARE(run.ncclVersion, "2.29.7");
        QCOMPARE(run.test, NcclTest::AllReduce);
        const NcclRow& row = run.rows.at(0);
        QCOMPARE(row.bytes, int64_t(16777216));
        QCOMPARE(row.count, int64_t(4194304));
        QCOMPARE(row.redop, "sum");
        QVERIFY(!row.root);
        SAME(row.outOfPlace->seconds, 121.33e-6);
        SAME(row.outOfPlace->busbw, 241.985726e9);
        QCOMPARE(row.outOfPlace->wrong, std::optional<int64_t>(0));
        QVERIFY(!row.inPlace->wrong);
        QCOMPARE(row.iterations, std::optional<int64_t>(20));
        QCOMPARE(run.outOfBounds, std::optional<int64_t>(0));
        SAME(*run.averageBusBandwidth, 242.855e9);
        QVERIFY2(run.warnings.empty(), run.warnings.empty() ? "" : run.warnings[0].c_str());
        QVERIFY(!run.truncated);
    }

    void oneDeviceIsListedForEachProcess() { // -g 4: two processes are eight ranks
        const NcclTests run = runOf(json(jsonRow));
        QCOMPARE(run.ranks, 8);
        QCOMPARE(run.hosts, 2);
        QCOMPARE(run.devices.at(0).count, 8);
    }

    void neitherEnvironmentNorArgumentsAreKept() {
        const NcclTests run = runOf(json(jsonRow));
        std::string all = formatNcclTests(run) + run.source + run.version + run.ncclVersion;
        for (const std::string& warning : run.warnings)
            all += warning;
        for (const NcclTests::Device& device : run.devices)
            all += device.name;
        for (const NcclRow& row : run.rows)
            all += row.type + row.redop;
        for (const char* secret : {"s3cr3t", "AWS", "PATH", "tok3n"})
            QVERIFY(all.find(secret) == std::string::npos);
    }

    void nanNullAndCpuTimeAreRead() {
        const NcclTests run = runOf(json(
            R"({"size":8,"count":2,"type":"float","redop":"sum","root":"     0","out_of_place":null,
"in_place":{"cpu_time":12.870000,"alg_bw":"nan","bus_bw":"nan","nwrong":"nan"}},
{"size":16,"count":4,"type":"float","redop":"sum","root":"-1","out_of_place":{"time":"nan","alg_bw":1.0,"bus_bw":1.0,"nwrong":1.0},"in_place":null})"));
        QCOMPARE(run.rows.size(), size_t(2));
        QVERIFY(!run.rows[0].outOfPlace && run.rows[0].inPlace->cpuTime);
        QCOMPARE(run.rows[0].root, std::optional<int>(0));
        QVERIFY(std::isnan(run.rows[0].inPlace->busbw) && !run.rows[0].inPlace->wrong);
        QVERIFY(!run.rows[1].outOfPlace && !run.rows[1].inPlace);
    }

    void perIterationObjectsAreRead() {
        std::string row = jsonRow;
        row.insert(
            row.find("\"actual_iterations\""),
            R"("out_of_place_per_iter":{"skipped_iterations":0,"min_us":119.0,"max_us":130.5,"avg_us":121.3,"p50_us":121.0,
"p95_us":125.0,"p99_us":129.0,"stdev_us":3.0,"cv_pct":2.5,"times_us":[119.0,130.5],"per_process_max_times_us":[[1.0],[2.0]]},)");
        const NcclTests run = runOf(json(row));
        SAME(run.rows.at(0).outOfPlace->spread->min, 119e-6);
        SAME(run.rows[0].outOfPlace->spread->p99, 129e-6);
        SAME(run.rows[0].outOfPlace->spread->variation, 0.025);
        QVERIFY(!run.rows[0].inPlace->spread);
    }

    void jsonOfARunThatDiedKeepsItsResults() {
        const NcclTests noEnd = runOf(json(jsonRow, R"("x":1)"));
        QVERIFY(noEnd.truncated && warns(noEnd, "there is no \"end_time\""));
        const std::string whole = json(std::string(jsonRow) + "," + jsonRow);
        const NcclTests cut = runOf(whole.substr(0, whole.rfind("\"in_place\"")));
        QCOMPARE(cut.rows.size(), size_t(1));
        QCOMPARE(cut.ranks, 8);
        QVERIFY(cut.truncated);
    }

    void errorsOfNcclAreTold() {
        std::string text = json(jsonRow);
        text.replace(text.find(R"("errors":[""])"), 13, R"("errors":["NET/IB : no route"])");
        QVERIFY(warns(runOf(text), "NCCL told an error: NET/IB : no route."));
    }

    void wrongBandwidthsOfJsonAreFlaggedToo() {
        std::string text = json(jsonRow);
        text.replace(text.find("241.985726"), 10, "138.277558");
        QVERIFY(warns(runOf(text), "result 1 says 138.3 GB/s, its time and 8 ranks make 242"));
    }

    // ---- markdown

    void theBenchOfMlEngineeringIsRead() { // stas00/ml-engineering: 8 x H200, 4 x H100
        const NcclTests run = runOf("- hardware: _CudaDeviceProperties(name='NVIDIA H200', major=9, minor=0)\n\n"
                                    "The average bandwidth of all_reduce over 8 ranks (5 warmups / 20 trials):\n\n"
                                    "| payload |    busbw   |    algbw   |\n"
                                    "| ------: | ---------: | ---------: |\n"
                                    "|   32KiB |   1.44GBps |   0.82GBps |\n"
                                    "|   64MiB | 346.51GBps | 198.01GBps |\n"
                                    "|   16GiB | 482.26GBps | 275.58GBps |\n");
        QCOMPARE(run.form, NcclTests::Form::Markdown);
        QCOMPARE(run.test, NcclTest::AllReduce);
        QCOMPARE(run.ranks, 8);
        QCOMPARE(run.devices.at(0).name, "NVIDIA H200");
        QCOMPARE(run.rows.size(), size_t(3));
        QCOMPARE(run.rows[0].bytes, int64_t(32) << 10);
        QCOMPARE(run.rows[1].bytes, int64_t(64) << 20);
        QCOMPARE(run.rows[2].bytes, int64_t(16) << 30);
        SAME(run.rows[1].timing()->busbw, 346.51e9);
        SAME(run.rows[1].timing()->algbw, 198.01e9);
        SAME(run.rows[1].timing()->seconds, double(64 << 20) / 198.01e9);
        QVERIFY2(run.warnings.empty(), run.warnings.empty() ? "" : run.warnings[0].c_str());
    }

    void atableAloneIsEnoughAndColumnsAreFoundByName() {
        const NcclTests run = runOf("| payload | busbw | algbw |\n|---|---|---|\n| 32KB | 0.92GBps | 0.48GBps |\n");
        QCOMPARE(run.ranks, 0);
        QCOMPARE(run.rows.at(0).bytes, int64_t(32768));
        const NcclTests newer =
            runOf("| payload |    busbw   |    algbw   | latency median |    p99    |    mean   | calls |\n"
                  "| ------: | ---------: | ---------: | -------------: | --------: | --------: | ----: |\n"
                  "|    4KiB |            |            |           21us |      25us |      22us |   100 |\n"
                  "|    1MiB |  34.50GBps |  23.00GBps |           21us |      25us |      22us |   100 |\n");
        QCOMPARE(newer.rows.size(), size_t(2));
        QVERIFY(!newer.rows[0].timing());
        SAME(newer.rows[1].timing()->busbw, 34.5e9);
    }

    void markdownThatDoesNotFitIsTold() {
        const NcclTests run = runOf("The average bandwidth of all_reduce over 4 ranks (5 warmups / 20 trials):\n"
                                    "| payload | busbw | algbw |\n|---|---|---|\n| 1MiB | 34.50GBps | 23.00GBps |\n"
                                    "| 2MiB | 60.60Gbps | 40.40GBps |\n| 4MiB | 199.65GBps | 66.43GBps |\n");
        QCOMPARE(run.rows.size(), size_t(2)); // gigabits are not gigabytes
        QVERIFY(warns(run, "1 of its lines is no whole row and is left out: line 5."));
        QVERIFY(warns(run, "line 6 says 199.7 GB/s, its time and 4 ranks make 99.6"));
    }

    // ---- our own

    void ourTableIsReadBackToThreeDigits() {
        NcclTests run;
        run.test = NcclTest::ReduceScatter;
        run.ranks = 3;
        run.devices = {{"cpu thread", 2}, {"NVIDIA L4", 1}};
        run.comments = {"ring, Baidu's chunks\nbetween threads"};
        for (const double seconds : {3.2e-6, 1.234567e-3, 2.5, 4.0e-9, 1234.5}) {
            NcclRow row;
            row.bytes = 3'000'000;
            row.count = 750'000;
            row.type = "float";
            row.redop = "max";
            NcclTiming t;
            t.seconds = seconds;
            t.algbw = double(row.bytes) / seconds;
            t.busbw = t.algbw * 2 / 3;
            t.wrong = seconds > 1 ? 7 : 0;
            row.inPlace = t;
            if (seconds < 1e-3) {
                t.wrong.reset();
                row.outOfPlace = t;
            }
            run.rows.push_back(row);
        }
        const std::string text = formatNcclTests(run);
        const NcclTests back = runOf(text);
        QCOMPARE(back.warnings.size(), size_t(1));
        QVERIFY(warns(back, "Values are wrong in 2 of 7 results, the first is 3000000 B in place, 7 wrong elements."));
        QCOMPARE(back.test, NcclTest::ReduceScatter);
        QCOMPARE(back.ranks, 3);
        QCOMPARE(back.devices.size(), size_t(2));
        QCOMPARE(back.devices[1].name, "NVIDIA L4");
        QCOMPARE(back.rows.size(), run.rows.size());
        double sum = 0;
        int results = 0;
        for (size_t i = 0; i < back.rows.size(); ++i) {
            const NcclRow &a = run.rows[i], &b = back.rows[i];
            QCOMPARE(b.bytes, a.bytes);
            QCOMPARE(b.count, a.count);
            QCOMPARE(b.type, a.type);
            QCOMPARE(b.redop, a.redop);
            QCOMPARE(b.root, a.root);
            QCOMPARE(b.outOfPlace.has_value(), a.outOfPlace.has_value());
            QCOMPARE(b.inPlace->wrong, a.inPlace->wrong);
            for (const auto& [x, y] :
                 {std::pair{b.inPlace->seconds, a.inPlace->seconds}, std::pair{b.inPlace->algbw, a.inPlace->algbw},
                  std::pair{b.inPlace->busbw, a.inPlace->busbw}})
                QVERIFY2(std::fabs(x - y) <= 5e-3 * y, text.c_str());
            sum += a.inPlace->busbw + (a.outOfPlace ? a.outOfPlace->busbw : 0);
            results += a.outOfPlace ? 2 : 1;
        }
        QCOMPARE(back.outOfBounds, std::optional<int64_t>(2));
        QVERIFY(std::fabs(*back.averageBusBandwidth - sum / results) < 1e-5 * sum / results);
    }

    void ourTableLooksLikeTheirs() {
        const NcclTests run = runOf(plain());
        const std::string text = formatNcclTests(run);
        for (const char* line : {"# Collective test starting: all_reduce\n",
                                 "#       size         count      type   redop    root     time   algbw   busbw  "
                                 "#wrong     time   algbw   busbw  #wrong\n",
                                 "\n    16777216       4194304     float     sum      -1   121.33  138.28  242.00      "
                                 " 0   120.47  139.26  243.71       0\n",
                                 "# Out of bounds values : 0 OK\n", "# Avg bus bandwidth    : 242.855 \n"})
            QVERIFY2(text.find(line) != std::string::npos, text.c_str());
    }
};

QTEST_GUILESS_MAIN(NcclJsonTest)
#include "nccl_json_test.moc"
