// SPDX-License-Identifier: GPL-3.0-or-later
// Race, Traffic, Accuracy and Devices on an NVIDIA GPU: measured figures beside modelled ones, never mixed; what is
// missing is said. The driver and CUPTI are stand-ins (tests/gpu/standin, tests/gpu/standin_cupti).
#include "core/error.h"
#include "core/lab/record.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/devices/devices_lab.h"
#include "core/labs/ssm/ssm_lab.h"
#include "tests/core/lab/run_page.h"

#include <QTest>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;

namespace {

RunRecord record(const char* id, const std::map<std::string, Value>& given, const char* device) {
    Registry registry;
    workbench::Operators operators;
    labs::attention::registerLab(registry, operators);
    labs::ssm::registerLab(registry, operators);
    labs::tools::registerLab(registry);
    return test::runPage(registry.find(id), given, device);
}

template <class Content>
const Content& content(const RunRecord& record, const char* id) {
    return std::get<Content>(record.figure(id)->content);
}

const Curve* curve(const Series& series, const char* id) {
    for (const Curve& c : series.curves)
        if (c.id == id)
            return &c;
    return nullptr;
}

/// The text of a row's cells, a bar between.
QString rowText(const Table& table, const char* first) {
    for (const auto& row : table.rows)
        if (const auto* name = std::get_if<std::string>(&row[0]); name && *name == first) {
            QStringList cells;
            for (const Table::Cell& cell : row)
                if (const auto* text = std::get_if<std::string>(&cell))
                    cells << QString::fromStdString(*text);
            return cells.join(" | ");
        }
    return {};
}

const std::map<std::string, Value> smallRace{{"seqLen", std::vector<int64_t>{32, 64}},
                                             {"kernels", std::vector<std::string>{"tiled", "flash2-mma"}}};

} // namespace

class GpuPagesTest : public QObject {
    Q_OBJECT
  private slots:
    void init() {
        qputenv("WARPLIGHT_LIBCUDA", WARPLIGHT_STANDIN_FOLDER "/libcuda.so.1");
        qputenv("WARPLIGHT_LIBNVML", WARPLIGHT_STANDIN_FOLDER "/libnvidia-ml.so.1");
        qputenv("WARPLIGHT_LIBCUBLAS", WARPLIGHT_STANDIN_FOLDER "/libcublas.so.13");
        qputenv("WARPLIGHT_LIBCUFFT", WARPLIGHT_STANDIN_FOLDER "/libcufft.so.12");
        qputenv("WARPLIGHT_CUPTI", STANDIN_CUPTI);
    }

    void raceMeasuresAndModelsSideBySide() {
        const RunRecord run = record("attention.race", smallRace, "cuda:0");
        const auto& time = content<Series>(run, "time");
        for (const char* rung : {"tiled", "flash2-mma", "cublas"}) {
            const Curve* measured = curve(time, rung);
            QVERIFY(measured && measured->provenance == Provenance::Measured);
            QCOMPARE(measured->x, (std::vector<double>{32, 64}));
            for (size_t i = 0; i < 2; ++i)
                QVERIFY(measured->low[i] <= measured->y[i] && measured->y[i] <= measured->high[i] &&
                        measured->low[i] > 0);
        }
        for (const char* rung : {"tiled.modelled", "flash2-mma.modelled"}) {
            const Curve* modelled = curve(time, rung);
            QVERIFY(modelled && modelled->provenance == Provenance::Modelled);
            QCOMPARE(modelled->x, (std::vector<double>{32, 64}));
        }
        QVERIFY(!curve(time, "cublas.modelled")); // its kernels are not ours to run
        const auto& points = content<Table>(run, "points");
        QCOMPARE(points.rows.size(), size_t{6});
        QVERIFY(content<Metric>(run, "speedUp").provenance == Provenance::Measured);
    }

    void theModelledFigureIsThatOfTheVirtualGpu() {
        const RunRecord real = record("attention.race", smallRace, "cuda:0"),
                        virtualGpu = record("attention.race", smallRace, "vgpu");
        const Curve *beside = curve(content<Series>(real, "time"), "tiled.modelled"),
                    *alone = curve(content<Series>(virtualGpu, "time"), "tiled");
        QCOMPARE(beside->y, alone->y); // the same profile: A100, which the stand-in's name does not contradict
        QVERIFY(alone->provenance == Provenance::Modelled);
        QVERIFY(content<Metric>(virtualGpu, "speedUp").provenance == Provenance::Modelled);
    }

    void raceWithoutCublasSaysSo() {
        qputenv("WARPLIGHT_LIBCUBLAS", "/no/such/libcublas.so");
        const RunRecord run = record("attention.race", smallRace, "cuda:0");
        QCOMPARE(content<Table>(run, "points").rows.size(), size_t{4});
        QVERIFY(run.logs().at(0).text.find("cublas is left out") == 0);
    }

    void s4RacesByCufftOrSaysThatItIsNotThere() {
        const std::map<std::string, Value> small{{"seqLenSwept", std::vector<int64_t>{64}},
                                                 {"channels", int64_t{2}},
                                                 {"kernels", std::vector<std::string>{"recurrent"}}};
        const RunRecord with = record("s4.race", small, "cuda:0");
        const Curve* measured = curve(content<Series>(with, "time"), "cufft");
        QVERIFY(measured && measured->provenance == Provenance::Measured && measured->x.size() == 1);
        qputenv("WARPLIGHT_LIBCUFFT", "/no/such/libcufft.so");
        const RunRecord without = record("s4.race", small, "cuda:0");
        QVERIFY(!curve(content<Series>(without, "time"), "cufft"));
        QVERIFY(without.logs().at(0).text == "cufft is left out: libcufft was not found.");
    }

