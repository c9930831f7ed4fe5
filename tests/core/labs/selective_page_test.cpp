// SPDX-License-Identifier: GPL-3.0-or-later
// The page Selective scan: the implied map against products of decays and sums over its cells, and what is copied.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/attention/map_tiles.h"
#include "core/labs/ssm/implied_map.h"
#include "core/labs/ssm/ssm_lab.h"
#include "core/labs/ssm/ssm_pages.h"
#include "tests/core/lab/run_page.h"

#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::labs::ssm;
using namespace warplight::test;

namespace {

using Given = std::map<std::string, Value>;

RunRecord record(const Given& given, bool cancelled = false) {
    const auto page = makeSelective();
    return runPage(*page, given, "cpu", cancelled);
}

double metric(const RunRecord& run, const char* id) { return content<Metric>(run, id).value.value(); }

std::shared_ptr<const SelectiveStory> story(int64_t length, int64_t states = 5) {
    return std::make_shared<SelectiveStory>(randomStory(length, 3, states, 7, nullptr));
}

/// α by the definition: the product of the decays of all steps between.
double alpha(const SelectiveStory& s, int64_t channel, int64_t row, int64_t column) {
    double sum = 0;
    for (int64_t n = 0; n < s.states; ++n) {
        double product = 1;
        for (int64_t k = column + 1; k <= row; ++k)
            product *= std::exp(static_cast<double>(s.size[static_cast<size_t>(channel * s.length + k)]) *
                                static_cast<double>(s.a[static_cast<size_t>(channel * s.states + n)]));
        sum += static_cast<double>(s.c[static_cast<size_t>(n * s.length + row)]) * product *
               static_cast<double>(s.size[static_cast<size_t>(channel * s.length + column)]) *
               static_cast<double>(s.b[static_cast<size_t>(n * s.length + column)]);
    }
    return sum;
}

bool near(double x, double y, double tolerance) { return std::fabs(x - y) <= tolerance; }

} // namespace

class SelectivePageTest : public QObject {
    Q_OBJECT
  private slots:
    void theImpliedMapIsTheProductOfDecays() {
        const auto s = story(41);
        const ImpliedMap map(s, 1, nullptr);
        for (int64_t row = 0; row < 41; ++row)
            for (int64_t column = 0; column < 41; ++column)
                if (column > row)
                    QVERIFY(std::isnan(map.at(row, column)));
                else
                    QVERIFY(near(map.at(row, column), alpha(*s, 1, row, column), 1e-7));
    }

    void itsRowsTimesTheInputAreTheOutput() { // of the fused scan, in each channel
        const auto s = story(300);
        const std::vector<float> y = s->outputs(nullptr);
        for (int64_t channel = 0; channel < 3; ++channel) {
            const ImpliedMap map(s, channel, nullptr);
            for (int64_t row = 0; row < 300; row += 13) {
                double sum = 0;
                for (int64_t column = 0; column <= row; ++column)
                    sum += map.at(row, column) * static_cast<double>(s->u[static_cast<size_t>(channel * 300 + column)]);
                QVERIFY(near(sum, static_cast<double>(y[static_cast<size_t>(channel * 300 + row)]), 1e-5));
            }
        }
    }

    void tilesOfEveryLevelAreMeansOfTheirCells() {
        constexpr int64_t length = 1500; // three levels, whose last blocks and tiles are not whole
        const auto s = story(length, 3);
        ImpliedMap map(s, 2, nullptr);
        QCOMPARE(map.levels(), 4);
        const std::atomic<bool> no = false;
        for (int level = 0; level < map.levels(); ++level) {
            const int64_t cell = int64_t{1} << level, tiles = (length + 256 * cell - 1) / (256 * cell);
            for (int64_t tileRow = 0; tileRow < tiles; ++tileRow)
                for (int64_t tileCol = 0; tileCol < tiles; ++tileCol) {
                    const TilePut tile = map.tile(level, tileRow, tileCol, no);
                    for (int64_t r = 0; r < tile.rows; r += 31)
                        for (int64_t c = 0; c < tile.cols; c += 7) {
                            const int64_t row = (tileRow * 256 + r) * cell, column = (tileCol * 256 + c) * cell,
                                          rowEnd = std::min(row + cell, length),
                                          columnEnd = std::min(column + cell, length);
                            double sum = 0;
                            bool seen = false;
                            for (int64_t i = row; i < rowEnd; ++i)
                                for (int64_t j = column; j < std::min(columnEnd, i + 1); ++j)
                                    sum += map.at(i, j), seen = true;
                            const auto made = static_cast<double>(tile.cells[static_cast<size_t>(r * tile.cols + c)]);
                            if (!seen)
                                QVERIFY(std::isnan(made));
                            else
                                QVERIFY(
                                    near(made, sum / static_cast<double>((rowEnd - row) * (columnEnd - column)), 1e-7));
                        }
                }
        }
        QVERIFY_EXCEPTION_THROWN(map.tile(4, 0, 0, no), InputError);
        const std::atomic<bool> yes = true;
        QVERIFY_EXCEPTION_THROWN(map.tile(0, 1, 0, yes), Cancelled);
        map.showSizes(true);
        const auto cells = map.tile(2, 0, 0, no).cells;
        QVERIFY(std::none_of(cells.begin(), cells.end(), [](float x) { return x < 0; }));
    }

    void aTileOfALongMapTakesNoTime() {
        const auto s = story(131072, 16);
        QElapsedTimer timer;
        timer.start();
        ImpliedMap map(s, 0, nullptr);
        QVERIFY(timer.elapsed() < 3000);
        const std::atomic<bool> no = false;
        for (const auto& [level, row, column] :
             {std::tuple(0, 500, 20), std::tuple(0, 511, 511), std::tuple(5, 10, 3), std::tuple(9, 0, 0)}) {
            timer.restart();
            map.tile(level, row, column, no);
            QVERIFY2(timer.elapsed() < 250, qPrintable(QString::number(timer.elapsed())));
        }
    }

