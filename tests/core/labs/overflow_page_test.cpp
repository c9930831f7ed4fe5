// SPDX-License-Identifier: GPL-3.0-or-later
// The page Overflow, run as the engine runs it.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/lab/record.h"
#include "core/labs/precision/precision_lab.h"
#include "tests/core/lab/run_page.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using test::content;

namespace {

using Given = std::map<std::string, Value>;

RunRecord record(const Given& given, const std::string& device = "cpu") {
    return test::runPage(*labs::precision::makeOverflow(), given, device);
}

std::string text(const Table::Cell& cell) { return std::get<std::string>(cell); }

std::string errorOf(const Given& given) {
    try {
        record(given);
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

} // namespace

class OverflowPageTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    std::string file(const char* name, const std::vector<int64_t>& shape, const std::vector<float>& values) const {
        std::string path = folder.filePath(name).toStdString();
        formats::saveTensors({{path, {"", {shape, values}, number::Format::F32}}});
        return path;
    }

    /// Three rows of four features: 300 · 300 is beyond f16, and it is the third product of row 2 and key 1.
    Given known() const {
        return {{"input", std::string("files")},
                {"scale", 1.0},
                {"causal", true},
                {"qFile", file("q.npy", {3, 4}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 300, 1})},
                {"kFile", file("k.npy", {3, 4}, {1, 1, 1, 1, 1, 1, 300, 1, 1, 1, 1, 1})},
                {"vFile", file("v.npy", {3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3})}};
    }

  private slots:
    void theKernelAndItsStepsAgree_data() {
        QTest::addColumn<QString>("stored");
        QTest::addColumn<QString>("sums");
        for (const char* sums : {"half2", "tensor", "f32"})
            QTest::addRow("f16, %s", sums) << "f16" << sums;
        for (const char* stored : {"bf16", "e4m3"})
            QTest::newRow(stored) << stored << "f32";
    }
    void theKernelAndItsStepsAgree() {
        QFETCH(const QString, stored);
        QFETCH(const QString, sums);
        const RunRecord run =
            record({{"stored", stored.toStdString()}, {"sums", sums.toStdString()}, {"seqLen", int64_t{60}}}, "vgpu");
        const std::string note = content<Note>(run, "kernel").markdown;
        QVERIFY2(note.find("1830 of 1830 scores") != std::string::npos, note.c_str());
        QVERIFY2(note.find("3840 of 3840 outputs") != std::string::npos, note.c_str());
    }

    void whatIsDrawnIsWhatIsCounted() {
        const RunRecord run = record({});
        const auto& map = content<Heatmap>(run, "scores");
        QVERIFY(map.lazy && map.rows == 128);
        QCOMPARE(run.tiles().size(), size_t(1));
        const TilePut& tile = run.tiles().begin()->second;
        const auto infinite =
            std::count_if(tile.cells.begin(), tile.cells.end(), [](float x) { return std::isinf(x); });
        QVERIFY(infinite > 0);
        int64_t lost = 0;
        for (const auto& row : content<Table>(run, "deaths").rows)
            if (text(row[0]) == "as it is" && text(row[2]) == "scores")
                lost += std::get<int64_t>(row[3]);
        QCOMPARE(static_cast<int64_t>(infinite), lost);
        QCOMPARE(*content<Metric>(run, "lost").value, 100.0 * static_cast<double>(lost) / (128 * 129 / 2));
        const auto& bars = content<Series>(run, "exponents");
        double whole = 0;
        for (const Curve& curve : bars.curves)
            if (curve.style == Curve::Style::Bars)
                for (const double y : curve.y)
                    whole += y;
        QVERIFY2(std::fabs(whole - 100) < 1e-6, qPrintable(QString::number(whole)));
    }

    void theFirstLossIsTold() {
        Given given = known();
        given["sums"] = std::string("half2");
        const RunRecord run = record(given, "vgpu");
        QCOMPARE(*content<Metric>(run, "first").value, 2.0);
        QCOMPARE(QString::fromStdString(content<Metric>(run, "first").caption),
                 QString("dies first: product, key 1, feature 3 of 4"));
        const auto& deaths = content<Table>(run, "deaths").rows;
        QCOMPARE(QString::fromStdString(text(deaths[0][1])), QString("product"));
        QCOMPARE(std::get<int64_t>(deaths[0][3]), int64_t{1});
        // The selected score is that one: its line ends before the third product.
        const auto& history = content<Series>(run, "history");
        QCOMPARE(history.curves[0].x.size(), size_t(4));
        QCOMPARE(history.curves[1].x.size(), size_t(2));
        QCOMPARE(history.curves[1].y[1], 2.0);
        QCOMPARE(history.curves[0].y[3], 90003.0);
    }

