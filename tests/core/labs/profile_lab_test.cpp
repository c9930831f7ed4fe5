// SPDX-License-Identifier: GPL-3.0-or-later
// The page "GPU profile": what it shows of files of every kind, and of its own example.
#include "core/error.h"
#include "core/lab/record.h"
#include "core/labs/profile/profile_figures.h"
#include "core/labs/profile/profile_lab.h"
#include "tests/core/lab/run_page.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <cmath>

using namespace warplight;
using namespace warplight::lab;

namespace {

RunRecord record(std::map<std::string, Value> given, bool cancelled = false) {
    given.try_emplace("own", false); // takes seconds
    Registry registry;
    labs::profile::registerLab(registry);
    return test::runPage(registry.find("profile.open"), given, "cpu", cancelled);
}

RunRecord ofFile(const char* name) {
    return record({{"file", std::string(WARPLIGHT_TEST_DATA "/data/profiles/") + name}});
}

template <class Content>
const Content& content(const RunRecord& record, const char* id) {
    return std::get<Content>(record.figure(id)->content);
}

double metric(const RunRecord& record, const char* id) { return *content<Metric>(record, id).value; }

/// The cell of a table by row and column id.
Table::Cell cell(const Table& table, size_t row, std::string_view column) {
    for (size_t i = 0; i < table.columns.size(); ++i)
        if (table.columns[i].id == column)
            return table.rows.at(row).at(i);
    return {};
}

bool near(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::fabs(b); }

} // namespace

class ProfileLabTest : public QObject {
    Q_OBJECT
  private slots:
    void aTraceShowsStreamsCopiesAndCollectives() {
        const RunRecord run = ofFile("kineto.json");
        // 10.500 + 100.003 + 3 of kernels, 100 + 80 + 40 of collectives, in microseconds.
        QVERIFY(near(metric(run, "kernelTime"), 333.503e-6));
        QCOMPARE(metric(run, "launches"), 6.0);
        // The first all-reduce runs from 150 to 250 beside flash from 120 to 220.003: 70.003 of 220 are hidden.
        QVERIFY(near(metric(run, "exposed"), 149.997e-6));
        const Table& kernels = content<Table>(run, "kernels");
        QCOMPARE(std::get<std::string>(cell(kernels, 0, "class")), std::string("collective"));
        QVERIFY(near(std::get<double>(cell(kernels, 0, "total")), 180e-6));
        QCOMPARE(std::get<int64_t>(cell(kernels, 0, "launches")), int64_t{2});
        const Table& copies = content<Table>(run, "copies");
        QVERIFY(near(std::get<double>(cell(copies, 0, "bandwidth")), 409600 / 20e-6));
        const Table& collectives = content<Table>(run, "collectives");
        QVERIFY(near(std::get<double>(cell(collectives, 0, "algbw")), 16777216 / 80e-6));
        QVERIFY(near(std::get<double>(cell(collectives, 0, "busbw")), 16777216 / 80e-6 * 1.5));
        const Timeline& timeline = content<Timeline>(run, "timeline");
        QCOMPARE(timeline.tracks.size(), size_t{2});
        QCOMPARE(timeline.spans.size(), size_t{8});
        QCOMPARE(timeline.spans[0].begin, 0.0);
        QVERIFY(near(timeline.spans[3].begin, 70e-6));
        QCOMPARE(timeline.spans[3].colourKey, std::string("attention"));
        QVERIFY(!run.figure("roofline")); // no counters in this trace
    }

