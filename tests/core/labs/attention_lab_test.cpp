// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/figure_checks.h"
#include "core/lab/record.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/tiles_scene.h"
#include "core/workbench/stopwatch.h"

#include <QElapsedTimer>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <chrono>
#include <cmath>
#include <thread>

using namespace warplight;
using namespace warplight::lab;

namespace {

RunRecord record(const char* id, const std::map<std::string, Value>& given,
                 std::shared_ptr<std::atomic<bool>> cancel = std::make_shared<std::atomic<bool>>(false),
                 const char* device = "cpu") {
    Registry registry;
    workbench::Operators operators;
    labs::attention::registerLab(registry, operators);
    Experiment& experiment = registry.find(id);
    const Settings settings(experiment.describe().parameters, given);
    RunRecord result;
    result.apply(RunStarted{1, id, "", settings.values(), device, "", {}});
    Run run(
        1, device, [&](const Frame& frame) { result.apply(frame); }, cancel);
    experiment.run(settings, run);
    return result;
}

template <class Content>
const Content& content(const RunRecord& record, const char* id) {
    return std::get<Content>(record.figure(id)->content);
}

/// The largest score of the last row of 16 queries of 8 features, and the sum of its exponentials, by brute force.
std::pair<double, double> statisticsOfRow15() {
    cpu::AttentionProblem shape;
    shape.queryLen = shape.keyLen = 16;
    shape.headDim = 8;
    const labs::attention::AttentionInputs inputs = labs::attention::makeInputs(shape, "gaussian", 42);
    double max = -1e300, sum = 0;
    std::vector<double> scores;
    for (size_t j = 0; j < 16; ++j) {
        double s = 0;
        for (size_t c = 0; c < 8; ++c)
            s += static_cast<double>(inputs.q[15 * 8 + c]) * static_cast<double>(inputs.k[j * 8 + c]);
        scores.push_back(s / std::sqrt(8.0));
        max = std::max(max, scores.back());
    }
    for (const double s : scores)
        sum += std::exp(s - max);
    return {max, sum};
}

/// What the bar of a row of the bars of that title ends at.
double barOf(const Steps::Step& step, const std::string& title, size_t row) {
    for (const auto& bars : step.bars)
        if (bars.title == title)
            return bars.bars.at(row).to.value();
    throw std::out_of_range(title);
}

} // namespace

class AttentionLabTest : public QObject {
    Q_OBJECT
  private slots:
    void raceMeasuresEveryPointOnce() {
        const RunRecord run =
            record("attention.race", {{"seqLen", std::vector<int64_t>{64, 16}},
                                      {"implementations", std::vector<std::string>{"reference", "flash"}},
                                      {"pointSeconds", 0.01}});
        QCOMPARE(content<Table>(run, "points").rows.size(), size_t{4});
        const auto& time = content<Series>(run, "time");
        QCOMPARE(time.curves[0].x, (std::vector<double>{16, 64}));
        const auto& rate = content<Series>(run, "throughput").curves;
        // FLOP/s times seconds are the FLOPs of the formula: 4·N²·d·heads.
        QVERIFY(std::fabs(rate[1].y[1] * time.curves[0].y[1] - 4.0 * 64 * 64 * 64 * 2) < 1);
    }

    void theCrossoverIsOfWholePoints() {
        // In the ladder's order the slow ones come first: while they alone have been, nothing has crossed.
        const RunRecord run =
            record("attention.race", {{"seqLen", std::vector<int64_t>{64, 128, 256}},
                                      {"implementations", std::vector<std::string>{"reference", "flash-packed"}},
                                      {"pointSeconds", 0.02}});
        for (const Curve& c : content<Series>(run, "time").curves)
            QCOMPARE(c.x.size(), size_t{3});
        QVERIFY(!run.figure("crossover")); // flash-packed is faster by an order of magnitude at each of them
    }

    void raceSaysWhichPointsItLeavesOut() {
        const RunRecord run = record("attention.race", {{"seqLen", std::vector<int64_t>{64, 65536}},
                                                        {"implementations", std::vector<std::string>{"reference"}},
                                                        {"pointSeconds", 0.01}});
        QCOMPARE(content<Table>(run, "points").rows.size(), size_t{1});
        QCOMPARE(run.logs().size(), size_t{1});
        QVERIFY(run.logs()[0].text.find("reference at N = 65536") != std::string::npos);
    }

