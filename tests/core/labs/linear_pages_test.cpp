// SPDX-License-Identifier: GPL-3.0-or-later
// The pages of linear attention that are no operator's, run as the engine runs them: against sums made here.
#include "core/algebra/decomposition.h"
#include "core/error.h"
#include "core/labs/linear/memory_story.h"
#include "core/labs/linear/spectrum.h"
#include "tests/core/labs/page_record.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::labs::linear;
using namespace warplight::test;

class LinearPagesTest : public QObject {
    Q_OBJECT

  private slots:
    void operationsOfBothOrdersAreCounted() {
        const RunRecord run = record(
            "linear.order",
            {{"seqLen", int64_t{128}}, {"headDim", int64_t{32}}, {"seqLens", std::vector<int64_t>{16, 32, 64, 128}}},
            "vgpu");
        const auto& table = content<Table>(run, "products");
        double scores = 0, state = 0;
        for (size_t i = 0; i < 4; ++i)
            (i < 2 ? scores : state) += std::get<double>(table.rows[i][2]);
        QCOMPARE(scores, 4.0 * 128 * 128 * 32);
        QCOMPARE(state, 4.0 * 128 * 32 * 32);
        QVERIFY(near(metric(run, "crossing"), 32, 1e-9)); // n = d
        QVERIFY(metric(run, "difference") < 1e-5);
        QCOMPARE(curve(run, "flops", "scores").y[1], curve(run, "flops", "state").y[1]);
        QVERIFY(std::get<double>(table.rows[0][3]) > 4.0 * (2 * 128 * 32 + 128 * 128)); // reads tiles more than once
        const auto& steps = content<Steps>(run, "orders").steps;
        QCOMPARE(steps.size(), size_t{4});
        for (const Steps::Step& step : steps)
            QVERIFY(!step.caption.empty() && !step.cells.empty());
    }

    void bothOrdersRunOnACpu() {
        const RunRecord run = record("linear.order", {{"seqLens", std::vector<int64_t>{64, 256}}});
        QVERIFY(metric(run, "difference") < 1e-5);
        QVERIFY(run.figure("bytes") == nullptr); // nobody counts there
        for (const double seconds : curve(run, "time", "scores").y)
            QVERIFY(seconds > 0);
    }

    void aKeyWrittenTwiceReadsItsSumOrItsLastValue() {
        const auto with = [](const char* rule) {
            return record(
                "linear.state",
                {{"rule", std::string(rule)}, {"input", std::string("twice")}, {"beta", 1.0}, {"decay", 1.0}});
        };
        QVERIFY(near(metric(with("delta"), "last"), 0, 1e-6));       // percent; its keys are orthogonal
        QVERIFY(near(metric(with("gated-delta"), "last"), 0, 1e-6)); // nothing is forgotten
        for (const char* rule : {"add", "retention", "gla"}) {
            const RunRecord run = with(rule);
            QVERIFY(metric(run, "last") > 50);
            QVERIFY(content<Metric>(run, "last").caption.find("off the sum 0\u00a0%") != std::string::npos);
        }
    }

    void theStateIsTheSumOfWhatWasWritten() {
        const RunRecord run = record("linear.state", {{"rule", std::string("retention")},
                                                      {"decay", 0.5},
                                                      {"stateSize", int64_t{8}},
                                                      {"words", int64_t{5}},
                                                      {"rewritten", int64_t{2}}});
        StoryKind kind;
        kind.words = 5;
        kind.rewritten = 2;
        const MemoryStory story = makeStory(kind, 8, 8, 42);
        const auto& steps = content<Steps>(run, "state").steps;
        QCOMPARE(steps.size(), story.tokens.size());
        std::vector<double> s(64);
        for (size_t t = 0; t < steps.size(); ++t) {
            const MemoryStory::Token& token = story.tokens[t];
            if (!token.asks)
                for (size_t i = 0; i < 64; ++i)
                    s[i] = 0.5 * s[i] + story.key(token)[i / 8] * story.value(token)[i % 8];
            const auto& shown = steps[t].matrices;
            QCOMPARE(shown.size(), size_t(token.asks ? 2 : 4)); // before, written, after; what is read
            for (size_t i = 0; i < 64; ++i)
                QVERIFY(near(static_cast<double>(shown[token.asks ? 0 : 2].values[i]), s[i], 1e-6));
            if (!token.asks)
                for (size_t i = 0; i < 64; ++i)
                    QVERIFY(near(static_cast<double>(shown[1].values[i]),
                                 story.key(token)[i / 8] * story.value(token)[i % 8], 1e-6));
        }
        QVERIFY(near(curve(run, "norm", "add").y[0], 1, 1e-9)); // one key and one value of length 1
        QVERIFY(near(curve(run, "rank", "add").y[0], 1, 1e-6));
    }

    void orthogonalKeysAreRecalledExactly() {
        const RunRecord run = record("linear.state", {{"input", std::string("orthogonal")},
                                                      {"beta", 1.0},
                                                      {"decay", 1.0},
                                                      {"words", int64_t{16}},
                                                      {"rewritten", int64_t{0}}});
        for (const char* rule : {"add", "retention", "gla", "delta", "gated-delta"})
            for (const double error : curve(run, "age", rule).y)
                QVERIFY(near(error, 0, 1e-6));
    }

    void oldWordsFadeWithTheDecay() {
        const RunRecord run = record(
            "linear.state",
            {{"input", std::string("orthogonal")}, {"decay", 0.5}, {"words", int64_t{8}}, {"rewritten", int64_t{0}}});
        const auto& retention = curve(run, "age", "retention");
        for (size_t age = 0; age < 8; ++age)
            QVERIFY(near(retention.y[age], 1 - std::pow(0.5, static_cast<double>(age)), 1e-6));
    }