    void trafficHasTheGpusOwnCountersBesideTheCounted() {
        const RunRecord run = record(
            "attention.traffic",
            {{"seqLen", std::vector<int64_t>{64}}, {"kernels", std::vector<std::string>{"tiled", "flash2"}}}, "cuda:0");
        QCOMPARE(*content<Metric>(run, "agreement").value, 0.0); // counted equals the formula here, too
        const Curve* measured = curve(content<Series>(run, "dram"), "flash2.measured");
        QVERIFY(measured && measured->provenance == Provenance::Measured);
        const auto& table = content<Table>(run, "measured");
        QCOMPARE(table.rows.size(), size_t{2});
        QVERIFY(std::holds_alternative<int64_t>(table.rows[0][5]));
        QVERIFY(run.logs().empty());
    }

    void countersThatMayNotBeReadAreExplainedOnceAndCountedFiguresStay() {
        qputenv("WARPLIGHT_CUPTI", "/no/such/libcupti.so");
        const RunRecord run = record(
            "attention.traffic",
            {{"seqLen", std::vector<int64_t>{32, 64}}, {"kernels", std::vector<std::string>{"flash2"}}}, "cuda:0");
        QCOMPARE(run.logs().size(), size_t{1});
        QVERIFY(run.logs()[0].text.find("libcupti") != std::string::npos);
        QVERIFY(content<Table>(run, "measured").rows.empty());
        QCOMPARE(curve(content<Series>(run, "bytes"), "flash2")->x.size(), size_t{2});
        QVERIFY(!curve(content<Series>(run, "dram"), "flash2.measured"));
    }

    void accuracyIsThatOfTheVirtualGpuBitForBit() { // the same PTX, executed by the same arithmetic here
        const std::map<std::string, Value> small{{"queryLen", int64_t{20}},
                                                 {"keyLen", int64_t{30}},
                                                 {"kernels", std::vector<std::string>{"flash2", "flash2-mma"}}};
        QVERIFY(content<Table>(record("attention.accuracy", small, "cuda:0"), "errors") ==
                content<Table>(record("attention.accuracy", small, "vgpu"), "errors"));
    }

    void devicesListsWhatIsThere() {
        const RunRecord run = record("tools.devices", {{"gpu", std::string("H100")}}, "cpu");
        QCOMPARE(*content<Metric>(run, "gpus").value, 1.0);
        QVERIFY(rowText(content<Table>(run, "devices"), "cuda:0").contains("multiprocessors"));
        QVERIFY(rowText(content<Table>(run, "parts"), "CUDA driver").contains("libcuda.so.1"));
        QVERIFY(!rowText(content<Table>(run, "profiles"), "H100 ●").isEmpty());
        QCOMPARE(content<Table>(run, "profiles").rows.size(), size_t{9});
        // 132 · 2 · 128 · 1.83e9: 61.8 TFLOP/s; the roof meets the slope where both are the same.
        const Curve* f32 = curve(content<Series>(run, "roofline"), "H100.f32");
        QVERIFY(f32 && std::fabs(f32->y[1] - 132 * 2 * 128 * 1.83e9) < 1e9);
        QVERIFY(std::fabs(f32->x[1] * 3352e9 / f32->y[1] - 1) < 1e-9);
    }

    void devicesSaysWhatIsMissing() {
        for (const char* variable :
             {"WARPLIGHT_LIBCUDA", "WARPLIGHT_LIBNVML", "WARPLIGHT_LIBCUBLAS", "WARPLIGHT_LIBCUFFT", "WARPLIGHT_CUPTI"})
            qputenv(variable, "/no/such/library.so");
        const RunRecord run = record("tools.devices", {}, "cpu");
        QCOMPARE(*content<Metric>(run, "gpus").value, 0.0);
        QVERIFY(rowText(content<Table>(run, "devices"), "cuda").contains("NVIDIA driver"));
        for (const char* part : {"CUDA driver", "NVML", "cuBLAS", "cuFFT", "CUPTI"})
            QVERIFY2(rowText(content<Table>(run, "parts"), part).contains("not found: "), part);
    }

    void aGpuThatIsNotThereIsRefusedInASentence() {
        qputenv("WARPLIGHT_LIBCUDA", "/no/such/library.so");
        for (const char* id : {"attention.race", "attention.traffic", "attention.accuracy"}) {
            try {
                record(id, {}, "cuda:0");
                QFAIL("not refused");
            } catch (const InputError& e) {
                QVERIFY2(QString(e.what()).contains("NVIDIA"), e.what());
            }
        }
    }

    void onlyGpuPagesRunOnGpus() {
        Registry registry;
        workbench::Operators operators;
        labs::attention::registerLab(registry, operators);
        QVERIFY(runsOn(registry.find("attention.race").describe(), "cuda:7"));
        QVERIFY(!runsOn(registry.find("attention.map").describe(), "cuda:0"));
        QVERIFY(!runsOn(registry.find("attention.race").describe(), "tpu"));
    }
};

QTEST_GUILESS_MAIN(GpuPagesTest)
#include "gpu_pages_test.moc"