    void countersMakeARoofline() {
        const RunRecord run = ofFile("ncu_metrics.csv");
        const Series& roofline = content<Series>(run, "roofline");
        const auto attention = std::find_if(roofline.curves.begin(), roofline.curves.end(),
                                            [](const Curve& c) { return c.id == "attention"; });
        QVERIFY(attention != roofline.curves.end());
        const double flops = 2 * (3e6 + 2 * 4294967296.0), bytes = 27595520.0 + 16777216 + 27000000 + 16000001;
        QVERIFY(near(attention->x[0], flops / bytes));
        QVERIFY(near(attention->y[0], flops / (1215000 + 1195002) * 1e9));
        QCOMPARE(static_cast<int>(attention->provenance), static_cast<int>(Provenance::Measured));
        QVERIFY(!run.figure("timeline")); // Nsight Compute tells no starts
        const Table& own = content<Table>(run, "own");
        QCOMPARE(own.rows.size(), size_t{1});
        QCOMPARE(std::get<std::string>(cell(own, 0, "kernel")), std::string("flash2_d64"));
        QCOMPARE(std::get<int64_t>(cell(own, 0, "head_dim")), int64_t{64});
    }

    void ownKernelsAreCountedWithTheGridOfTheirLaunch() {
        // flash2 of 4 tiles of 32 rows and 2 heads of 64 features, by hand: Q, O and lse once, K and V for each tile;
        // f32.
        const profiles::OurKernel flash2{"flash2_d64", "attention_flash", 64, "f32"};
        const auto model = labs::profile::modelOwnKernel(flash2, {4, 2, 1}, vgpu::gpuProfile("A100"), nullptr);
        QVERIFY(model);
        QCOMPARE(model->seqLen, int64_t{128});
        QCOMPARE(model->askedBytes, 4.0 * 2 * (2 * 128 * 64 + 128 + 4 * 2 * 128 * 64));
        QVERIFY(model->seconds > 1e-6 && model->seconds < 1e-3 && model->dramBytes > 0);
        QVERIFY(!labs::profile::modelOwnKernel({"flash1_d64", "attention_flash", 64, "f32"}, {4, 1, 1},
                                               vgpu::gpuProfile("A100"),
                                               nullptr)); // its grid tells heads alone
        QVERIFY(!labs::profile::modelOwnKernel(flash2, {4096, 64, 1}, vgpu::gpuProfile("A100"), nullptr)); // minutes
    }

    void bytesWithoutFlopsShowBandwidth() {
        const RunRecord run = ofFile("ncu_european.csv");
        QVERIFY(!run.figure("roofline"));
        const Series& bandwidth = content<Series>(run, "bandwidth");
        const double rate = (33554432.0 + 8388608) / 117344e-9;
        const auto gemm = std::find_if(bandwidth.curves.begin(), bandwidth.curves.end(),
                                       [](const Curve& c) { return c.id == "matrix product"; });
        QVERIFY(near(gemm->y.at(0), rate) && near(gemm->x.at(0), 117344e-9));
    }

    void countersWithoutTimesShowNoTime() {
        // CUPTI's ranges in a trace: their times are made up.
        const RunRecord run = ofFile("kineto_cupti_equal.json");
        for (const char* figure : {"kernelTime", "topShare", "busy", "timeline", "durations", "roofline", "bandwidth"})
            QVERIFY2(!run.figure(figure), figure);
        QCOMPARE(metric(run, "launches"), 6.0);
        const Table& kernels = content<Table>(run, "kernels");
        for (const char* column : {"total", "share", "mean", "median", "min", "max", "bandwidth", "rate"})
            for (const Table::Column& shown : kernels.columns)
                QVERIFY2(shown.id != column, column);
        const size_t gemm = std::get<std::string>(cell(kernels, 0, "kernel")) == "gemm_kernel" ? 0 : 1;
        QCOMPARE(std::get<double>(cell(kernels, gemm, "flops")), 2e9);
        QCOMPARE(std::get<double>(cell(kernels, gemm, "bytes")), 2e6);
        QCOMPARE(std::get<double>(cell(kernels, gemm, "intensity")), 1000.0);
        QCOMPARE(std::get<double>(cell(kernels, 1 - gemm, "flops")), 0.0);
        QVERIFY(content<Note>(run, "source").markdown.find("6 profiler ranges without a measured time") !=
                std::string::npos);
    }