    void recallGrowsWithTheState() {
        const RunRecord run = record("linear.recall", {{"sizes", std::vector<int64_t>{4, 16, 64}},
                                                       {"words", int64_t{16}},
                                                       {"rewritten", int64_t{8}},
                                                       {"wordCounts", std::vector<int64_t>{4, 64}},
                                                       {"stories", int64_t{8}}});
        for (const char* rule : {"add", "retention", "gla", "delta", "gated-delta"}) {
            const Curve& size = curve(run, "size", rule);
            QVERIFY2(size.y[0] < size.y[2], rule);
            const Curve& words = curve(run, "words", rule);
            QVERIFY2(words.y[0] >= words.y[1], rule);
        }
        // What was written again: the sum of both values against the last of them.
        QVERIFY(curve(run, "size", "delta").y[2] > curve(run, "size", "add").y[2] + 10);
        QVERIFY(curve(run, "size", "delta").y[2] > 90);
    }

    void formsAreEqual_data() {
        QTest::addColumn<QString>("rule");
        for (const auto& rule : cpu::linearRules())
            QTest::newRow(std::string(rule.name).c_str()) << QString::fromStdString(std::string(rule.name));
    }
    void formsAreEqual() {
        QFETCH(QString, rule);
        const RunRecord run = record("linear.forms", {{"rule", rule.toStdString()},
                                                      {"featureMap", std::string(rule == "add" ? "elu1" : "identity")},
                                                      {"normalise", rule == "add"},
                                                      {"seqLen", int64_t{100}},
                                                      {"headDim", int64_t{16}},
                                                      {"chunks", std::vector<int64_t>{1, 7, 64, 128}}});
        const auto& table = content<Table>(run, "errors");
        QCOMPARE(table.rows.size(), size_t{4});
        const double bounds[]{1e-12, 1e-5, 1e-2, 1e-1};
        for (size_t row = 0; row < 4; ++row)
            for (size_t form = 1; form < 5; ++form)
                QVERIFY2(std::get<double>(table.rows[row][form]) < bounds[row],
                         std::to_string(std::get<double>(table.rows[row][form])).c_str());
        QVERIFY(std::get<double>(table.rows[3][1]) > std::get<double>(table.rows[1][1])); // bf16 is coarser than f32
        QCOMPARE(curve(run, "time", "chunked").x, (std::vector<double>{1, 7, 64, 128}));
        QVERIFY(metric(run, "over.recurrent") > 0);
    }

    /// Windows, numbers of keys and ranks that are as large as the sequence leave nothing out.
    void replacementsThatLeaveNothingOutAreExact() {
        const RunRecord run = record("linear.pareto", {{"seqLen", int64_t{64}},
                                                       {"headDim", int64_t{16}},
                                                       {"pointSeconds", 0.01},
                                                       {"input", std::string("gaussian")}});
        std::map<std::string, double> errors;
        const auto& table = content<Table>(run, "methods");
        for (const auto& row : table.rows)
            errors[std::get<std::string>(row[0]) + " " + std::get<std::string>(row[1])] = std::get<double>(row[2]);
        QVERIFY(errors.size() > 30);
        for (const char* exact : {"Exact attention ", "Local window = 64", "Local window = 256", "Top-k top = 128",
                                  "BigBird window = 64", "Longformer window = 64"})
            QVERIFY2(errors.contains(exact) && errors[exact] < 1e-5, exact);
        QVERIFY(errors.contains("Nyström rank = 64") && errors["Nyström rank = 64"] < 1e-3);
        for (const char* rough :
             {"Local window = 16", "Top-k top = 8", "elu + 1 ", "Pooling rank = 16", "Atrous stride = 16"})
            QVERIFY2(errors.contains(rough) && errors[rough] > 1e-2, rough);
        QVERIFY(errors["FAVOR+ features = 256"] < errors["FAVOR+ features = 16"]);
        const Curve& front = curve(run, "flops", "front");
        QVERIFY(std::is_sorted(front.x.begin(), front.x.end()));
        QVERIFY(std::is_sorted(front.y.rbegin(), front.y.rend()));
        QVERIFY(front.y.back() < 1e-5);
    }

    void lowRankHasNoCausalMask() {
        const RunRecord run =
            record("linear.pareto",
                   {{"seqLen", int64_t{32}}, {"headDim", int64_t{8}}, {"pointSeconds", 0.01}, {"causal", true}});
        for (const auto& row : content<Table>(run, "methods").rows)
            QVERIFY(std::get<std::string>(row[0]) != "Linformer" && std::get<std::string>(row[0]) != "Double softmax");
        QVERIFY(std::any_of(run.logs().begin(), run.logs().end(),
                            [](const Log& l) { return l.text.find("causal") != std::string::npos; }));
    }

    void effectiveRankIsTheNumberOfEqualDirections() {
        QVERIFY(near(effectiveRank(std::vector<double>{2, 2, 2}), 3, 1e-12));
        QVERIFY(near(effectiveRank(std::vector<double>{1, 0, 0}), 1, 1e-12));
        QCOMPARE(effectiveRank(std::vector<double>{0, 0}), 0.0);
        const std::vector<double> values = algebra::singularValues(std::vector<double>{3, 0, 0, 0, -4, 0}, 2, 3);
        QVERIFY(near(values[0], 4, 1e-12) && near(values[1], 3, 1e-12));
        QVERIFY(algebra::singularValues(std::vector<double>{NAN}, 1, 1).empty());
    }
};

QTEST_GUILESS_MAIN(LinearPagesTest)
#include "linear_pages_test.moc"
