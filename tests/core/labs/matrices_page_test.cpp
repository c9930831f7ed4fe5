// SPDX-License-Identifier: GPL-3.0-or-later
// The page "Matrices and kernels", run as the engine runs it: against formulas.
#include "core/error.h"
#include "core/labs/ssm/ssm_lab.h"
#include "core/ssm/s4_layer.h"
#include "tests/core/lab/run_page.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::test;

namespace {

using Given = std::map<std::string, Value>;

RunRecord record(Given given, bool cancelled = false) {
    Registry registry;
    workbench::Operators operators;
    labs::ssm::registerLab(registry, operators);
    given.try_emplace("steps", int64_t{2000});
    given.try_emplace("length", int64_t{128});
    given.try_emplace("n", int64_t{16});
    return runPage(registry.find("ssm.matrices"), given, "cpu", cancelled);
}

double metric(const RunRecord& run, const char* id) { return content<Metric>(run, id).value.value(); }

const Curve& curve(const RunRecord& run, const char* figure, std::string_view id) {
    const auto& curves = content<Series>(run, figure).curves;
    const auto found = std::find_if(curves.begin(), curves.end(), [&](const Curve& c) { return c.id == id; });
    if (found == curves.end())
        throw InputError("no curve " + std::string(id));
    return *found;
}

} // namespace

class MatricesPageTest : public QObject {
    Q_OBJECT
  private slots:
    void showsTheMatricesOfTheMeasure() {
        for (const auto& info : warplight::ssm::measures()) {
            const RunRecord run = record(
                {{"measure", std::string(info.name)}, {"theta", 2.0}, {"kinds", std::vector<std::string>{"s4d-lin"}}});
            const auto system = warplight::ssm::hippo(info.id, 16, 2);
            const auto& map = content<Heatmap>(run, "a");
            QCOMPARE(map.rows, int64_t{16});
            QCOMPARE(map.cells, std::vector<float>(system.a.begin(), system.a.end()));
            QCOMPARE(curve(run, "b", "b").y, system.b);
            QVERIFY(run.figure("roads") == nullptr); // there is no dense layer
        }
    }

    void basisFunctionsAreTheirFormulas() {
        const RunRecord run = record({{"measure", std::string("lagt")}, {"theta", 0.5}});
        const Curve &first = curve(run, "basis", "basis0"), &second = curve(run, "basis", "basis1");
        for (size_t i = 0; i < first.x.size(); ++i) {
            const double x = first.x[i] / 0.5, fading = std::exp(-x / 2) / 0.5;
            QVERIFY(std::abs(first.y[i] - fading) < 1e-10);
            QVERIFY(std::abs(second.y[i] - fading * (1 - x)) < 1e-10);
        }
        QCOMPARE(first.x.back(), 8.0);
    }

    void kernelsAreThoseOfTheLibraryAndSpectraTheirSums() {
        const RunRecord run = record({{"weights", std::string("ones")},
                                      {"kinds", std::vector<std::string>{"s4-legs", "s4d-real"}},
                                      {"step", 0.05}});
        const std::vector<double> ones(16, 1.0);
        const auto layer = makeS4Layer(warplight::ssm::S4Kind::LegS, 16, warplight::ssm::Rule::Bilinear, 0.05, ones);
        const auto want = kernelByPowers(layer.dense, ones, 128);
        const Curve &kernel = curve(run, "kernels", "s4-legs"), &spectrum = curve(run, "spectra", "s4-legs");
        QCOMPARE(kernel.y.size(), size_t{128});
        for (size_t i = 0; i < want.size(); ++i)
            QVERIFY(std::abs(kernel.y[i] - want[i]) < 1e-11);
        for (size_t i = 0; i < spectrum.x.size(); ++i) { // |Σ K e^(-2πi f k)|
            double re = 0, im = 0;
            for (size_t k = 0; k < want.size(); ++k) {
                re += want[k] * std::cos(2 * 3.141592653589793 * spectrum.x[i] * static_cast<double>(k));
                im += want[k] * std::sin(2 * 3.141592653589793 * spectrum.x[i] * static_cast<double>(k));
            }
            QVERIFY(std::abs(std::hypot(re, im) - spectrum.y[i]) < 1e-9);
        }
        QCOMPARE(spectrum.x.back(), 0.5);
        QVERIFY(curve(run, "kernels", "s4d-real").y[0] > 0);
    }

    void everyRoadComesToTheSameKernel() {
        const RunRecord run = record({{"n", int64_t{32}}});
        const auto& rows = content<Table>(run, "roads").rows;
        QCOMPARE(rows.size(), size_t{4});
        for (const auto& row : rows)
            QVERIFY(std::get<double>(row[1]) > 0 && std::get<double>(row[2]) < 1e-10);
        QCOMPARE(content<Table>(record({{"rule", std::string("zoh")}}), "roads").rows.size(), size_t{2});
    }

    // S4D-LegS with the weights of S4 nears its kernel as N grows.
    void diagonalLegsNearsS4() {
        const auto apart = [&](int64_t n) {
            const RunRecord run = record({{"n", n}, {"weights", std::string("ones")}, {"step", 0.01}});
            const Curve &dense = curve(run, "kernels", "s4-legs"), &diagonal = curve(run, "kernels", "s4d-legs");
            double off = 0, most = 0;
            for (size_t i = 64; i < dense.y.size(); ++i) {
                off = std::max(off, std::abs(dense.y[i] - diagonal.y[i]));
                most = std::max(most, std::abs(dense.y[i]));
            }
            return off / most;
        };
        QVERIFY(apart(256) < 0.5 * apart(16));
    }

    void driftReachesALevelByType_data() {
        QTest::addColumn<QString>("kind");
        QTest::newRow("dense") << "s4-legs";
        QTest::newRow("diagonal") << "s4d-lin";
    }
    void driftReachesALevelByType() {
        QFETCH(QString, kind);
        const RunRecord run =
            record({{"steps", int64_t{20000}}, {"kinds", std::vector<std::string>{kind.toStdString()}}});
        const double f64 = metric(run, "apart"), f32 = metric(run, "off32"), bf16 = metric(run, "off16");
        QVERIFY2(f64 < 1e-12 && f32 > 1e-9 && f32 < 1e-4 && bf16 > 10 * f32 && bf16 < 0.2,
                 qPrintable(QString("%1 %2 %3").arg(f64).arg(f32).arg(bf16)));
        const Curve& half = curve(run, "drift", "f16");
        QCOMPARE(half.x.back(), 20000.0);
        const double middle = half.y[half.y.size() / 2 + 8];
        QVERIFY(*std::max_element(half.y.begin(), half.y.end()) < 20 * middle);
        QVERIFY(curve(run, "drift", "s4.fft32").y.back() < 1e-4);
    }

    void wrongSettingsAreRefusedAndCancelStops() {
        QVERIFY_THROWS_EXCEPTION(InputError, record({{"n", int64_t{7}}}));
        QVERIFY_THROWS_EXCEPTION(InputError, record({{"kinds", std::vector<std::string>{}}}));
        QVERIFY_THROWS_EXCEPTION(Cancelled, record({}, true));
    }
};

QTEST_GUILESS_MAIN(MatricesPageTest)
#include "matrices_page_test.moc"