    void tilesRecordsTheRunThatHappened() {
        const RunRecord run = record("attention.tiles", {{"seqLen", int64_t{16}},
                                                         {"headDim", int64_t{8}},
                                                         {"queryTile", int64_t{4}},
                                                         {"keyTile", int64_t{4}},
                                                         {"causal", true}});
        const auto& walk = content<Steps>(run, "walk").steps;
        QCOMPARE(walk.size(), size_t{16}); // 4 × 4 tiles, 6 of them skipped
        // Q and O once, the log-sum-exp once, K and V tiles of 4 keys for each of the 10 visits; f32.
        QCOMPARE(*content<Metric>(run, "moved").value, 4.0 * (2 * 16 * 8 + 16 + 10 * 2 * 4 * 8));
        QVERIFY(*content<Metric>(run, "largestDifference").value < 1e-6);
        const auto [max, sum] = statisticsOfRow15();
        QVERIFY(std::fabs(barOf(walk.back(), "maximum m", 3) - max) < 1e-5);
        QVERIFY(std::fabs(barOf(walk.back(), "sum l", 3) - sum) < 1e-4);
        QVERIFY(walk[1].caption.starts_with("Keys 4–7 are hidden from queries 0–3"));
        QVERIFY(walk[1].matrices.size() == 1 && walk[0].matrices.size() == 2); // nothing on the chip
    }

    /// Every value of the picture is one that the run has told: scores, bars, bytes.
    void theTilesPictureHoldsTheRunsNumbers() {
        const RunRecord run =
            record("attention.tiles", {{"seqLen", int64_t{16}}, {"headDim", int64_t{8}}, {"causal", true}},
                   std::make_shared<std::atomic<bool>>(false), "vgpu");
        const auto& steps = content<Steps>(run, "walk");
        const Steps::Step& last = steps.steps.back(); // keys 8 to 15 meet queries 8 to 15
        const Steps::Matrix &scores = last.matrices[0], &map = last.matrices[1];
        QCOMPARE(scores.title, std::string("S = Q₁ K₁ᵀ / √d"));
        QCOMPARE(scores.rowNames.front() + scores.rowNames.back() + scores.colNames.front(), std::string("8158"));
        QCOMPARE(scores.absent.size(), size_t{28}); // above the diagonal
        // The largest score of row 15 over both tiles of keys is its maximum.
        const auto& before = steps.steps[1].matrices[0];
        float most = -INFINITY;
        for (size_t c = 0; c < 8; ++c)
            most = std::max({most, scores.values[56 + c], before.values[56 + c]});
        QCOMPARE(static_cast<double>(most), barOf(last, "maximum m", 7));
        QVERIFY(std::fabs(barOf(last, "maximum m", 7) - statisticsOfRow15().first) < 1e-5);
        // One scale for all steps; the map has the largest score of each tile visited.
        QCOMPARE(map.values[2], *std::max_element(before.values.begin(), before.values.end()));
        QVERIFY(map.absent == std::vector<uint32_t>{1} && scores.minimum == before.minimum);
        // The bars of bytes end where the metrics say, standard's at 4·(4Nd + 4N²).
        double ends[2] = {0, 0};
        for (const auto& bar : last.bars.back().bars)
            ends[bar.row] = std::max(ends[bar.row], *bar.to);
        QCOMPARE(ends[0], *content<Metric>(run, "moved").value);
        QCOMPARE(ends[1], 4.0 * (4 * 16 * 8 + 4 * 16 * 16));
        QCOMPARE(*content<Metric>(run, "standardMoves").value, ends[1]);
        // flash2: K and V come onto the chip in each step, Q only where a tile of queries begins.
        const auto origin = [](const Steps::Step& step, const char* id) {
            for (const auto& cell : step.cells)
                if (cell.id.starts_with(id))
                    return cell.origin;
            return std::string("not there");
        };
        QCOMPARE(origin(steps.steps[1], "chip Q 1") + origin(steps.steps[1], "chip K 0"), std::string("Q 1K 0"));
        QCOMPARE(origin(last, "chip Q 1") + origin(last, "chip K 1"), std::string("K 1"));
        QVERIFY(origin(last, "O 1").starts_with("chip O 1")); // finished and written
        // K's first tile comes once for each tile of queries.
        const auto idOf = [](const Steps::Step& step, const char* begin) {
            const auto found = std::find_if(step.cells.begin(), step.cells.end(),
                                            [&](const auto& cell) { return cell.id.starts_with(begin); });
            return found == step.cells.end() ? std::string() : found->id;
        };
        QVERIFY(idOf(steps.steps[0], "chip K 0") != idOf(steps.steps[1], "chip K 0"));
        QCOMPARE(idOf(last, "chip Q 1"), idOf(steps.steps[1], "chip Q 1")); // it stays
        QVERIFY(steps.opensAt >= 0 && steps.opensAt < 3);
    }

