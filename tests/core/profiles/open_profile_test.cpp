// SPDX-License-Identifier: GPL-3.0-or-later
// Profiles as the tools write them (tests/data/profiles/make_files.py), against what Python's readers find in them.
#include "core/error.h"
#include "core/profiles/kernel_names.h"
#include "core/profiles/kernel_summary.h"
#include "core/profiles/open_profile.h"

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cmath>

using namespace warplight;
using namespace warplight::profiles;

namespace {

const std::string folder = WARPLIGHT_TEST_DATA "/data/profiles/";

Profile open(const std::string& name) { return openProfile(folder + name); }

QByteArray bytesOf(const std::string& name) {
    QFile in(QString::fromStdString(folder + name));
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
}

QJsonObject expected() { return QJsonDocument::fromJson(bytesOf("expected.json")).object(); }

Profile read(const QByteArray& bytes) {
    TextSource source({bytes.constData(), static_cast<size_t>(bytes.size())});
    return readProfile(source, {"memory", nullptr, {}});
}

/// The sentence that reading fails with; empty if it does not.
std::string refusalOf(const QByteArray& bytes) {
    try {
        read(bytes);
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}
std::string refusal(const std::string& name) {
    try {
        open(name);
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

bool warns(const Profile& profile, std::string_view words) {
    return std::any_of(profile.warnings.begin(), profile.warnings.end(),
                       [&](const std::string& warning) { return warning.find(words) != std::string::npos; });
}

} // namespace

class OpenProfileTest : public QObject {
    Q_OBJECT
  private slots:
    void launchesAndTimesAreThoseThatPythonFinds_data() {
        QTest::addColumn<QString>("file");
        const QJsonObject files = expected();
        QVERIFY(files.size() >= 13);
        for (const QString& file : files.keys())
            QTest::newRow(qPrintable(file)) << file;
    }
    void launchesAndTimesAreThoseThatPythonFinds() {
        QFETCH(QString, file);
        const QJsonObject wanted = expected()[file].toObject();
        const Profile profile = open(file.toStdString());
        const QJsonObject kernels = wanted["kernels"].toObject();
        const auto summaries = summariseKernels(profile);
        QCOMPARE(static_cast<qsizetype>(summaries.size()), kernels.size());
        for (const KernelSummary& summary : summaries) {
            const QString name = QString::fromStdString(profile.names[summary.name]);
            QVERIFY2(kernels.contains(name), qPrintable(name));
            QCOMPARE(summary.launches, kernels[name].toObject()["launches"].toInteger());
            QCOMPARE(summary.total, kernels[name].toObject()["ns"].toInteger());
        }
        const QJsonObject categories = wanted["categories"].toObject();
        for (const QString& name : categories.keys()) {
            const Category& category = profile.categories.at(name.toStdString());
            QCOMPARE(category.events, categories[name].toObject()["launches"].toInteger());
            QCOMPARE(category.time, categories[name].toObject()["ns"].toInteger());
        }
    }

    void ncuDetailsKnowTheirLabels() {
        const Profile profile = open("ncu_details.csv");
        QCOMPARE(profile.tool, std::string("Nsight Compute"));
        const KernelRecord& launch = profile.records[1];
        QCOMPARE(profile.nameOf(launch),
                 std::string_view("void gemm_kernel<float, 128, (int)8>(const float *, const float *, float *, int)"));
        QCOMPARE(launch.grid, (Extent{64, 64, 1}));
        QCOMPARE(launch.block, (Extent{256, 1, 1}));
        QCOMPARE(launch.registers, 128);
        QCOMPARE(launch.sharedBytes, int64_t{16384});
        const Figures& figures = *profile.figuresOf(launch);
        QCOMPARE(*figures.occupancy, 0.375);
        QCOMPARE(*figures.computeShare, 0.6125);
        // A rate of bytes times the duration: as exact as the printed rate.
        QVERIFY(std::fabs(*figures.dramTotal() - (33554432 + 8388608)) < 1e-3);
    }

    void ncuMetricsConvertUnits() {
        const Profile profile = open("ncu_metrics.csv");
        const Figures& figures = *profile.figuresOf(profile.records[2]);
        QCOMPARE(*figures.dramReadBytes, 27000000.0);
        QCOMPARE(*figures.dramWrittenBytes, 16000001.0);
        QCOMPARE(*figures.l2SectorsRead, 843750.0);
        QCOMPARE(*figures.bankConflicts, 1024.0);
        QCOMPARE(*figures.f32Flops, 1000000 + 2000000 + 2 * 4294967296.0);
        QCOMPARE(*figures.flops(), *figures.f32Flops);
        QCOMPARE(profile.records[0].grid, Extent{}); // this older header has no grid
    }

    void europeanNumbersReadAsMeant() {
        const Profile profile = open("ncu_european.csv");
        QCOMPARE(profile.records[1].duration, int64_t{117344});
        QCOMPARE(*profile.figuresOf(profile.records[0])->dramReadBytes, 27595520.0);
        QVERIFY(profile.warnings.empty());
    }

    void doubtfulNumbersAreSaid() {
        const Profile profile = open("ncu_ambiguous.csv");
        QCOMPARE(profile.records[0].duration, int64_t{2848});
        QVERIFY(warns(profile, "--print-units base"));
        const Profile strange = open("ncu_strange_unit.csv");
        QVERIFY(warns(strange, "fortnight"));
        QVERIFY(warns(strange, "1,5x"));
        QVERIFY(warns(strange, "no duration"));
    }

    void rawPageHasItsUnitsInASecondRow() {
        const Profile profile = open("ncu_raw.csv");
        QCOMPARE(profile.records.size(), size_t{3});
        QCOMPARE(profile.gpu, std::string("NVIDIA A100-SXM4-80GB"));
        QCOMPARE(profile.records[2].duration, int64_t{1195002});
        QCOMPARE(*profile.figuresOf(profile.records[2])->dramWrittenBytes, 16000001.0);
        QCOMPARE(profile.records[0].sharedBytes, int64_t{49152});
        // Tensor core instructions of unknown shape are no FLOPs.
        QVERIFY(!profile.figuresOf(profile.records[1])->flops());
        QVERIFY(warns(profile, "tensor core instructions"));
    }

    void nsysRowsKeepPlaceSizeAndOrder() {
        for (const char* file : {"nsys_gpu_trace.csv", "nsys_gpu_trace_usec.csv"}) {
            const Profile profile = open(file);
            QCOMPARE(profile.records.size(), size_t{5});
            QCOMPARE(profile.gpu, std::string("NVIDIA A100-SXM4-80GB"));
            const KernelRecord &copy = profile.records[0], &attention = profile.records[3];
            QCOMPARE(static_cast<int>(copy.kind), static_cast<int>(KernelRecord::Kind::Copy));
            QCOMPARE(copy.start, int64_t{9000001});
            QCOMPARE(copy.bytes, 33554000.0);
            QCOMPARE(copy.stream, int64_t{13});
            QCOMPARE(copy.device, 1);
            QCOMPARE(attention.start, int64_t{9961685});
            QCOMPARE(attention.grid, (Extent{1, 1, 2304}));
            QCOMPARE(attention.registers, 160);
            QCOMPARE(attention.sharedBytes, int64_t{25000});
        }
    }

    void nsysSumsHaveNoLaunches() {
        const Profile profile = open("nsys_kern_sum.csv");
        QVERIFY(profile.records.empty());
        QCOMPARE(*profile.totals[1].median, 265112.0);
        QCOMPARE(*profile.totals[1].maximum, 265888.0);
        QVERIFY(!open("nsys_kern_sum_old.csv").totals[1].median);
        QVERIFY(open("nsys_both.csv").totals.empty()); // single launches tell more
    }

    void kinetoArgumentsAreKept() {
        const Profile profile = open("kineto.json");
        QCOMPARE(profile.tool, std::string("PyTorch"));
        QCOMPARE(profile.gpu, std::string("NVIDIA A100-SXM4-80GB"));
        QCOMPARE(profile.records.size(), size_t{8});
        const KernelRecord& copy = profile.records[0];
        QCOMPARE(copy.start, 1790857026000000000 + 4778453014412000);
        QCOMPARE(copy.bytes, 409600.0);
        const KernelRecord& flash = profile.records[3];
        QCOMPARE(flash.duration, int64_t{100003});
        QCOMPARE(flash.sharedBytes, int64_t{49152});
        QCOMPARE(flash.registers, 255);
        const KernelRecord& late = profile.records[5]; // its args came before its category
        QCOMPARE(late.grid, (Extent{4096, 2, 1}));
        QCOMPARE(late.stream, int64_t{7});
        const Collective& collective = *profile.collectiveOf(profile.records[4]);
        QCOMPARE(collective, (Collective{"allreduce", 8388608, 8388608, "BFloat16", 4}));
    }

    void ranksThatWereMergedIntoOneTraceKeepTheirGpus() {
        const auto kernel = [](const char* pid, const char* name, int start, int duration, const char* args) {
            return QByteArray("{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"") + name + "\",\"pid\":" + pid +
                   ",\"ts\":" + QByteArray::number(start) + ",\"dur\":" + QByteArray::number(duration) + ",\"args\":{" +
                   args + "\"stream\":7}}";
        };
        // On rank 0 a product follows 100 µs of communication, on rank 8 one of 10 µs stands between two: nothing of
        // it is hidden on either GPU, though products of one run while the other communicates.
        const auto merged = [&](const char* first, const char* second, const char* args) {
            return read("[" + kernel(first, "ncclDevKernel_AllReduce", 1000, 100, args) + "," +
                        kernel(first, "gemm", 1100, 100, args) + "," + kernel(second, "gemm", 1000, 90, args) + "," +
                        kernel(second, "ncclDevKernel_AllReduce", 1090, 10, args) + "," +
                        kernel(second, "gemm", 1100, 100, args) + "]");
        };
        struct Row {
            const char *first, *second, *args, *label0, *label1;
        };
        for (const Row& row :
             {Row{"\"[TP00] 0\"", "\"[TP08] 0\"", "\"device\":0,", "GPU 0 of [TP00]", "GPU 0 of [TP08]"},
              {"\"rank0 GPU 0\"", "\"rank1 GPU 0\"", "", "GPU 0 of rank0", "GPU 0 of rank1"},
              {"\"rank 0\"", "\"rank 1\"", "\"device\":0,", "GPU 0 of rank 0", "GPU 0 of rank 1"},
              {"0", "1000", "\"device\":0,", "GPU 0", "GPU 0 of process 1000"}}) {
            const Profile profile = merged(row.first, row.second, row.args);
            QCOMPARE(overlapOf(profile).communication, int64_t{110000});
            QCOMPARE(overlapOf(profile).exposed, int64_t{110000});
            QCOMPARE(profile.gpuLabel(0), std::string(row.label0));
            QCOMPARE(profile.gpuLabel(1), std::string(row.label1));
        }
        // Ranks of one machine count its GPUs alike: they keep their numbers.
        const Profile machine = read("[" + kernel("\"[TP03] 3\"", "gemm", 1, 1, "\"device\":3,") + "," +
                                     kernel("\"[TP02] 2\"", "gemm", 2, 1, "\"device\":2,") + "]");
        QCOMPARE(machine.records[0].device, 3);
        QCOMPARE(machine.gpuLabel(3), std::string("GPU 3 of [TP03]"));
        // A trace of one process, whatever it calls itself, has GPUs by number alone.
        for (const char* pid : {"2", "\"2\"", "\"[TP02] 2\"", "4711"}) {
            const Profile one = read("[" + kernel(pid, "gemm", 1, 1, "\"device\":2,") + "]");
            QCOMPARE(one.records[0].device, 2);
            QVERIFY(one.gpuLabels.empty());
        }
        const Profile two =
            read("[" + kernel("0", "gemm", 1, 1, "\"device\":0,") + "," + kernel("1", "gemm", 2, 1, "") + "]");
        QCOMPARE(two.records[1].device, 1);
        QVERIFY(two.gpuLabels.empty());
    }

    void absoluteTimesKeepTheirNanoseconds() {
        const Profile profile = open("kineto_bare.json");
        QCOMPARE(profile.records[0].start, int64_t{1712361600000123457});
        QCOMPARE(profile.records[1].start, int64_t{1712361600000130000});
        QCOMPARE(profile.records[1].stream, int64_t{9}); // of args: the tid is a text
        QCOMPARE(profile.records[2].start, int64_t{1712361600000200250});
        QCOMPARE(profile.records[2].duration, int64_t{10000});
    }

    void damageCostsOnlyWhatItHit() {
        const Profile broken = open("kineto_broken.json");
        QCOMPARE(broken.records.size(), size_t{3}); // two before and one behind the name with bare quotes
        QVERIFY(warns(broken, "no JSON"));
        const Profile cut = open("kineto_cut.json");
        QCOMPARE(cut.records.size(), size_t{5});
        QVERIFY(warns(cut, "ends early, at byte 2576"));
        const Profile packed = open("kineto_cut.json.gz");
        QVERIFY(packed.records.size() == 932 || packed.records.size() == 933); // as many as Python unpacks
        QVERIFY(warns(packed, "The gzip file is cut"));
    }

    void everyCutOfATraceIsReadAsFarAsItGoes() {
        const QByteArray whole = bytesOf("kineto.json");
        const qsizetype events = whole.indexOf("\"traceEvents\": [") + 16;
        size_t before = 0;
        for (qsizetype size = events; size < whole.size(); ++size) {
            const size_t found = read(whole.left(size)).records.size();
            QVERIFY(found == before || found == before + 1);
            before = found;
        }
        QCOMPARE(before, size_t{8});
    }

    void countersOfCuptiAreFigures() {
        const Profile profile = open("kineto_cupti.json");
        QCOMPARE(profile.records.size(), size_t{2});
        QCOMPARE(*profile.figuresOf(profile.records[1])->dramTotal(), 6291456.0);
        QCOMPARE(*profile.figuresOf(profile.records[1])->flops(), 201010.0);
        QCOMPARE(ourKernel(profile.nameOf(profile.records[0]))->family, std::string("bandwidth"));
        // Kineto deals the session's time out evenly among ranges: no measurement.
        for (const KernelRecord& record : profile.records)
            QVERIFY(!record.lasts() && !record.timed());
        QVERIFY(warns(profile, "without a measured time"));
        // A counter may measure it.
        const Profile measured =
            read("[{\"ph\":\"X\",\"cat\":\"cuda_profiler_range\",\"name\":\"k\",\"ts\":1,\"dur\":9,"
                 "\"args\":{\"gpu__time_duration.sum\":2500}}]");
        QCOMPARE(measured.records[0].duration, int64_t{2500});
        QVERIFY(!measured.records[0].timed() && measured.warnings.empty());
        // Kernels have times of their own.
        const Profile both = read("[{\"ph\":\"X\",\"cat\":\"cuda_profiler_range\",\"name\":\"k\",\"ts\":1,\"dur\":9},"
                                  "{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":1,\"dur\":2}]");
        QCOMPARE(both.records.size(), size_t{1});
        QCOMPARE(both.records[0].duration, int64_t{2000});
        QVERIFY(warns(both, "1 profiler range."));
    }

    void theRangeOfTheWholeSessionIsNoKernel() {
        // Kineto's default: one range over everything.
        const QByteArray session = "{\"ph\":\"X\",\"cat\":\"cuda_profiler_range\",\"name\":\"__profile__\",\"ts\":1,"
                                   "\"dur\":9,\"args\":{\"smsp__sass_thread_inst_executed_op_ffma_pred_on.sum\":500,"
                                   "\"dram__bytes_read.sum\":300,\"dram__bytes_write.sum\":100}}",
                         range = "{\"ph\":\"X\",\"cat\":\"cuda_profiler_range\",\"name\":\"gemm\",\"ts\":1,\"dur\":9,"
                                 "\"args\":{\"dram__bytes_read.sum\":30,\"dram__bytes_write.sum\":10}}",
                         kernel = "{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"gemm\",\"ts\":1,\"dur\":2}";
        const std::string alone = refusalOf("[" + session + "," + session + "]");
        for (const char* words : {"holds no GPU kernel but the range __profile__", "counters of the whole session",
                                  "800 bytes from and to DRAM, 2000 FLOPs", "profiler_measure_per_kernel=True"})
            QVERIFY2(alone.find(words) != std::string::npos, words);
        for (const QByteArray& other : {range, kernel}) {
            const Profile profile = read("[" + session + "," + other + "]");
            QCOMPARE(profile.records.size(), size_t{1});
            QCOMPARE(profile.nameOf(profile.records[0]), std::string_view("gemm"));
            QVERIFY(warns(profile, "the range __profile__") && warns(profile, "400 bytes from and to DRAM"));
        }
        QCOMPARE(*read("[" + session + "," + range + "]").figures.at(0).dramTotal(), 40.0);
    }

    void kernelsThatBeginAndEndApartAreSaid() {
        const QByteArray pair = "{\"ph\":\"B\",\"cat\":\"kernel\",\"name\":\"gemm\",\"ts\":1},"
                                "{\"ph\":\"E\",\"cat\":\"kernel\",\"name\":\"gemm\",\"ts\":3}",
                         call = "{\"ph\":\"B\",\"cat\":\"cpu_op\",\"name\":\"mm\",\"ts\":1},"
                                "{\"ph\":\"E\",\"cat\":\"cpu_op\",\"name\":\"mm\",\"ts\":3}",
                         whole = "{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"relu\",\"ts\":1,\"dur\":2}";
        QVERIFY(refusalOf("[" + pair + "," + pair + "]")
                    .find("holds no GPU kernel but 2 events of GPUs as pairs of beginning and end") !=
                std::string::npos);
        const Profile mixed = read("[" + pair + "," + whole + "]");
        QCOMPARE(mixed.records.size(), size_t{1});
        QVERIFY(warns(mixed, "Left out: 1 event of a GPU as a pair of beginning and end (ph B and E)"));
        QVERIFY(read("[" + call + "," + whole + "]").warnings.empty());
    }

    void eventsWithoutATimeAreListedWithoutOne() {
        const Profile profile = read("[{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":1},"
                                     "{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":5,\"dur\":2}]");
        const auto summaries = summariseKernels(profile);
        QCOMPARE(summaries.at(0).launches, int64_t{2});
        QCOMPARE(*summaries[0].mean, 2000.0);
        QVERIFY(warns(profile, "1 event of a GPU has no start or no duration"));
    }

    void namesOfAnyBytesAreText() {
        const Profile profile = open("kineto_utf8.json");
        QCOMPARE(profile.records.size(), size_t{3});
        for (const std::string& name : profile.names)
            QVERIFY(QString::fromStdString(name).toStdString() == name);
    }

    void aTraceOfTheCpuHasNoKernels() {
        const Profile profile = open("cpu_real.json.gz");
        QVERIFY(profile.records.empty());
        QVERIFY(warns(profile, "no GPU kernel"));
    }

    void refusalsNameFilePlaceAndWhatWasExpected() {
        QCOMPARE(refusal("nowhere.json"),
                 folder + "nowhere.json: No such file or directory, expected a profile that can be read");
        QVERIFY(
            refusal("ncu_no_value.csv").find("line 1 has no column \"Metric Value\", expected") != std::string::npos ||
            refusal("ncu_no_value.csv").find("line 2 has no column \"Metric Value\", expected") != std::string::npos);
        QVERIFY(refusal("nsys_no_duration.csv").find("has Total Time in \"furlongs\", expected a unit of time") !=
                std::string::npos);
        QVERIFY(refusal("no_kernels.json").find("holds no traceEvents, expected a Chrome or PyTorch trace") !=
                std::string::npos);
        QVERIFY(refusal("make_files.py").find("none of its ") != std::string::npos);
        QVERIFY(refusal(".").find("is a folder") != std::string::npos);
        QVERIFY_THROWS_EXCEPTION(InputError, read(""));
        QVERIFY_THROWS_EXCEPTION(InputError, read("{\"traceEvents\""));
        QVERIFY_THROWS_EXCEPTION(InputError, read("\xFF\xFEI\0D\0"));
        for (const auto& [bytes, what] :
             {std::pair("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a pointer of Git LFS"),
              {"\n<!DOCTYPE html>\n<html>", "is a page of HTML"},
              {"NVIDIA Tegra Profiler Report Version 1.0", "is a recording of Nsight Systems"},
              {"SQLite format 3", "is an SQLite database"}})
            try {
                read(bytes);
                QFAIL(what);
            } catch (const InputError& error) {
                QVERIFY2(std::string(error.what()).find(what) != std::string::npos, error.what());
            }
    }

    void otherFilesAreNamedForWhatTheyAre() {
        for (const auto& [bytes, what] :
             {std::pair("<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
                        "is an HTML or XML page (\"<?xml version=\"1.0\"?> <Error>"),
              {"<!-- x --><!DOCTYPE html>\n<html>", "is an HTML or XML page"},
              {"\x93NUMPY\x01", "is a .npy array"},
              {"  \n\n", "is nothing but blanks"},
              {"{\"message\":\"Not Found\",\"status\":\"404\"}",
               "it holds the message \"Not Found\", as servers answer"},
              {"{\"error\":{\"code\":404,\"message\":\"No such object\"}}", "it holds the message \"No such object\""},
              {"{\"error\":\"Repository not found\"}", "it holds the message \"Repository not found\""}})
            QVERIFY2(refusalOf(bytes).find(what) != std::string::npos, refusalOf(bytes).c_str());
        // What a program printed is text, and a tag in front of a table is none of a page.
        QVERIFY(refusalOf("one").find("none of its 1 line heads") != std::string::npos);
        QVERIFY(refusalOf("one\ntwo").find("none of its 2 lines head") != std::string::npos);
        QVERIFY(refusalOf("<string>:1: DeprecationWarning: x\ntwo").find("none of its 2 lines") != std::string::npos);
        QVERIFY(refusalOf("one\ntwo\n").find("none of its 2 lines head") != std::string::npos);
        QCOMPARE(read("<info> begin\nTime (%),Total Time (ns),Instances,Name\n100,6,3,k\n").totals.size(), size_t{1});
    }

    void theKindIsSeenWhateverTheName() {
        QTemporaryDir temporary;
        const QString file = temporary.filePath("profile.txt");
        for (const char* name : {"kineto.json.gz", "ncu_raw.csv", "nsys_gpu_trace.csv"}) {
            QFile::remove(file);
            QVERIFY(QFile::copy(QString::fromStdString(folder + name), file));
            QCOMPARE(openProfile(file.toStdString()).records.size(), open(name).records.size());
        }
    }

    void readingStopsWhenAskedAndTellsHowFarItIs() {
        QByteArray events = "[{}";
        for (int i = 0; i < 60000; ++i)
            events += ",{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":1,\"dur\":1}";
        events += "]";
        TextSource source({events.constData(), static_cast<size_t>(events.size())});
        std::vector<double> told;
        QCOMPARE(readProfile(source, {"memory", nullptr, [&](double f) { told.push_back(f); }}).records.size(),
                 size_t{60000});
        QVERIFY(told.size() >= 3 && std::is_sorted(told.begin(), told.end()));
        QVERIFY(told.front() == 0 && told.back() > 0.8 && told.back() <= 1);
        const std::atomic<bool> cancel = true;
        TextSource again({events.constData(), static_cast<size_t>(events.size())});
        QVERIFY_THROWS_EXCEPTION(Cancelled, readProfile(again, {"memory", &cancel, {}}));
    }
};

QTEST_GUILESS_MAIN(OpenProfileTest)
#include "open_profile_test.moc"
