// SPDX-License-Identifier: GPL-3.0-or-later
// The pages Training and Gradients, run as the engine runs them.
#include "core/error.h"
#include "core/lab/record.h"
#include "core/labs/precision/gradient_census.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/training/growing_curves.h"
#include "core/labs/training/training_runs.h"
#include "tests/core/lab/run_page.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <ratio>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using test::content;

namespace {

using Given = std::map<std::string, Value>;

/// A rhyme, in which much is learned within few steps, and a small model.
Given small(const std::string& text) {
    return {{"input", std::string("file")}, {"file", text},         {"steps", int64_t{80}}, {"features", int64_t{32}},
            {"context", int64_t{32}},       {"layers", int64_t{1}}, {"rate", 0.003}};
}

RunRecord record(const char* id, const Given& given, bool cancelled = false) {
    Registry registry;
    labs::precision::registerLab(registry);
    return test::runPage(registry.find(id), given, "cpu", cancelled);
}

std::string sentence(const char* id, const Given& given) {
    try {
        record(id, given);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

const Curve& curve(const RunRecord& run, const char* figure, const std::string& id) {
    for (const Curve& c : content<Series>(run, figure).curves)
        if (c.id == id)
            return c;
    throw std::runtime_error("no curve " + id);
}

/// How long a run goes on after it has been cancelled at the first frame that has points, in milliseconds.
double stopsIn(const char* id, const Given& given) {
    Registry registry;
    labs::precision::registerLab(registry);
    Experiment& page = registry.find(id);
    const auto cancel = std::make_shared<std::atomic<bool>>(false);
    std::atomic<std::chrono::steady_clock::time_point> wished{};
    int frames = 0;
    Run run(
        1, "cpu",
        [&](const Frame&) {
            if (++frames == 20) {
                wished = std::chrono::steady_clock::now();
                *cancel = true;
            }
        },
        cancel);
    try {
        page.run(Settings(page.describe().parameters, given), run);
    } catch (const Cancelled&) {
        const auto begin = wished.load();
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    }
    return INFINITY;
}

} // namespace

class TrainingPageTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    std::string rhyme;

    std::string written(const char* name, const QByteArray& text) const {
        QFile out(folder.filePath(name));
        out.open(QIODevice::WriteOnly);
        out.write(text);
        return folder.filePath(name).toStdString();
    }

  private slots:
    void initTestCase() {
        QByteArray text;
        for (int i = 0; i < 60; ++i)
            text += "one two three four five six seven eight nine ten\n";
        rhyme = written("rhyme.txt", text);
    }

    void recipesGrowBesideEachOther() {
        Given given = small(rhyme);
        given["shift"] = int64_t{21}; // FP16 has none of it
        given["recipes"] = std::vector<std::string>{"f32", "f16", "f16-no-master", "f16-dynamic", "bf16-stochastic"};
        const RunRecord run = record("precision.training", given);
        const double learned = curve(run, "loss", "f32").y.back();
        for (const char* recipe : {"f32", "f16-dynamic", "bf16-stochastic"}) {
            QCOMPARE(curve(run, "loss", recipe).x.size(), size_t{80});
            QVERIFY2(curve(run, "loss", recipe).y.back() < learned + 0.3, recipe);
        }
        for (const char* recipe : {"f16", "f16-no-master"})
            QVERIFY2(curve(run, "loss", recipe).y.back() > learned + 1.5, recipe);
        QVERIFY(std::fabs(curve(run, "loss", "f32").y.front() - std::log(256.0)) < 0.2);
        // Counted once more from the curves: skipped steps are those that have no count of updates.
        const auto& table = content<Table>(run, "recipes");
        QCOMPARE(std::get<std::string>(table.rows[3][0]), std::string("FP16, dynamic scale"));
        const auto skipped = static_cast<size_t>(std::get<int64_t>(table.rows[3][2]));
        QVERIFY(skipped >= 2);
        QCOMPARE(curve(run, "scale", "skipped").x.size(), skipped);
        QCOMPARE(curve(run, "lost", "f16-dynamic").x.size(), 80 - skipped);
        const auto& scale = curve(run, "scale", "f16-dynamic").y;
        QCOMPARE(scale.front(), 0x1p40);
        QCOMPARE(scale[1], 0x1p39);
        QVERIFY(std::get<double>(table.rows[2][3]) > 50); // FP16 alone loses updates
        QVERIFY(std::get<double>(table.rows[0][3]) < 1);
        QVERIFY(curve(run, "zeros", "f16").y.back() > 90);
        QCOMPARE(std::get<double>(table.rows[4][5]), 12.0);
    }

    /// With nothing set: what the page shows at first.
    void theDefaultsShowWhoFailsAndHow() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        QSKIP("It takes minutes under sanitizers.");
#endif
        const RunRecord run = record("precision.training", {});
        const auto last = [&](const char* recipe) {
            const std::vector<double>& y = curve(run, "loss", recipe).y;
            double sum = 0;
            for (size_t i = y.size() - 300; i < y.size(); ++i)
                sum += y[i] / 300;
            return sum;
        };
        const double learned = last("f32");
        QVERIFY2(learned < 3.9, qPrintable(QString::number(learned)));
        for (const char* recipe : {"f16-dynamic", "bf16-stochastic"})
            QVERIFY2(std::fabs(last(recipe) - learned) < 0.06,
                     qPrintable(QString("%1: %2, f32 %3").arg(recipe).arg(last(recipe)).arg(learned)));
        const double noScale = last("f16"), alone = last("f16-no-master");
        QVERIFY2(noScale > learned + 0.5 && alone > noScale + 0.1,
                 qPrintable(QString("f32 %1, no scale %2, alone %3").arg(learned).arg(noScale).arg(alone)));
        // Why: one loses its gradients, the other its updates as well.
        QVERIFY(curve(run, "zeros", "f16").y.back() > 40 && curve(run, "zeros", "f16-dynamic").y.back() < 5);
        const auto& table = content<Table>(run, "recipes");
        QVERIFY(std::get<double>(table.rows[1][3]) > 50 && std::get<double>(table.rows[2][3]) < 2);
    }