    void whatIsNoNumberIsDrawnAsSuch() {
        labs::attention::TileWalk walk;
        walk.shape.queryLen = walk.shape.keyLen = 2;
        walk.shape.headDim = 1;
        walk.kernel = "flash2";
        walk.queryTile = walk.keyTile = 2;
        walk.steps.push_back(
            {0, 2, 0, 2, false, {{0, INFINITY, NAN, 0}, {1, 1.5, 1, 0}}, {NAN, 2, INFINITY, 1.5f}, {}});
        const Steps steps = labs::attention::tilesScenes(walk);
        checkFigure({"walk", "", "", "", Figure::Place::Main, steps});
        const Steps::Step& step = steps.steps[0];
        QVERIFY(!step.bars[0].bars[0].to && step.bars[0].bars[0].text == "∞");
        QVERIFY(!step.bars[1].bars[0].to && step.bars[1].bars[0].text == "NaN");
        QCOMPARE(*step.bars[0].bars[1].to, 1.5);
        QVERIFY(std::isnan(step.matrices[0].values[0]) && std::isinf(step.matrices[0].values[2]));
        QCOMPARE(*step.matrices[0].maximum, 2.0); // of the finite ones
    }

    void tilesOfTheGpuKernelAreRecordedFromIt() {
        for (const char* kernel : {"flash1", "flash2"}) {
            const RunRecord run = record(
                "attention.tiles",
                {{"kernel", std::string(kernel)}, {"seqLen", int64_t{16}}, {"headDim", int64_t{8}}, {"causal", true}},
                std::make_shared<std::atomic<bool>>(false), "vgpu");
            const auto& walk = content<Steps>(run, "walk").steps;
            QCOMPARE(walk.size(), size_t{3}); // 2 × 2 tiles, one of them hidden
            // By hand, f32. flash2: Q, O and lse once, K and V for visits of 1 and 2 tiles. flash1: K and V once; Q of
            // three visits, O, m, l and lse written at each, O and (by four threads a row) m and l read again at the
            // third.
            const double flash2 = 4.0 * (2 * 16 * 8 + 16 + 3 * 2 * 8 * 8),
                         flash1 = 4.0 * (2 * 16 * 8 + 24 * 8 + 24 * (8 + 3) + 8 * (8 + 4 + 4));
            QCOMPARE(*content<Metric>(run, "moved").value, kernel == std::string("flash1") ? flash1 : flash2);
            QVERIFY(*content<Metric>(run, "largestDifference").value < 1e-6);
            const auto& under = content<Steps>(run, "walk").always.cells; // four strips of two, S of two by two
            QVERIFY(under[9].state == Steps::CellState::Skipped && under[10].state == Steps::CellState::Idle);
            const auto [max, sum] = statisticsOfRow15();
            QCOMPARE(walk.back().matrices[0].rowNames.back(), std::string("15"));
            QVERIFY(std::fabs(barOf(walk.back(), "maximum m", 7) - max) < 1e-5);
            QVERIFY(std::fabs(barOf(walk.back(), "sum l", 7) - sum) < 1e-4);
        }
    }

    void tilesAbove32FeaturesAreTheCpus() {
        try {
            record("attention.tiles", {{"headDim", int64_t{48}}}, std::make_shared<std::atomic<bool>>(false), "vgpu");
            QFAIL("not refused");
        } catch (const InputError& e) {
            QVERIFY(QString(e.what()).startsWith("headDim 48: "));
        }
    }

    void trafficAgainstTheTileFindsTheCrossover() {
        const RunRecord run = record("attention.traffic",
                                     {{"against", std::string("tile")},
                                      {"length", int64_t{256}},
                                      {"headDim", int64_t{32}},
                                      {"tiles", std::vector<int64_t>{8, 16, 32, 64}},
                                      {"gpu", std::string("A100")}},
                                     std::make_shared<std::atomic<bool>>(false), "vgpu");
        QCOMPARE(*content<Metric>(run, "agreement").value, 0.0);
        QCOMPARE(*content<Metric>(run, "countedCrossover").value, 32.0); // the papers': more than (3·32 + 4) / 4 = 25
        for (const Curve& curve : content<Series>(run, "bytes").curves)
            if (curve.id == "flash2") { // by hand: Q, O, lse once, K and V for each tile of queries
                QCOMPARE(curve.x, (std::vector<double>{8, 16, 32, 64}));
                for (size_t i = 0; i < 4; ++i)
                    QCOMPARE(curve.y[i], 4.0 * (2 * 256 * 32 + 256 + 2 * 256 / curve.x[i] * 256 * 32));
            }
    }

