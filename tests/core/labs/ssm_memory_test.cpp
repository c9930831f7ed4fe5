// SPDX-License-Identifier: GPL-3.0-or-later
// The page Memory of a signal, run as the engine runs it: against closed forms of what its memories hold.
#include "core/error.h"
#include "tests/core/labs/page_record.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::test;

namespace {

using Names = std::vector<std::string>;

RunRecord memory(Given given) { return record("ssm.memory", std::move(given)); }

const Steps& film(const RunRecord& run) { return content<Steps>(run, "memory"); }

const Steps::Trace& trace(const Steps::Step& step, std::string_view title) {
    const auto found =
        std::find_if(step.traces.begin(), step.traces.end(), [&](const auto& t) { return t.title == title; });
    if (found == step.traces.end())
        throw InputError("no trace " + std::string(title));
    return *found;
}

/// The row of a measure in the table.
const std::vector<Table::Cell>& row(const RunRecord& run, size_t measure) {
    return content<Table>(run, "measures").rows.at(measure);
}

} // namespace

class SsmMemoryTest : public QObject {
    Q_OBJECT
  private slots:
    void aConstantIsTheFirstCoefficient() {
        // Of u = 1 from nothing: 1 - 1/(2n + 1) after n bilinear steps, 1 - 1/(n + 1) with zero-order hold.
        for (const bool bilinear : {true, false}) {
            const RunRecord run = memory({{"signal", std::string("drawn")},
                                          {"drawn", std::string("1,1")},
                                          {"length", int64_t{200}},
                                          {"n", int64_t{8}},
                                          {"measures", Names{"legs"}},
                                          {"rule", std::string(bilinear ? "bilinear" : "zoh")}});
            const auto& steps = film(run).steps;
            QCOMPARE(steps.size(), size_t{100});
            for (const size_t moment : {size_t{0}, size_t{49}, size_t{99}}) {
                const double n = 2.0 * static_cast<double>(moment + 1);
                const double expected = bilinear ? 1 - 1 / (2 * n + 1) : 1 - 1 / (n + 1);
                const auto found = static_cast<double>(trace(steps[moment], "coefficient").ys[0]);
                QVERIFY2(std::fabs(found - expected) < 1e-6, qPrintable(QString::number(found, 'g', 9)));
            }
        }
    }

    void aSlowSignalComesBack() {
        const RunRecord run = memory({{"measures", Names{"legs", "legt", "lmu", "fout"}}, {"n", int64_t{64}}});
        QVERIFY(std::get<double>(row(run, 0)[1]) < 1);  // all of the past, percent
        QVERIFY(std::get<double>(row(run, 1)[2]) < 1);  // a window
        QVERIFY(std::get<double>(row(run, 1)[1]) > 50); // of which the rest is not known
        QVERIFY(std::get<double>(row(run, 2)[2]) < 1);
        QVERIFY(std::get<double>(row(run, 3)[2]) < 10); // periods that do not fit into the window cost it
        // What is drawn is near the signal.
        const auto& recalled = trace(film(run).steps.back(), "LegS");
        const auto& signal = trace(film(run).always, "signal");
        double worst = 0;
        for (size_t i = 0; i < recalled.ys.size(); ++i)
            worst = std::max(
                worst, static_cast<double>(std::fabs(recalled.ys[i] - signal.ys[static_cast<size_t>(recalled.xs[i])])));
        QVERIFY(worst > 0 && worst < 0.03);
    }

    void forwardEulerLeavesTheCircleWhereTheoryHasIt() {
        // S4's matrix has the eigenvalues -1 to -N: 1 - ΔN is outside for Δ above 2/N.
        const auto with = [](double step) {
            return memory({{"measures", Names{"s4"}}, {"rule", std::string("forward-euler")}, {"step", step}});
        };
        const RunRecord stable = with(0.031), unstable = with(0.032); // 2/64 = 0.03125
        QVERIFY(std::fabs(std::get<double>(row(stable, 0)[3]) - (0.031 * 64 - 1)) < 1e-9);
        QVERIFY(std::fabs(std::get<double>(row(unstable, 0)[3]) - (0.032 * 64 - 1)) < 1e-9);
        QVERIFY(std::holds_alternative<int64_t>(row(unstable, 0)[4]));
        QVERIFY(metric(unstable, "pole") > 1);
        const auto& steps = film(unstable).steps;
        const auto said = [](const Steps::Step& step) {
            return step.caption.find("Beyond ten times the signal: S4. A pole was outside") != std::string::npos;
        };
        QVERIFY(said(steps.back()) && !said(film(stable).steps.back()));
        for (const char* rule : {"bilinear", "backward-euler", "zoh", "mamba"}) {
            const RunRecord run = memory({{"measures", Names{"legs", "legt", "lmu", "lagt", "fout", "s4"}},
                                          {"rule", std::string(rule)},
                                          {"step", 0.2},
                                          {"n", int64_t{32}}});
            for (size_t m = 0; m < 6; ++m)
                QVERIFY2(std::get<double>(row(run, m)[3]) <= 1 + 1e-9, rule);
        }
    }