    void aLaunchWithoutATimeIsCountedAlone() {
        const RunRecord run = ofFile("ncu_untimed.csv");
        const Table& kernels = content<Table>(run, "kernels");
        QCOMPARE(std::get<int64_t>(cell(kernels, 0, "launches")), int64_t{2});
        for (const char* column : {"mean", "median", "min", "max"})
            QVERIFY2(near(std::get<double>(cell(kernels, 0, column)), 10e-6), column);
        const Histogram& histogram = content<Histogram>(run, "durations");
        double sum = 0;
        for (const double count : histogram.sets.at(0).counts)
            sum += count;
        QCOMPARE(sum, 1.0);
    }

    void collectivesAreTheSameInEveryFigure() {
        const RunRecord run = ofFile("kineto_collectives.json");
        const Table& kernels = content<Table>(run, "kernels");
        double collective = 0;
        for (size_t row = 0; row < kernels.rows.size(); ++row)
            if (std::get<std::string>(cell(kernels, row, "class")) == "collective")
                collective += std::get<double>(cell(kernels, row, "total"));
        QVERIFY(near(collective, 180e-6));
        QVERIFY(near(metric(run, "exposed"), 180e-6));
        QCOMPARE(content<Table>(run, "collectives").rows.size(), size_t{6});
    }

    void kernelsAreNamedByWhatTellsThemApart() {
        const auto names = [](const char* file) {
            std::map<std::string, std::string> classes;
            const RunRecord run = ofFile(file);
            const Table& kernels = content<Table>(run, "kernels");
            for (size_t row = 0; row < kernels.rows.size(); ++row)
                classes[std::get<std::string>(cell(kernels, row, "kernel"))] =
                    std::get<std::string>(cell(kernels, row, "class"));
            return classes;
        };
        auto cutlass = names("kineto_cutlass.json");
        QCOMPARE(cutlass.size(), size_t{11});
        QCOMPARE(cutlass["cutlass_80_tensorop_s1688gemm_256x64_16x4_tn_align1"], std::string("matrix product"));
        QCOMPARE(cutlass["FlashAttnFwdSm90"], std::string("attention"));
        QCOMPARE(cutlass["GemmUniversal"], std::string("matrix product"));
        auto amd = names("kineto_amd.json");
        QCOMPARE(amd["Cijk_Alik_Bljk_HHS_BH_Bias_HA_S_SAV_UserArgs_MT256x256x64_MI16x16x1"],
                 std::string("matrix product"));
        QCOMPARE(amd["FmhaFwdKernel"], std::string("attention"));
        QVERIFY(names("ncu_strange_names.csv").contains("тест_ядро"));
        QCOMPARE(names("kineto_utf8.json")["flash_fwd_��kernel"], std::string("attention"));
    }

    void ceilingsAreThoseOfTheNamedOrChosenGpu() {
        const auto roofs = [](const RunRecord& run) {
            std::vector<double> peaks;
            for (const Curve& curve : content<Series>(run, "roofline").curves)
                if (curve.provenance == Provenance::Reference)
                    peaks.push_back(curve.y.back());
            return peaks;
        };
        const auto example = roofs(record({}));
        QCOMPARE(example.size(), size_t{2}); // an A100 by its name: 19.5 and 312 TFLOP/s in its data sheet
        QVERIFY(std::fabs(example[0] - 19.5e12) < 0.1e12 && std::fabs(example[1] - 312e12) < 1e12);
        const auto t4 = roofs(record({{"gpu", std::string("T4")}}));
        QVERIFY(std::fabs(t4[1] - 65e12) < 1e12);
        QVERIFY(roofs(record({{"gpu", std::string("none")}})).empty());
        QCOMPARE(vgpu::gpuProfileOfCard("NVIDIA GeForce RTX 4090")->id, std::string_view("RTX4090"));
        QCOMPARE(vgpu::gpuProfileOfCard("NVIDIA L4")->id, std::string_view("L4"));
        QCOMPARE(vgpu::gpuProfileOfCard("NVIDIA A100-SXM4-40GB")->id, std::string_view("A100"));
        QCOMPARE(vgpu::gpuProfileOfCard("NVIDIA H100 80GB HBM3")->id, std::string_view("H100"));
        QVERIFY(!vgpu::gpuProfileOfCard("NVIDIA A100-SXM4-80GB")); // another bandwidth
        QVERIFY(!vgpu::gpuProfileOfCard("NVIDIA H100 PCIe"));
        QCOMPARE(vgpu::gpuProfileOfCard("NVIDIA H200")->id, std::string_view("H200"));
        QVERIFY(!vgpu::gpuProfileOfCard("NVIDIA L40S"));
        QVERIFY(!vgpu::gpuProfileOfCard("NVIDIA GH200 480GB"));
        QVERIFY(!vgpu::gpuProfileOfCard("Quadro T400"));
    }