    void smallStepsOfNoiseLetSymbolsBeCopied() {
        const RunRecord run = record({{"length", int64_t{512}}});
        QCOMPARE(metric(run, "right"), 8.0);
        const RunRecord nothingSelected = record({{"length", int64_t{512}}, {"noiseStep", 0.5}});
        QVERIFY(metric(nothingSelected, "right") < 6);
    }

    void aTokenIsKeptByWhatItsDecaysLeave() {
        const RunRecord run = record({{"token", int64_t{20}}, {"length", int64_t{128}}});
        const Curve& first = content<Series>(run, "kept").curves.front();
        const SelectiveStory s = copyTask({128, 16, 8, 0.5, 0.001, 0.1, 42}, nullptr);
        double product = 1;
        QCOMPARE(first.y.front(), 1.0);
        for (size_t t = 21; t < 128; ++t) {
            product *= std::exp(-0.1 * static_cast<double>(s.size[t]));
            QVERIFY(near(first.y[t - 20], product, 1e-6));
        }
    }

    void aSelectionShowsAnotherToken() {
        const auto page = makeSelective();
        RunRecord record;
        const Settings settings(page->describe().parameters, {});
        record.apply(RunStarted{1, "ssm.selective", "", settings.values(), "cpu", "", {}, {}});
        Run run(
            1, "cpu", [&](const Frame& frame) { record.apply(frame); }, std::make_shared<std::atomic<bool>>(false));
        page->run(settings, run);
        run.selectionHandler("map")(run, 100, 33);
        QVERIFY(QString::fromStdString(record.figure("kept")->title).contains("token 33"));
        run.selectionHandler("raster")(run, 2, 44);
        QVERIFY(QString::fromStdString(record.figure("kept")->title).contains("token 44"));
        const auto lines = run.tileSource("map")->probe(100, 33);
        QVERIFY(lines.size() == 3 && run.tileSource("map")->probe(33, 100).size() == 1);
    }

    void longSequencesAreAveragedOverNeighbours() {
        const RunRecord run = record({{"length", int64_t{5000}}, {"input", std::string("random")}});
        const Heatmap& raster = content<Heatmap>(run, "raster");
        QCOMPARE(raster.cols, 250); // of 20 tokens each
        QCOMPARE(content<Steps>(run, "strips").steps.front().matrices.size(), size_t{5});
    }

    void aUsersTensorsAreShown() {
        QTemporaryDir folder;
        const auto save = [&](const char* name, std::vector<int64_t> shape, float begin) {
            std::vector<float> values(static_cast<size_t>(tensor::elementCount(shape)));
            for (size_t i = 0; i < values.size(); ++i)
                values[i] = begin + static_cast<float>(i % 7) / 10;
            const std::string file = folder.filePath(name).toStdString();
            formats::saveTensors({{file, {"x", {std::move(shape), std::move(values)}, number::Format::F32}}});
            return file;
        };
        Given given{{"input", std::string("files")},
                    {"uFile", save("u.npy", {2, 4, 30}, 0)},
                    {"deltaFile", save("delta.npy", {2, 4, 30}, -2)},
                    {"aFile", save("a.npy", {4, 3}, -1)},
                    {"bFile", save("b.npy", {2, 2, 3, 30}, 0)},
                    {"cFile", save("c.npy", {2, 2, 3, 30}, 1)},
                    {"biasFile", save("bias.npy", {4}, 0)},
                    {"sequence", int64_t{1}},
                    {"channel", int64_t{3}}};
        const RunRecord run = record(given);
        QCOMPARE(content<Heatmap>(run, "raster").rows, 3);
        QVERIFY(!run.figure("recall"));
        given["sequence"] = int64_t{2};
        QVERIFY_EXCEPTION_THROWN(record(given), InputError);
        given["sequence"] = int64_t{0};
        given["channel"] = int64_t{4};
        QVERIFY_EXCEPTION_THROWN(record(given), InputError);
        given["channel"] = int64_t{0};
        given["aFile"] = save("a5.npy", {5, 3}, -1);
        QVERIFY_EXCEPTION_THROWN(record(given), InputError);
    }

    void aStateIsOfOneSizeAndACacheGrows() {
        const auto page = makeStateCache();
        const Given given{{"lengths", std::vector<int64_t>{1, 100}}, {"pointSeconds", 0.001}, {"dModel", int64_t{128}}};
        const RunRecord run = runPage(*page, given);
        const Series &bytes = content<Series>(run, "bytes"), &times = content<Series>(run, "time");
        QCOMPARE(bytes.curves[0].y, (std::vector<double>{2 * 4 * 128, 2 * 4 * 128 * 100}));
        QCOMPARE(bytes.curves[1].y, std::vector<double>(2, 4 * 256 * (16 + 3)));
        QCOMPARE(metric(run, "smaller"), 19.0); // 2 · 128 numbers a token against 256 · 19
        QCOMPARE(times.curves.size(), size_t{2});
        for (const Curve& c : times.curves)
            QVERIFY(c.y.size() == 2 && c.y[0] > 0 && c.provenance == Provenance::Measured);
        QVERIFY_EXCEPTION_THROWN(runPage(*page, given, "cpu", true), Cancelled);
    }

    void whatIsCancelledStops() { QVERIFY_EXCEPTION_THROWN(record({}, true), Cancelled); }
};

QTEST_GUILESS_MAIN(SelectivePageTest)
#include "selective_page_test.moc"