    void whatIsDrawnIsRemembered() {
        const RunRecord before = memory({{"length", int64_t{101}}});
        const auto& always = film(before).always;
        const auto& sheet = trace(always, "signal");
        QVERIFY(sheet.link >= 0);
        Given given{{"length", int64_t{101}}, {sheet.draws, std::string("0,1,-1")}};
        for (const auto& [id, text] : always.links.at(static_cast<size_t>(sheet.link)).settings)
            given[id] = text;
        const RunRecord drawn = memory(given);
        const auto& signal = trace(film(drawn).always, "signal");
        QCOMPARE(signal.ys.size(), size_t{101});
        QCOMPARE(signal.ys[0], 0.0f);
        QCOMPARE(signal.ys[25], 0.5f);
        QCOMPARE(signal.ys[50], 1.0f);
        QCOMPARE(signal.ys[100], -1.0f);
    }

    void aFileIsRead() {
        QTemporaryDir folder;
        const std::string file = folder.filePath("one.csv").toStdString();
        std::ofstream(file) << "volts\n0.5\n-0.25\n1\n0\n";
        const RunRecord run = memory({{"signal", std::string("file")}, {"file", file}, {"n", int64_t{2}}});
        QCOMPARE(trace(film(run).always, "signal").ys, (std::vector<float>{0.5f, -0.25f, 1, 0}));
        QCOMPARE(film(run).steps.size(), size_t{4});
    }

    void noiseIsHeardButNotAskedFor() {
        const Given quiet{{"measures", Names{"legs"}}};
        Given loud = quiet;
        loud["noise"] = 0.5;
        const RunRecord clean = memory(quiet), noisy = memory(loud);
        QCOMPARE(trace(film(noisy).always, "signal").ys, trace(film(clean).always, "signal").ys);
        QVERIFY(metric(noisy, "all") > 4 * metric(clean, "all"));
        QVERIFY(metric(noisy, "all") < 100); // and most of it is averaged away
    }

    void badInputIsRefusedInASentence_data() {
        QTest::addColumn<QString>("id");
        QTest::addColumn<QString>("value");
        QTest::addColumn<QString>("told");
        QTest::newRow("word") << "drawn"
                              << "0,zero,1"
                              << "drawn: value 2 is 'zero', expected finite numbers";
        QTest::newRow("nothing") << "drawn"
                                 << ""
                                 << "drawn: 0 values, expected 1 to 4096";
        QTest::newRow("infinite") << "drawn"
                                  << "1,inf"
                                  << "drawn: value 2 is 'inf'";
        QTest::newRow("gap") << "drawn"
                             << "1,,2"
                             << "drawn: value 2 is ''";
        QTest::newRow("no file") << "file"
                                 << ""
                                 << "file: no file is named";
    }
    void badInputIsRefusedInASentence() {
        QFETCH(QString, id);
        QFETCH(QString, value);
        QFETCH(QString, told);
        QString sentence;
        try {
            memory({{"signal", id.toStdString()}, {id.toStdString(), value.toStdString()}});
        } catch (const InputError& error) {
            sentence = error.what();
        }
        QVERIFY2(sentence.startsWith(told), qPrintable(sentence));
    }

    void noMeasureIsRefused() {
        QVERIFY_THROWS_EXCEPTION(InputError, memory({{"measures", Names{}}}));
        QVERIFY_THROWS_EXCEPTION(InputError, memory({{"measures", Names{"fout"}}, {"n", int64_t{7}}}));
    }
};

QTEST_GUILESS_MAIN(SsmMemoryTest)
#include "ssm_memory_test.moc"