    void aRemedyIsWhatItsOwnRunSays() {
        const RunRecord run = record({{"seqLen", int64_t{40}}, {"scale", 36.0}});
        const auto& remedies = content<Table>(run, "remedies");
        QCOMPARE(remedies.rows.size(), size_t(6));
        QVERIFY(std::get<double>(remedies.rows[0][2]) > 0 && text(remedies.rows[0][1]) == "✗");
        const auto parameters = labs::precision::makeOverflow()->describe().parameters;
        for (size_t i = 0; i < remedies.rows.size(); ++i) {
            Given given;
            for (const auto& [id, value] : remedies.rowLinks.at(static_cast<int64_t>(i)).settings)
                for (const Parameter& parameter : parameters)
                    if (parameter.id == id)
                        given[id] = parseValue(parameter, value);
            const RunRecord own = record(given);
            QCOMPARE(*content<Metric>(own, "lostOutputs").value, std::get<double>(remedies.rows[i][2]));
            const auto& error = remedies.rows[i][3];
            QCOMPARE(content<Table>(own, "remedies").rows[0][3] == error, true);
        }
    }

    void eightBitsHaveAScaleAsItIs() {
        const RunRecord run = record({{"stored", std::string("e4m3")},
                                      {"scaleFirst", true},
                                      {"subtractMaximum", false},
                                      {"seqLen", int64_t{40}}},
                                     "vgpu");
        const auto& remedies = content<Table>(run, "remedies").rows;
        QCOMPARE(remedies.size(), size_t{3}); // as it is, the maximum subtracted, bf16
        QCOMPARE(QString::fromStdString(text(content<Table>(run, "deaths").rows[0][1])), QString("exponential"));
        QCOMPARE(std::get<double>(remedies[1][2]), 0.0);
        const std::string note = content<Note>(run, "kernel").markdown;
        QVERIFY2(note.find("820 of 820 scores") != std::string::npos, note.c_str());
        QVERIFY2(note.find("2560 of 2560 outputs") != std::string::npos, note.c_str());
    }

    void withoutTheMaximumExponentialsOverflow() {
        const RunRecord run = record({{"subtractMaximum", false}, {"sums", std::string("f32")}, {"scale", 3.0}});
        const auto& deaths = content<Table>(run, "deaths").rows;
        QCOMPARE(QString::fromStdString(text(deaths[0][1])), QString("exponential"));
        const auto& remedies = content<Table>(run, "remedies").rows;
        const auto subtract = std::find_if(remedies.begin(), remedies.end(),
                                           [](const auto& row) { return text(row[0]) == "subtract maximum"; });
        QVERIFY(subtract != remedies.end());
        QCOMPARE(std::get<double>((*subtract)[2]), 0.0);
    }

    void activationsAreScoredAgainstThemselves() {
        const RunRecord run = record({{"input", std::string("files")},
                                      {"scale", 1.0},
                                      {"qFile", file("x.npy", {2, 2}, {3, 4, 1, 2})},
                                      {"row", int64_t{1}},
                                      {"key", int64_t{0}}});
        QCOMPARE(content<Series>(run, "history").curves[0].y[1], 11.0); // 1 · 3 + 2 · 4
    }

    void largeMapsAreSurveyed() {
        const RunRecord run = record({{"seqLen", int64_t{17000}},
                                      {"headDim", int64_t{8}},
                                      {"input", std::string("gaussian")},
                                      {"scale", 130.0}});
        const auto& map = content<Heatmap>(run, "scores");
        QVERIFY(map.levels > 7);
        const TilePut& tile = run.tiles().rbegin()->second;
        QVERIFY(tile.final && tile.level == map.levels - 1);
        QVERIFY(std::any_of(tile.cells.begin(), tile.cells.end(), [](float x) { return std::isinf(x); }));
        QVERIFY(std::isnan(tile.cells[static_cast<size_t>(tile.cols - 1)])); // behind the mask
        QVERIFY(run.figure("deaths")->subtitle == "256 of 17000 rows judged");
    }

    void badInputIsOneSentence() {
        QCOMPARE(errorOf({{"row", int64_t{128}}}), std::string("row is 128, expected -1 to 127"));
        QCOMPARE(errorOf({{"row", int64_t{3}}, {"key", int64_t{4}}}), std::string("key is 4, row 3 sees keys 0 to 3"));
        QCOMPARE(errorOf({{"input", std::string("files")}}),
                 std::string("qFile is empty, expected a file with Q or with activations, for example qkv.npz:q"));
        QVERIFY(errorOf({{"input", std::string("files")}, {"qFile", file("none.npy", {0, 4}, {})}}).find("0 queries") !=
                std::string::npos);
    }

    void valuesThatAreNotFiniteAreInputs() {
        Given given = known();
        given["qFile"] = file("nan.npy", {3, 4}, {1, 1, 1, 1, 1, NAN, 1, 1, 1, 1, 1, 1});
        given["kFile"] = file("ones.npy", {3, 4}, std::vector<float>(12, 1));
        const RunRecord run = record(given);
        QCOMPARE(QString::fromStdString(text(content<Table>(run, "deaths").rows[0][1])), QString("input"));
        QCOMPARE(*content<Metric>(run, "first").value, 1.0);
    }
};

QTEST_GUILESS_MAIN(OverflowPageTest)
#include "overflow_page_test.moc"