    void sumsWithoutLaunchesAreATable() {
        const RunRecord run = ofFile("nsys_kern_sum.csv");
        QCOMPARE(metric(run, "launches"), 4.0);
        QCOMPARE(static_cast<int>(run.figure("kernels")->place), static_cast<int>(Figure::Place::Main));
        QVERIFY(near(std::get<double>(cell(content<Table>(run, "kernels"), 1, "median")), 265112e-9));
        QVERIFY(!run.figure("durations") && !run.figure("timeline"));
    }

    void everyLaunchIsInOneBin() {
        const RunRecord run = ofFile("nsys_gpu_trace.csv");
        const Histogram& histogram = content<Histogram>(run, "durations");
        double sum = 0;
        for (const Histogram::Set& set : histogram.sets)
            for (size_t bin = 0; bin < set.counts.size(); ++bin) {
                sum += set.counts[bin];
                if (set.id == "attention" && set.counts[bin] > 0)
                    QVERIFY(histogram.edges[bin] <= 2707098e-9 && 2707098e-9 < histogram.edges[bin + 1]);
            }
        QCOMPARE(sum, 3.0);
    }

    void theExampleSaysWhatItIs() {
        const RunRecord run = record({});
        QVERIFY(content<Note>(run, "source").markdown.find("made up") != std::string::npos);
        for (const char* figure : {"roofline", "timeline", "kernels", "durations", "copies", "collectives", "own"})
            QVERIFY2(run.figure(figure), figure);
        QVERIFY(metric(run, "exposed") > 0);
    }

    void warningsAndFiltersReachThePage() {
        const RunRecord cut = ofFile("kineto_cut.json");
        QVERIFY(content<Note>(cut, "source").markdown.find("ends early") != std::string::npos);
        QCOMPARE(cut.logs().size(), size_t{1});
        const RunRecord some = record({{"contains", std::string("FLASH")}, {"rows", int64_t{2}}});
        const Table& kernels = content<Table>(some, "kernels");
        QCOMPARE(kernels.rows.size(), size_t{2});
        QCOMPARE(std::get<std::string>(cell(kernels, 0, "class")), std::string("attention"));
    }

    void aFileWithoutKernelsIsRefused() {
        try {
            ofFile("cpu_real.json.gz");
            QFAIL("a trace without kernels was shown");
        } catch (const InputError& error) {
            const std::string text = error.what();
            QVERIFY(text.find("cpu_real.json.gz: holds no GPU kernel but 122 cpu_op") != std::string::npos);
        }
        QVERIFY_THROWS_EXCEPTION(Cancelled, record({}, true));
    }

    void theLabIsFoundByItsNameAndById() {
        Registry registry;
        labs::profile::registerLab(registry);
        QCOMPARE(registry.ofLab("tools").size(), size_t{1});
        QCOMPARE(registry.ofLab("profile").size(), size_t{1});
        QVERIFY(registry.ofLab("prof").empty());
    }
};

QTEST_GUILESS_MAIN(ProfileLabTest)
#include "profile_lab_test.moc"
