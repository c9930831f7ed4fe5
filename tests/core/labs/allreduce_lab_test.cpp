// SPDX-License-Identifier: GPL-3.0-or-later
// The Allreduce lab's pages: what they show is what the messages of a run say, and agrees with tables and sums made
// here.
#include "core/collectives/files/nccl_tests.h"
#include "core/error.h"
#include "core/lab/figure_csv.h"
#include "core/lab/record.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/measured_point.h"
#include "core/labs/allreduce/regimes.h"
#include "core/labs/allreduce/replay.h"
#include "tests/core/lab/run_page.h"

#include <QFile>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <cmath>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::labs::allreduce;

namespace {

RunRecord record(const char* id, const std::map<std::string, Value>& given) {
    Registry registry;
    registerLab(registry);
    return test::runPage(registry.find(id), given);
}

template <class Content>
const Content& content(const RunRecord& record, const char* id) {
    return std::get<Content>(record.figure(id)->content);
}

const Curve* curve(const Series& series, const std::string& id) {
    for (const Curve& c : series.curves)
        if (c.id == id)
            return &c;
    return nullptr;
}

std::string text(const char* words) { return words; }

/// Numbers that a scene shows, by rank and chunk in the order of the fields.
std::vector<double> numbersOf(const Steps::Step& scene) {
    std::vector<double> numbers;
    for (const Steps::Label& label : scene.labels)
        if (label.mono && label.text != "no element")
            numbers.push_back(std::stod(label.text));
    return numbers;
}

/// Coloured fields of a scene: contributions that are there.
size_t contributionsOf(const Steps::Step& scene) {
    return static_cast<size_t>(std::count_if(scene.cells.begin(), scene.cells.end(),
                                             [](const Steps::Cell& cell) { return !cell.colourKey.empty(); }));
}

} // namespace

class AllreduceLabTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

  private slots:
    /// The table of the Baidu schedule for four ranks, as published.
    void stepsAreThoseOfTheRingsTable() {
        const RunRecord run = record("allreduce.steps", {{"convention", text("baidu")}, {"ranks", int64_t{4}}});
        const auto& steps = content<Steps>(run, "steps").steps;
        QCOMPARE(steps.size(), size_t{7}); // the start and 2 (p - 1) steps
        const std::vector<std::array<int, 4>> table{{0, 1, 2, 3}, {3, 0, 1, 2}, {2, 3, 0, 1},
                                                    {1, 2, 3, 0}, {0, 1, 2, 3}, {3, 0, 1, 2}};
        for (size_t step = 0; step < table.size(); ++step)
            for (int rank = 0; rank < 4; ++rank) {
                const QString says = QString("%1 → %2 chunk %3%4")
                                         .arg(rank)
                                         .arg((rank + 1) % 4)
                                         .arg(table[step][static_cast<size_t>(rank)])
                                         .arg(step < 3 ? " (added)" : "");
                QVERIFY2(QString::fromStdString(steps[step + 1].caption).contains(says),
                         qPrintable(says + " | " + QString::fromStdString(steps[step + 1].caption)));
            }
        QCOMPARE(contributionsOf(steps[0]), size_t{16});     // four ranks, four chunks, one each
        QCOMPARE(contributionsOf(steps[1]), size_t{16 + 4}); // every message brings one more
        QCOMPARE(contributionsOf(steps.back()), size_t{64});
        QCOMPARE(content<Metric>(run, "agree").value, 1.0);
        QVERIFY(run.logs().empty()); // no warning: the messages give what the ranks hold
    }

    void numbersInTheLastSceneAreTheSums_data() {
        QTest::addColumn<QString>("algorithm");
        for (const auto& algorithm : collectives::algorithms())
            QTest::newRow(algorithm.id.c_str()) << QString::fromStdString(algorithm.id);
    }
    void numbersInTheLastSceneAreTheSums() {
        QFETCH(QString, algorithm);
        const RunRecord run = record("allreduce.steps", {{"algorithm", algorithm.toStdString()},
                                                         {"ranks", int64_t{3}},
                                                         {"elements", int64_t{3}},
                                                         {"pipelineChunks", int64_t{2}},
                                                         {"input", text("integers")},
                                                         {"seed", int64_t{5}}});
        const auto& steps = content<Steps>(run, "steps").steps;
        const RankVectors inputs = makeVectors("integers", number::Format::F32, 3, 3, 5);
        std::vector<double> shown = numbersOf(steps.back()); // chunk after chunk, each rank's
        QVERIFY(!shown.empty() && shown.size() % 3 == 0);
        for (size_t i = 0; i < shown.size(); i += 3)
            QVERIFY(shown[i] == shown[i + 1] && shown[i] == shown[i + 2]);
        double first = 0;
        for (const auto& vector : inputs)
            first += elementAt(number::Format::F32, vector, 0);
        QCOMPARE(shown[0], first);
        QCOMPARE(numbersOf(steps[0])[1], elementAt(number::Format::F32, inputs[1], 0));
    }

    void twoAlgorithmsGoInStep() {
        const RunRecord run = record("allreduce.steps", {{"compare", text("parameter-server")}});
        const auto& steps = content<Steps>(run, "steps").steps;
        QCOMPARE(steps.size(), size_t{7});
        const auto says = [&](size_t step, const char* what) {
            const auto& labels = steps[step].labels;
            return std::any_of(labels.begin(), labels.end(),
                               [&](const auto& label) { return label.text.find(what) != std::string::npos; });
        };
        QVERIFY(says(2, ", 6 steps") && says(2, ", 2 steps"));
        QVERIFY(says(6, ", 6 steps") && says(6, "done after 2 steps"));
        QVERIFY(run.figure("links") && run.figure("links.other"));
    }

    void aReplayTellsWhenMessagesDoNotGiveTheResult() {
        CollectiveJob job;
        job.elements = 100;
        const RankVectors inputs = makeVectors("random", number::Format::F32, 4, 100, 1);
        collectives::RunOptions options;
        options.keepLog = true;
        auto outcome = runJob(job, inputs, options);
        Replay right(outcome.log, job, inputs);
        while (right.next()) {
        }
        QVERIFY(right.matches(outcome.results));
        outcome.log.messages[2].reduce = !outcome.log.messages[2].reduce;
        Replay wrong(outcome.log, job, inputs);
        while (wrong.next()) {
        }
        QVERIFY(!wrong.matches(outcome.results));
    }

    void averagesAreReplayedToo() {
        const RunRecord run = record("allreduce.steps", {{"reduction", text("average")}, {"dtype", text("bf16")}});
        QVERIFY(run.logs().empty());
    }

    void aFaultNamesItsRank() {
        for (const char* fault : {"dies", "hangs"})
            try {
                record("allreduce.steps", {{"fault", text(fault)}, {"faultRank", int64_t{2}}, {"timeout", 0.3}});
                QFAIL("it went on");
            } catch (const collectives::RankFailure& failure) {
                QCOMPARE(failure.rank, 2);
                QVERIFY(QString(failure.what()).contains("ank 2"));
            }
        try {
            record("allreduce.steps", {{"fault", text("count")}, {"faultRank", int64_t{1}}, {"timeout", 2.0}});
            QFAIL("it went on");
        } catch (const collectives::CountMismatch& mismatch) {
            QVERIFY2(QString(mismatch.what()).contains("ank 1"), mismatch.what());
        }
        QVERIFY_EXCEPTION_THROWN(record("allreduce.steps", {{"fault", text("dies")}, {"faultRank", int64_t{9}}}),
                                 InputError);
    }

    void linksAreWhatTheRingSends() {
        const RunRecord run =
            record("allreduce.links", {{"ranks", int64_t{5}}, {"elements", int64_t{1000}}, {"dtype", text("f64")}});
        const auto& map = content<Heatmap>(run, "links");
        for (int64_t from = 0; from < 5; ++from)
            for (int64_t to = 0; to < 5; ++to)
                QCOMPARE(map.cells[static_cast<size_t>(5 * from + to)],
                         to == (from + 1) % 5 ? 2 * 4 / 5.0f * 8000 : 0.0f);
        QVERIFY(QString::fromStdString(content<Metric>(run, "busiest").caption).contains("and 4 others alike"));
        const auto& ranks = content<Series>(run, "ranks").curves;
        QCOMPARE(ranks.size(), size_t{3}); // sent, received, in theory
        QCOMPARE(ranks[2].y[0], 2 * 4 / 5.0 * 8000);
        for (const double sent : ranks[0].y)
            QCOMPARE(sent, ranks[2].y[0]);
        const auto& theory = content<Table>(run, "theory").rows.at(0);
        QCOMPARE(std::get<int64_t>(theory[3]), int64_t{2 * 4 * 8000});
        QCOMPARE(std::get<double>(theory[4]), 2.0 * 4 * 8000);
    }

    void aRaceMeasuresEveryPointAndCountsWhatIsWrong() {
        const std::vector<int64_t> sizes{8, 4096, 100'000};
        const RunRecord run = record("allreduce.race", {{"bytes", sizes},
                                                        {"ranks", int64_t{3}},
                                                        {"pointSeconds", 0.002},
                                                        {"library", false},
                                                        {"algorithms", std::vector<std::string>{"ring", "tree"}}});
        for (const char* id : {"threads.ring", "threads.tree"}) {
            const Curve* time = curve(content<Series>(run, "time"), id);
            const Curve* algbw = curve(content<Series>(run, "algbw"), id);
            const Curve* busbw = curve(content<Series>(run, "busbw"), id);
            QVERIFY(time && algbw && busbw);
            QCOMPARE(time->x, (std::vector<double>{8, 4096, 100'000}));
            for (size_t i = 0; i < 3; ++i) {
                QVERIFY(time->low[i] > 0 && time->low[i] <= time->y[i] && time->y[i] <= time->high[i]);
                QVERIFY(qFuzzyCompare(algbw->y[i], time->x[i] / time->y[i]));
                QVERIFY(qFuzzyCompare(busbw->y[i], algbw->y[i] * 4 / 3)); // 2 (p - 1) / p
            }
        }
        QCOMPARE(content<Metric>(run, "wrong").value, 0.0);
        QCOMPARE(content<Table>(run, "points").rows.size(), size_t{6});
    }

    void partsOfAnAllreduceRunOnTheirOwn_data() {
        QTest::addColumn<QString>("collective");
        QTest::addColumn<double>("factor"); // nccl-tests' doc/PERFORMANCE.md, for three ranks
        QTest::newRow("reduce-scatter") << "reduce-scatter" << 2.0 / 3;
        QTest::newRow("all-gather") << "all-gather" << 2.0 / 3;
        QTest::newRow("broadcast") << "broadcast" << 1.0;
    }
    void partsOfAnAllreduceRunOnTheirOwn() {
        QFETCH(QString, collective);
        QFETCH(double, factor);
        std::vector<std::string> all;
        for (const auto& algorithm : collectives::algorithms())
            all.push_back(algorithm.id);
        const std::map<std::string, Value> given{{"collective", collective.toStdString()},
                                                 {"bytes", std::vector<int64_t>{8, 4000}},
                                                 {"ranks", int64_t{3}},
                                                 {"reduction", text("average")},
                                                 {"pointSeconds", 0.001},
                                                 {"library", false},
                                                 {"algorithms", all}};
        const RunRecord run = record("allreduce.race", given);
        const auto& busbw = content<Series>(run, "busbw").curves;
        QVERIFY(!busbw.empty());
        QCOMPARE(content<Metric>(run, "wrong").value, 0.0);
        for (const Curve& c : busbw)
            QVERIFY(qFuzzyCompare(c.y[1], factor * curve(content<Series>(run, "algbw"), c.id)->y[1]));
        for (const Curve& c : busbw) {
            const RunRecord steps = record("allreduce.steps", {{"collective", collective.toStdString()},
                                                               {"algorithm", c.id.substr(c.id.find('.') + 1)},
                                                               {"ranks", int64_t{3}},
                                                               {"reduction", text("average")}});
            QVERIFY2(steps.logs().empty(), c.id.c_str()); // replayed to the bit
        }
    }

    void aSimulatedRunShowsItsMessagesToo() {
        const RunRecord run = record("allreduce.steps", {{"transport", text("simulated")},
                                                         {"alpha", 10.0},
                                                         {"bandwidth", 1.0},
                                                         {"reduceRate", 0.0},
                                                         {"elements", int64_t{4000}}});
        QVERIFY(run.logs().empty());
        const auto& time = content<Metric>(run, "time");
        QVERIFY(time.provenance == Provenance::Modelled);
        QVERIFY(std::fabs(*time.value - 6 * (10e-6 + 4000e-9)) < 1e-12); // 2 (p - 1) (α + V / (p B))
        for (const auto& span : content<Timeline>(run, "timeline").spans)
            QVERIFY(span.provenance == Provenance::Modelled);
    }

    void scaleCalculatesWhatTheClosedFormSays() {
        const RunRecord run = record("allreduce.scale", {{"network", text("described")},
                                                         {"alpha", 5.0},
                                                         {"bandwidth", 25.0},
                                                         {"reduceRate", 0.0},
                                                         {"bytes", int64_t{1} << 20},
                                                         {"ranks", std::vector<int64_t>{2, 8, 64}},
                                                         {"algorithms", std::vector<std::string>{"ring"}}});
        const Curve* ring = curve(content<Series>(run, "time"), "ring");
        QCOMPARE(ring->x, (std::vector<double>{2, 8, 64}));
        for (size_t i = 0; i < 3; ++i) {
            const double p = ring->x[i], wanted = 2 * (p - 1) * (5e-6 + (1 << 20) / p / 25e9);
            QVERIFY(std::fabs(ring->y[i] / wanted - 1) < 1e-9);
        }
    }

    void scaleIsFittedToARaceOfThisMachine() {
        const RunRecord run = record("allreduce.scale", {{"ranks", std::vector<int64_t>{2, 4}},
                                                         {"bytes", int64_t{65536}},
                                                         {"algorithms", std::vector<std::string>{"ring"}}});
        QVERIFY(*content<Metric>(run, "alpha").value >= 0);
        const auto& fit = content<Series>(run, "fit");
        QVERIFY(curve(fit, "ring 2")->provenance == Provenance::Measured);
        for (const Curve& c : fit.curves) // each algorithm as on the other pages
            QCOMPARE(c.colourKey, c.id.substr(0, c.id.find(' ')));
        QVERIFY(curve(fit, "ring 2.fit")->provenance == Provenance::Modelled);
        QCOMPARE(curve(content<Series>(run, "time"), "ring.measured")->x, std::vector<double>{2});
    }

    void overlapHidesWhatBucketsLet() {
        const std::map<std::string, Value> small{
            {"layers", int64_t{4}}, {"vocabulary", int64_t{0}}, {"width", int64_t{1024}}, {"ranks", int64_t{4}}};
        const RunRecord run = record("allreduce.overlap", small);
        const auto& timeline = content<Timeline>(run, "timeline");
        double compute = 0, end = 0;
        for (const auto& span : timeline.spans) {
            compute += span.track == 0 ? span.end - span.begin : 0;
            end = std::max(end, span.end);
        }
        // four layers of 12 d² parameters, 4 FLOPs a parameter and token
        QVERIFY(std::fabs(compute / (4 * 4.0 * 12 * 1024 * 1024 * 8192 / 150e12) - 1) < 1e-9);
        QVERIFY(std::fabs(*content<Metric>(run, "total").value / end - 1) < 1e-12);
        QVERIFY(std::fabs(*content<Metric>(run, "exposed").value - (end - compute)) < 1e-12);
        const Curve& chosen = content<Series>(run, "buckets").curves.at(2);
        QCOMPARE(chosen.id, std::string("chosen"));
        QVERIFY(chosen.y == std::vector<double>({end - compute, end}));
        auto large = small;
        large["bucket"] = int64_t{4096}; // all in one: nothing can be hidden
        const RunRecord one = record("allreduce.overlap", large);
        QVERIFY(std::fabs(*content<Metric>(one, "hidden").value) < 1e-9);
        QVERIFY(*content<Metric>(one, "exposed").value > *content<Metric>(run, "exposed").value);
    }

    void aRacesTextIsReadAsNcclTestsOutputAndDrawn() {
        const std::map<std::string, Value> small{{"bytes", std::vector<int64_t>{64, 65536}},
                                                 {"pointSeconds", 0.002},
                                                 {"library", false},
                                                 {"algorithms", std::vector<std::string>{"ring"}}};
        const RunRecord run = record("allreduce.race", small);
        const QString markdown = QString::fromStdString(content<Note>(run, "text").markdown);
        const QString block = markdown.section("```", 1, 1);
        const QString path = folder.filePath("ours.txt");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write(block.toUtf8()) > 0);
        file.close();
        const auto read = collectives::readNcclTests(path.toStdString());
        QCOMPARE(read.ranks, 2);
        QCOMPARE(read.rows.size(), size_t{2});
        QVERIFY2(read.warnings.empty(), read.warnings.empty() ? "" : read.warnings[0].c_str());
        const Curve* time = curve(content<Series>(run, "time"), "threads.ring");
        for (size_t i = 0; i < 2; ++i)
            QVERIFY(std::fabs(read.rows[i].timing()->seconds / time->y[i] - 1) < 0.01);

        auto drawn = small;
        drawn["file"] = path.toStdString();
        const RunRecord both = record("allreduce.race", drawn);
        const Curve* theirs = curve(content<Series>(both, "busbw"), "ours.txt, 2 ranks, in place");
        QVERIFY(theirs && theirs->x == (std::vector<double>{64, 65536}));
        QVERIFY(QString::fromStdString(theirs->label).contains("ours.txt"));
        drawn["file"] = folder.filePath("absent.txt").toStdString();
        QVERIFY_EXCEPTION_THROWN(record("allreduce.race", drawn), InputError);
    }

    RunRecord raceWithFile(const char* file) {
        return record("allreduce.race", {{"bytes", std::vector<int64_t>{64}},
                                         {"pointSeconds", 0.001},
                                         {"library", false},
                                         {"algorithms", std::vector<std::string>{"ring"}},
                                         {"file", std::string(WARPLIGHT_TEST_DATA "/data/collectives/") + file}});
    }

    void operationsTypesRootsAndHalvesAreACurveEach() {
        const RunRecord run = raceWithFile("ops_types.log");
        for (const char* operation : {"float sum", "float prod", "float max", "half sum"})
            for (const char* half : {"", ", in place"}) {
                const Curve* found =
                    curve(content<Series>(run, "time"), std::string("ops_types.log, 8 ranks, ") + operation + half);
                QVERIFY2(found, operation);
                QCOMPARE(found->x, (std::vector<double>{1024, 65536, 1048576, 67108864}));
            }
        QVERIFY(curve(content<Series>(raceWithFile("bcast_rootall.log"), "busbw"),
                      "bcast_rootall.log, broadcast, 4 ranks, root 3"));
    }

    void wrongPointsOfAFileAreMarkedAndTold() {
        const RunRecord run = raceWithFile("wrong_values.log");
        const Curve* marks = curve(content<Series>(run, "busbw"), "wrong_values.log, 8 ranks: wrong values");
        QVERIFY(marks && marks->x == (std::vector<double>{1048576, 67108864}));
        QVERIFY(std::any_of(run.logs().begin(), run.logs().end(), [](const Log& log) {
            return log.level == Log::Level::Warning && log.text.find("Values are wrong in 4 of 8") != std::string::npos;
        }));
    }

    void exportedCurvesNameTheirFileAndKeepItsWarnings() {
        const RunRecord run = raceWithFile("nanbad.log");
        const std::string csv = figureCsv(run, *run.figure("busbw"));
        QVERIFY2(csv.starts_with("# Note: nanbad.log, 8 ranks: 1 of its lines is no whole row"), csv.c_str());
        QVERIFY2(csv.find("\n8 x NVIDIA H100 80GB HBM3 (nanbad.log),measured,\"nanbad.log, 8 ranks\",1024,") !=
                     std::string::npos,
                 csv.c_str());
        QVERIFY(csv.find("file 0") == std::string::npos);
    }

    /// A carrier that spoils one element of the last rank.
    void wrongElementsAreCounted() {
        struct Spoiler : Carrier {
            collectives::RunOutcome run(const CollectiveJob& job, const RankVectors& inputs,
                                        const collectives::RunOptions& options) override {
                auto outcome = runJob(job, inputs, options);
                setElement(job.type, outcome.results.back(), 7, 3.5);
                return outcome;
            }
        } spoiler;
        CollectiveJob job;
        job.ranks = 3;
        job.elements = 50;
        QCOMPARE(measurePoint(spoiler, job, 0.001, nullptr).wrong, int64_t{1});
        job.reduction = collectives::Reduction::Average;
        job.type = number::Format::F16;
        QCOMPARE(measurePoint(spoiler, job, 0.001, nullptr).wrong, int64_t{1});
    }

    void countingVectorsAreWhatTheyShouldBe() {
        for (const int64_t elements : {0, 1, 4, 5, 6, 23, 1000}) {
            const RankVectors vectors = countingVectors(number::Format::F32, 3, elements);
            for (int64_t i = 0; i < elements; ++i) {
                double sum = 0;
                for (int rank = 0; rank < 3; ++rank) {
                    const double value = elementAt(number::Format::F32, vectors[static_cast<size_t>(rank)], i);
                    QCOMPARE(value, static_cast<double>((i + rank) % 5 - 2));
                    sum += value;
                }
                QCOMPARE(countingResult(collectives::Reduction::Sum, 3, i), sum);
            }
        }
    }

    void wholeNumbersAreExactAndOthersWithinTheBound() {
        const std::vector<int64_t> ranks{2, 5, 8};
        const std::vector<std::string> all{"ring",  "recursive-doubling", "halving-doubling", "tree", "double-tree",
                                           "naive", "parameter-server",   "hierarchical"};
        const RunRecord exact =
            record("allreduce.numbers",
                   {{"input", text("integers")}, {"ranks", ranks}, {"elements", int64_t{300}}, {"algorithms", all}});
        for (const auto& row : content<Table>(exact, "bits").rows) {
            QCOMPARE(std::get<double>(row[3]), 0.0);
            for (const size_t column : {6, 7})
                QCOMPARE(std::get<std::string>(row[column]), std::string("yes"));
            QVERIFY(std::get<std::string>(row[8]) != "no");
        }
        const RunRecord rounded =
            record("allreduce.numbers",
                   {{"dtype", text("f32")}, {"ranks", ranks}, {"elements", int64_t{300}}, {"algorithms", all}});
        bool differs = false;
        for (const auto& row : content<Table>(rounded, "bits").rows) {
            const double p = static_cast<double>(std::get<int64_t>(row[1]));
            // |error| <= (p - 1) u sum|x| (Higham 2002, 4.2), with u half a unit; one more for the unit's own step
            QVERIFY2(std::get<double>(row[3]) <= p, qPrintable(QString::number(std::get<double>(row[3]))));
            QCOMPARE(std::get<std::string>(row[7]), std::string("yes"));
            differs = differs || std::get<std::string>(row[8]) == "no";
        }
        QVERIFY(differs); // another order, other bits
    }

    void exactSumsAreExact() {
        RankVectors vectors(3, std::vector<std::byte>(16));
        const double values[3][2] = {{1e16, 1}, {1, 1e-30}, {-1e16, -1}};
        for (size_t rank = 0; rank < 3; ++rank)
            for (int64_t i = 0; i < 2; ++i)
                setElement(number::Format::F64, vectors[rank], i, values[rank][i]);
        const ExactSums exact = exactSums(number::Format::F64, vectors);
        QCOMPARE(exact.sums, (std::vector<double>{1, 1e-30}));
        QCOMPARE(exact.magnitudes[0], 2e16 + 1);
    }

    void aUnitInTheLastPlaceIsTheDistanceToTheNext() {
        for (const double value : {1.0, 1.5, 1e-3, 3e5, 0.99999})
            QCOMPARE(unitInLastPlace(number::Format::F32, value),
                     static_cast<double>(std::nextafter(static_cast<float>(value), INFINITY)) -
                         static_cast<double>(static_cast<float>(value)));
        QCOMPARE(unitInLastPlace(number::Format::F64, 1.0), std::nextafter(1.0, 2.0) - 1);
        QCOMPARE(unitInLastPlace(number::Format::F16, 1.0), std::ldexp(1.0, -10));
        QCOMPARE(unitInLastPlace(number::Format::BF16, 256.0), 2.0); // above 256 bfloat16 has even numbers only
        QCOMPARE(unitInLastPlace(number::Format::F16, 0.0), std::ldexp(1.0, -24));
    }

    void regimesAreFittedAndEndsOfTheRangeAreKept() {
        std::vector<RegimePoint> points;
        for (double bytes = 8; bytes <= 1 << 24; bytes *= 4)
            points.push_back({bytes, 5e-6 + bytes / 2e10});
        const auto fit = fitLatencyBandwidth(points);
        QVERIFY(fit && std::fabs(fit->latency / 5e-6 - 1) < 1e-9 && std::fabs(fit->secondsPerByte * 2e10 - 1) < 1e-9);
        QVERIFY(std::fabs(fit->halfBandwidthBytes() / 1e5 - 1) < 1e-9 && fit->typicalMiss < 1e-9);
        QVERIFY(!fitLatencyBandwidth({{8, 1e-6}}));
        QVERIFY(!fitLatencyBandwidth({{8, 1e-6}, {8, 2e-6}}));
        const auto steep = fitLatencyBandwidth({{1, 1e-9}, {2, 3e-9}, {3, 6e-9}}); // a line would begin below zero
        QVERIFY(steep && steep->latency == 0 && steep->secondsPerByte > 0);
    }
};

QTEST_GUILESS_MAIN(AllreduceLabTest)
#include "allreduce_lab_test.moc"