    void tilesThatDoNotFitAreLeftOutAndSaidSo() {
        const RunRecord run = record("attention.traffic",
                                     {{"against", std::string("tile")},
                                      {"length", int64_t{64}},
                                      {"tiles", std::vector<int64_t>{32, 96}},
                                      {"gpu", std::string("T4")}},
                                     std::make_shared<std::atomic<bool>>(false), "vgpu");
        const auto said = [&](const char* sentence) {
            return std::any_of(run.logs().begin(), run.logs().end(),
                               [&](const Log& log) { return log.text.find(sentence) != std::string::npos; });
        };
        QVERIFY(said("flash1, flash2 are left out: at Tile = 96 a block needs 111 KiB of shared memory"));
        QVERIFY(said("naive, tiled, fused-2pass, flash2-mma are left out: tiles of their own"));
    }

    void trafficCountsWhatTheFormulaSays() {
        const RunRecord run = record(
            "attention.traffic", {{"seqLen", std::vector<int64_t>{32, 96}}, {"headDim", int64_t{32}}, {"causal", true}},
            std::make_shared<std::atomic<bool>>(false), "vgpu");
        QCOMPARE(*content<Metric>(run, "agreement").value, 0.0);
        // flash2 in f32, N = 96, d = 32, causal: Q and O once, K and V in tiles of 32 rows for tiles of 32, 64 and 96.
        const double bytes = 4.0 * (96 * 32 + 2 * (32 + 64 + 96) * 32 + 96 * 32 + 96);
        for (const Curve& curve : content<Series>(run, "bytes").curves)
            if (curve.id == "flash2" || curve.id == "flash2.formula") {
                QCOMPARE(curve.x, (std::vector<double>{32, 96}));
                QCOMPARE(curve.y[1], bytes);
                QVERIFY(curve.provenance == (curve.id == "flash2" ? Provenance::Counted : Provenance::Modelled));
            }
        // Bars: all of one kernel's tensors make its total.
        const auto& bars = content<Series>(run, "bars");
        const auto at = std::find(bars.x.labels.begin(), bars.x.labels.end(), "flash2") - bars.x.labels.begin();
        double total = 0;
        for (const Curve& curve : bars.curves)
            total += curve.y[static_cast<size_t>(at)];
        QCOMPARE(total, bytes);
    }

    void onTheVirtualGpuTimesAreModelledAndErrorsReal() {
        const auto cancel = std::make_shared<std::atomic<bool>>(false);
        const RunRecord race = record("attention.race", {{"seqLen", std::vector<int64_t>{64, 128}}}, cancel, "vgpu");
        QCOMPARE(content<Table>(race, "points").rows.size(), size_t{12});
        for (const Curve& curve : content<Series>(race, "time").curves)
            QVERIFY(curve.provenance == Provenance::Modelled);
        const RunRecord accuracy =
            record("attention.accuracy", {{"queryLen", int64_t{40}}, {"keyLen", int64_t{50}}}, cancel, "vgpu");
        const auto& errors = content<Table>(accuracy, "errors").rows;
        // Stored as f32, as f16 and as bf16: tensor cores take f32 in tf32 and in 8 bits alone, and have sums in f16 of
        // f16 alone.
        QCOMPARE(errors.size(), size_t{7 + 11 + 9});
        for (const auto& row : errors) {
            const std::string& rung = std::get<std::string>(row[0]);
            const double limit = rung == "mma-e4m3"                       ? 0.25
                                 : rung == "mma-tf32"                     ? 0.005
                                 : std::get<std::string>(row[1]) == "f32" ? 1e-5
                                                                          : 0.1;
            QVERIFY(std::get<double>(row[2]) > 0 && std::get<double>(row[2]) < limit);
        }
    }