    /// A static scale at which gradients overflow ends its own training and no other.
    void whatLeavesItsRangeEnds() {
        Given given = small(rhyme);
        given["recipes"] = std::vector<std::string>{"f32", "f16-static"};
        given["shift"] = int64_t{0};
        given["static"] = int64_t{40};
        const RunRecord run = record("precision.training", given);
        QCOMPARE(curve(run, "loss", "f32").x.size(), size_t{80});
        const auto& row = content<Table>(run, "recipes").rows[1];
        QVERIFY(std::holds_alternative<std::monostate>(row[1]));
        QCOMPARE(std::get<std::string>(row.back()), std::string("left its range at step 1"));
    }

    /// At the ends of FP16's range, to the number.
    void theCensusCountsWhatFp16Loses() {
        labs::precision::GradientCensus census(3); // of 8 times these
        const std::vector<float> small{0, 0x1p-28f, -0x1.000002p-28f, 0x1.fffffep-18f, -0x1p-17f},
            large{8189.9f, -8190, std::numeric_limits<float>::infinity(), 1};
        census.add({"h.3.attn.q", {}, small});
        census.add({"logits", {}, large});
        const auto all = census.all();
        QCOMPARE(all.numbers, int64_t{9});
        QCOMPARE(all.flushed, int64_t{1}); // a tie, which goes to 0
        QCOMPARE(all.subnormal, int64_t{2});
        QCOMPARE(all.infinite, int64_t{2});
        QCOMPARE(all.percent(all.infinite), 100 * 2.0 / 9);
        const Figure layers = census.table(5), exponents = census.heatmap(5);
        const auto& rows = std::get<Table>(layers.content).rows;
        QCOMPARE(rows.size(), size_t{2});
        QVERIFY(rows[0] == (std::vector<Table::Cell>{std::string("3 q"), int64_t{5}, 20.0, 40.0, 0.0, 0x1p-14,
                                                     int64_t{29}})); // 2^15 is the last
        QVERIFY(rows[1] == (std::vector<Table::Cell>{std::string("logits"), int64_t{4}, 0.0, 0.0, 50.0,
                                                     std::numeric_limits<double>::infinity(), std::monostate{}}));
        const auto& map = std::get<Heatmap>(exponents.content);
        std::map<std::string, float> shares; // of the last row, by exponent
        for (size_t e = 0; e < map.x.labels.size(); ++e)
            if (const float share = map.cells[map.x.labels.size() + e]; !std::isnan(share))
                shares[map.x.labels[e]] = share;
        QVERIFY(shares == (std::map<std::string, float>{{"3", 25.0f}, {"15", 50.0f}, {"19", 25.0f}}));
        QCOMPARE(exponents.subtitle, std::string("step 5, loss scale 2^3"));
    }

    /// A scale moves what is counted by as many columns, and nothing else.
    void aScaleMovesExponents() {
        Given given = small(rhyme);
        given["steps"] = int64_t{10};
        const RunRecord plain = record("precision.gradients", given);
        given["scale"] = int64_t{12};
        const RunRecord scaled = record("precision.gradients", given);
        const auto &a = content<Heatmap>(plain, "exponents"), &b = content<Heatmap>(scaled, "exponents");
        QCOMPARE(a.rows, int64_t{13}); // of one layer: ten outputs, and the embedding, the last norm, the logits
        QCOMPARE(a.y.labels.front(), std::string("logits"));
        for (int64_t row = 0; row < a.rows; ++row)
            for (int64_t col = 1; col + 13 < a.cols; ++col) { // but for the columns of what lies beyond
                const float x = a.cells[static_cast<size_t>(row * a.cols + col)],
                            y = b.cells[static_cast<size_t>(row * b.cols + col + 12)];
                QVERIFY(x == y || (std::isnan(x) && std::isnan(y)));
            }
        QVERIFY(curve(plain, "shares", "flushed").y.back() > curve(scaled, "shares", "flushed").y.back() + 20);
        QCOMPARE(curve(scaled, "shares", "infinite").y.back(), 0.0);
        given["scale"] = int64_t{60};
        QVERIFY(curve(record("precision.gradients", given), "shares", "infinite").y.back() > 50);
    }

    /// What is flushed falls within the run, from the step on at which the scale was moved.
    void aRunThatGoesOnFollowsTheScale() {
        Registry registry;
        labs::precision::registerLab(registry);
        Experiment& page = registry.find("precision.gradients");
        Given given = small(rhyme);
        given["steps"] = int64_t{20};
        const Settings settings(page.describe().parameters, given);
        RunRecord record;
        record.apply(RunStarted{1, "precision.gradients", "", settings.values(), "cpu", "", {}, {}});
        Run* going = nullptr;
        Run run(
            1, "cpu",
            [&](const Frame& frame) {
                record.apply(frame);
                if (std::holds_alternative<SeriesAppended>(frame)) // the first comes with the first step
                    going->adjust({{"scale", int64_t{14}}});
            },
            std::make_shared<std::atomic<bool>>(false));
        going = &run;
        page.run(settings, run);
        const auto &flushed = curve(record, "shares", "flushed").y, &scale = curve(record, "scale", "scale").y;
        QCOMPARE(flushed.size(), size_t{20});
        for (size_t step = 0; step < flushed.size(); ++step)
            QCOMPARE(scale[step], step == 0 ? 1.0 : 0x1p14);
        QVERIFY(flushed[1] < flushed[0] - 20);
        QCOMPARE(record.logs().size(), size_t{1});
    }

    /// Of a long run a point stands for some steps; what is rare keeps a point each.
    void longRunsHaveAsManyPointsAsAScreenShows() {
        constexpr int64_t steps = 10'000, together = 3; // 4,000 points are the most
        labs::training::GrowingCurves curves(steps);
        RunRecord record;
        record.apply(RunStarted{1, "test", "", {}, "cpu", "", {}, {}});
        Run run(
            1, "cpu", [&](const Frame& frame) { record.apply(frame); }, std::make_shared<std::atomic<bool>>(false));
        run.put({"f", "", "", "", Figure::Place::Main, Series{}});
        using enum labs::training::GrowingCurves::Keep;
        const auto like = [](const char* id) {
            Curve c;
            c.id = id;
            return c;
        };
        for (int64_t step = 1; step <= steps; ++step) {
            curves.add("f", like("mean"), static_cast<double>(step));
            curves.add("f", like("last"), static_cast<double>(step), Last);
            if (step == 4999)
                curves.add("f", like("rare"), 7, Each);
            curves.endStep(step);
            if (step % 1000 == 0)
                curves.show(run);
        }
        const auto& all = content<Series>(record, "f").curves;
        QCOMPARE(all[0].x.size(), size_t{steps / together + 1});
        for (size_t i = 0; i + 1 < all[0].x.size(); ++i) {
            const auto end = static_cast<double>(together * (static_cast<int64_t>(i) + 1));
            QCOMPARE(all[0].x[i], end);
            QCOMPARE(all[0].y[i], end - 1);
            QCOMPARE(all[1].y[i], end);
        }
        QCOMPARE(all[0].x.back(), 10'000.0);
        QCOMPARE(all[0].y.back(), 10'000.0);
        QCOMPARE(all[2].x, std::vector<double>{4999});
    }

    void itStopsSoon() {
        for (const char* page : {"precision.training", "precision.gradients"})
            QVERIFY(stopsIn(page, {}) < 200);
        QVERIFY_EXCEPTION_THROWN(record("precision.training", small(rhyme), true), Cancelled);
    }

    void whatIsWrongIsOneSentence_data() {
        QTest::addColumn<QString>("set");
        QTest::addColumn<QString>("says");
        const auto row = [](const char* set, const char* says) { QTest::newRow(set) << QString(set) << QString(says); };
        row("file=", "file is empty");
        row("file=/nowhere/a.txt", "/nowhere/a.txt");
        row("file=short", "holds 3 tokens, expected at least 33");
        row("features=40", "features is 40, expected a multiple of 16");
    }

    void whatIsWrongIsOneSentence() {
        QFETCH(QString, set);
        QFETCH(QString, says);
        Given given = small(rhyme);
        const std::string id = set.section('=', 0, 0).toStdString(), value = set.section('=', 1).toStdString();
        if (id == "features")
            given[id] = int64_t{40};
        else
            given[id] = value == "short" ? written("short.txt", "abc") : value;
        for (const char* page : {"precision.training", "precision.gradients"}) {
            const std::string text = sentence(page, given);
            QVERIFY2(text.find(says.toStdString()) != std::string::npos, text.c_str());
            QVERIFY(text.find('\n') == std::string::npos);
        }
    }

    void anyBytesAreAText() {
        QByteArray bytes;
        for (int i = 0; i < 4000; ++i)
            bytes += static_cast<char>(i * i * 31);
        Given given = small(written("bytes", bytes));
        given["steps"] = int64_t{10};
        QCOMPARE(curve(record("precision.training", given), "loss", "f32").x.size(), size_t{10});
    }
};

QTEST_GUILESS_MAIN(TrainingPageTest)
#include "training_page_test.moc"