    void accuracyJudgesEveryRungOnHostileInputs_data() {
        QTest::addColumn<QString>("input");
        for (const auto& kind : labs::attention::inputKinds())
            QTest::newRow(kind.id.c_str()) << QString::fromStdString(kind.id);
    }
    void accuracyJudgesEveryRungOnHostileInputs() {
        QFETCH(QString, input);
        const RunRecord run = record(
            "attention.accuracy",
            {{"input", input.toStdString()}, {"queryLen", int64_t{90}}, {"keyLen", int64_t{70}}, {"causal", true}});
        const auto& rows = content<Table>(run, "errors").rows;
        QCOMPARE(rows.size(), size_t{15}); // five rungs, stored as f32, f16, bf16
        for (const auto& row : rows) {
            const auto text = [&](size_t column) { return std::get<std::string>(row[column]); };
            const int bits = text(0) == "flash-bf16" || text(1) == "bf16" ? 9 : text(1) == "f16" ? 12 : 24;
            // A score of size s is known to about s ulps of the type, and O moves by that much.
            const double score = input == "largeLogits" ? 600 : input == "ascending" ? 100 : 8;
            const double bound = std::min(8.0, 16 * score * std::ldexp(1.0, -bits));
            QVERIFY2(std::get<double>(row[2]) < bound, (text(0) + " " + text(1)).c_str());
            if (bits != 24 && input == "gaussian")
                QVERIFY(std::get<double>(row[2]) > std::ldexp(1.0, -bits - 4)); // the rounding took place
        }
        double outputs = 0;
        for (const double count : content<Histogram>(run, "histogram.f16").sets[0].counts)
            outputs += count;
        QCOMPARE(outputs, 90.0 * 64);
    }

    void theWorstRowOpensTheSameHeadInMap() {
        for (const char* input : {"gaussian", "maskedRows", "largeLogits"}) {
            const RunRecord run = record("attention.accuracy", {{"input", std::string(input)},
                                                                {"queryLen", int64_t{20}},
                                                                {"headDim", int64_t{4}},
                                                                {"keyLen", int64_t{30}}});
            const auto& table = content<Table>(run, "errors");
            QCOMPARE(table.rowLinks.size(), table.rows.size());
            const Link& link = table.rowLinks.at(0);
            Registry registry;
            workbench::Operators operators;
            labs::attention::registerLab(registry, operators);
            std::map<std::string, Value> settings;
            for (const Parameter& parameter : registry.find(link.experiment).describe().parameters)
                if (link.settings.contains(parameter.id))
                    settings[parameter.id] = parseValue(parameter, link.settings.at(parameter.id));
            QCOMPARE(settings.size(), link.settings.size());
            const RunRecord map = record("attention.map", settings);
            const auto& heat = content<Heatmap>(map, "map");
            QCOMPARE(heat.rows, int64_t{20});
            QCOMPARE(heat.cols, int64_t{std::string(input) == "maskedRows" ? 10 : 30});
            QCOMPARE(map.figure("row")->title, "Row " + link.settings.at("row"));
        }
    }

    void rowsWithoutKeysAreJudgedToo() {
        const RunRecord run = record("attention.accuracy", {{"input", std::string("maskedRows")}});
        for (const auto& row : content<Table>(run, "errors").rows) {
            QVERIFY(std::get<double>(row[2]) < 0.1);
            QVERIFY(std::isfinite(std::get<double>(row[5]))); // -inf agrees with -inf
        }
    }

    void sameSeedSameFigures() {
        QVERIFY(record("attention.tiles", {}).figures() == record("attention.tiles", {}).figures());
        QVERIFY(record("attention.tiles", {}).figures() != record("attention.tiles", {{"seed", int64_t{7}}}).figures());
    }

    void cancelEndsARaceWithin200Milliseconds() {
        const auto cancel = std::make_shared<std::atomic<bool>>(false);
        QElapsedTimer since;
        std::thread canceller([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(700));
            since.start();
            *cancel = true;
        });
        bool cancelled = false;
        try {
            record("attention.race", {{"seqLen", std::vector<int64_t>{8192, 16384}}, {"pointSeconds", 5.0}}, cancel);
        } catch (const Cancelled&) {
            cancelled = true;
        }
        const qint64 waited = since.elapsed();
        canceller.join();
        QVERIFY(cancelled);
        QVERIFY2(waited < 200, qPrintable(QString("%1 ms").arg(waited)));
    }

    void mediansAgreeWithTheDefinition() {
        QCOMPARE(workbench::quantile({1, 2, 3, 4, 5}, 0.5), 3.0);
        QCOMPARE(workbench::quantile({1, 2}, 0.1), 1.1);
        int calls = 0;
        const workbench::Timing timing = workbench::timeRepeatedly(
            [&] {
                ++calls;
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            },
            1.0);
        QCOMPARE(calls, timing.repetitions + 1);
        QVERIFY(timing.median >= 0.002 && timing.repetitions >= 5);
    }
};

QTEST_GUILESS_MAIN(AttentionLabTest)
#include "attention_lab_test.moc"
