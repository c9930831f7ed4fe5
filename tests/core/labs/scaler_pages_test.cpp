// SPDX-License-Identifier: GPL-3.0-or-later
// The pages Scaler game and Scaler log, run as the engine runs them.
#include "core/error.h"
#include "core/lab/record.h"
#include "core/labs/all_labs.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/training/curves.h"
#include "core/workbench/operator.h"
#include "tests/core/lab/run_page.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using test::content;

namespace {

using Given = std::map<std::string, Value>;

RunRecord record(const char* id, const Given& given = {}, bool cancelled = false) {
    Registry registry;
    labs::precision::registerLab(registry);
    return test::runPage(registry.find(id), given, "cpu", cancelled);
}

const Curve& curve(const RunRecord& run, const char* figure, const std::string& id) {
    for (const Curve& c : content<Series>(run, figure).curves)
        if (c.id == id)
            return c;
    throw std::runtime_error("no curve " + id);
}

Table::Cell cell(const Table& table, const std::string& name, const std::string& column) {
    for (size_t c = 0; c < table.columns.size(); ++c)
        if (table.columns[c].id == column)
            for (const auto& row : table.rows)
                if (std::get<std::string>(row[0]) == name)
                    return row[c];
    throw std::runtime_error("no cell " + name + ", " + column);
}

double amount(const Table::Cell& cell) { return std::get<double>(cell); }
int64_t whole(const Table::Cell& cell) { return std::get<int64_t>(cell); }
std::string word(const char* text) { return text; }

std::string sentence(const char* page, const Given& given) {
    try {
        record(page, given);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class ScalerPagesTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    std::string written(const char* name, const QByteArray& text) const {
        QFile out(folder.filePath(name));
        out.open(QIODevice::WriteOnly);
        out.write(text);
        return folder.filePath(name).toStdString();
    }

  private slots:
    void theGameShowsSkipsAndLossesAtOnce() {
        const RunRecord run = record("precision.scaler");
        const double skips = *content<Metric>(run, "skips").value;
        QVERIFY(skips > 5 && skips < 100);
        QCOMPARE(static_cast<double>(curve(run, "scale", "skipped").x.size()), skips);
        QCOMPARE(static_cast<double>(curve(run, "largest", "over").x.size()), skips);
        for (const double product : curve(run, "largest", "over").y)
            QVERIFY(product >= 65520);
        for (const double product : curve(run, "largest", "product").y)
            QVERIFY(product < 65520);
        QVERIFY(*content<Metric>(run, "score").value > 0 && *content<Metric>(run, "score").value < 100);
        QVERIFY(*content<Metric>(run, "zeros").value > 0);
        QCOMPARE(content<Metric>(run, "bits").provenance, Provenance::Counted); // sizes were recorded
        // Each skipped step loses 11 bits of 3000 steps' mean, the others little.
        const double lost = *content<Metric>(run, "bits").value;
        QVERIFY(lost > 11 * skips / 3000 && lost < 11 * skips / 3000 + 0.1);
    }

    void othersPlayOnTheSameGradients() {
        const RunRecord run = record("precision.scaler");
        const auto& table = content<Table>(run, "scalers");
        QCOMPARE(std::get<std::string>(table.rows.front()[0]), word("Yours"));
        QCOMPARE(whole(cell(table, "PyTorch GradScaler", "interval")), int64_t(2000));
        QCOMPARE(amount(cell(table, "No scaling", "score")), 0.0);
        QCOMPARE(amount(cell(table, "Best in each step", "score")), 100.0);
        const double best = amount(cell(table, "Best in each step", "bits"));
        for (const auto& row : table.rows)
            QVERIFY(amount(row[4]) >= best);
        // A click on a framework plays with its settings: what was its row is now yours.
        const auto link = std::find_if(table.rowLinks.begin(), table.rowLinks.end(), [&](const auto& l) {
            return std::get<std::string>(table.rows[static_cast<size_t>(l.first)][0]) == "Megatron";
        });
        QVERIFY(link != table.rowLinks.end());
        Registry registry;
        labs::precision::registerLab(registry);
        Given given;
        for (const Parameter& p : registry.find("precision.scaler").describe().parameters)
            if (const auto set = link->second.settings.find(p.id); set != link->second.settings.end())
                given[p.id] = parseValue(p, set->second);
        const RunRecord theirs = record("precision.scaler", given);
        QCOMPARE(amount(cell(content<Table>(theirs, "scalers"), "Yours", "bits")),
                 amount(cell(table, "Megatron", "bits")));
        QCOMPARE(curve(theirs, "scale", "yours").y.front(), 0x1p32);
    }

    void settingsAreTheScalers() {
        const std::string norms = written("three.txt", "3\n3\n3\n3\n3\n3\n3\n3\n");
        const Given given = {
            {"input", word("file")}, {"file", norms}, {"initial", int64_t(16)}, {"interval", int64_t(4)}};
        const RunRecord run = record("precision.scaler", given);
        QCOMPARE(*content<Metric>(run, "skips").value, 3.0);
        QCOMPARE(curve(run, "scale", "skipped").x, (std::vector<double>{1, 2, 7}));
        QCOMPARE(curve(run, "scale", "skipped").y, (std::vector<double>{65536, 32768, 32768}));
        QCOMPARE(content<Metric>(run, "bits").provenance, Provenance::Modelled); // of the largest alone
        QVERIFY(!run.logs().empty());
        Given other = given;
        other["hysteresis"] = int64_t(2);
        QCOMPARE(curve(record("precision.scaler", other), "scale", "skipped").x, (std::vector<double>{1, 2, 3, 8}));
        other = given;
        other["backoff"] = 0.25;
        QCOMPARE(curve(record("precision.scaler", other), "scale", "skipped").x, (std::vector<double>{1, 6}));
        other = given;
        other["minimum"] = 40000.0;
        QCOMPARE(*content<Metric>(record("precision.scaler", other), "skips").value, 8.0);
        other = given;
        other["growth"] = 1.0;
        QCOMPARE(*content<Metric>(record("precision.scaler", other), "skips").value, 2.0);
    }

    void theGameReplaysAtOnce() {
        Registry registry;
        labs::precision::registerLab(registry);
        const Experiment& page = registry.find("precision.scaler");
        QVERIFY(page.estimatedSeconds(Settings(page.describe().parameters, {})) < 1);
    }

    void theExampleLogIsOfATraining() {
        const RunRecord run = record("precision.scaler-log");
        QCOMPARE(*content<Metric>(run, "skipped").value, static_cast<double>(curve(run, "scale", "skipped").x.size()));
        QCOMPARE(*content<Metric>(run, "share").value, *content<Metric>(run, "skipped").value / 10); // of 1000 steps
        QCOMPARE(content<Series>(run, "scale").x.title, word("step"));
        QCOMPARE(*content<Metric>(run, "last").value, curve(run, "scale", "scaler0").y.back());
        QCOMPARE(curve(run, "skips", "skips").y.back(), *content<Metric>(run, "skipped").value);
        QVERIFY(!run.logs().empty());
    }

    void aFileHasACurveForEachScaler() {
        const RunRecord run =
            record("precision.scaler-log",
                   {{"input", word("file")}, {"file", word(WARPLIGHT_TEST_DATA "/data/loss_scaler_logs/apex.log")}});
        QCOMPARE(*content<Metric>(run, "skipped").value, 5.0);
        QVERIFY(!content<Metric>(run, "share").value);
        QCOMPARE(*content<Metric>(run, "lowest").value, 4096.0);
        QCOMPARE(content<Series>(run, "scale").x.title, word("event"));
        QCOMPARE(curve(run, "scale", "scaler0").label, word("scaler 0"));
        QCOMPARE(curve(run, "scale", "scaler0").y.front(), 65536.0);
        QCOMPARE(curve(run, "scale", "scaler0").y.back(), 4096.0);
        QCOMPARE(curve(run, "scale", "scaler1").y.back(), 32768.0);
        QCOMPARE(curve(run, "scale", "skipped").y, (std::vector<double>{65536, 32768, 16384, 8192, 65536}));
        const auto& scalers = content<Table>(run, "scalers");
        QCOMPARE(whole(cell(scalers, "scaler 0", "skips")), int64_t(4));
        QCOMPARE(whole(cell(scalers, "scaler 1", "skips")), int64_t(1));
        QCOMPARE(content<Table>(run, "events").rows.size(), size_t(5));
        for (const Curve& c : content<Series>(run, "scale").curves)
            QVERIFY(std::is_sorted(c.x.begin(), c.x.end()));
    }

    void pastedTextIsReadAsAFileIs() {
        const RunRecord run =
            record("precision.scaler-log",
                   {{"input", word("text")},
                    {"text", word("iteration 10/ 50 | loss scale: 8.0 | number of skipped iterations: 3 |\n"
                                  "iteration 20/ 50 | loss scale: 16.0 | number of skipped iterations: 1 |")}});
        QCOMPARE(*content<Metric>(run, "skipped").value, 4.0);
        QCOMPARE(*content<Metric>(run, "share").value, 20.0);
        QCOMPARE(curve(run, "scale", "scaler0").x, (std::vector<double>{10, 20}));
        QCOMPARE(curve(run, "scale", "skipped").x, (std::vector<double>{10, 20}));
    }

    void eventsStandBetweenStepsThatAreTold() {
        const std::string text =
            "step 100 loss_scale 8\noverflow, skipping step, loss scale 8 -> 4\nstep 200 loss_scale 4\n";
        const RunRecord run = record("precision.scaler-log", {{"input", word("text")}, {"text", text}});
        QCOMPARE(content<Series>(run, "scale").x.title, word("step"));
        QVERIFY(std::fabs(curve(run, "scale", "skipped").x[0] - 150) < 0.01);
        const RunRecord events =
            record("precision.scaler-log", {{"input", word("text")}, {"text", text}, {"over", word("events")}});
        QCOMPARE(curve(events, "scale", "scaler0").x.back(), 3.0);
        const auto& table = content<Table>(run, "events");
        QCOMPARE(std::get<std::string>(table.rows[1][1]), word("after 100"));
    }

    void skipsWithoutAScaleAreThePicture() {
        const RunRecord run =
            record("precision.scaler-log",
                   {{"input", word("text")}, {"text", word("step=10, skipped=3\nstep=20, skipped=5\n")}});
        QVERIFY(!run.figure("scale"));
        QCOMPARE(run.figure("skips")->place, Figure::Place::Main);
        QVERIFY(!content<Metric>(run, "last").value);
        QCOMPARE(curve(run, "skips", "skips").y.back(), 5.0);
    }

    void aLongLogIsDrawnWithFewPoints() {
        std::string text;
        for (int i = 0; i < 30'000; ++i)
            text += "step " + std::to_string(i) + ": overflow, skipping step, loss scale " + std::to_string(2 + i % 2) +
                    " -> 1\n";
        const RunRecord run = record("precision.scaler-log", {{"input", word("text")}, {"text", text}});
        QCOMPARE(*content<Metric>(run, "skipped").value, 30'000.0);
        for (const Curve& c : content<Series>(run, "scale").curves) {
            QVERIFY(c.x.size() <= labs::training::mostPoints + 1);
            QVERIFY(std::is_sorted(c.x.begin(), c.x.end()));
        }
        QCOMPARE(content<Table>(run, "events").rows.size(), size_t(500));
    }

    void thinnedCurvesKeepTheirExtremes() {
        Curve c;
        for (int i = 0; i < 100'000; ++i) {
            c.x.push_back(i);
            c.y.push_back(i == 77'777 ? 50 : i == 3 ? -50 : std::sin(i));
        }
        const Curve t = labs::training::thinned(c, 300);
        QVERIFY(t.x.size() <= 301);
        QCOMPARE(*std::max_element(t.y.begin(), t.y.end()), 50.0);
        QCOMPARE(*std::min_element(t.y.begin(), t.y.end()), -50.0);
        QCOMPARE(t.x.front(), 0.0);
        QCOMPARE(t.x.back(), 99'999.0);
        const std::vector<double> values = {2, 2, 1};
        QCOMPARE(labs::training::stairs(values).y, (std::vector<double>{2, 2, 1, 1}));
    }

    void wrongSettingsAreOneSentence() {
        QVERIFY(sentence("precision.scaler", {{"input", word("file")}}).starts_with("file is empty"));
        QVERIFY(!sentence("precision.scaler", {{"input", word("file")}, {"file", word("no.npy")}}).empty());
        QVERIFY(sentence("precision.scaler", {{"input", word("file")}, {"file", written("e.csv", "a,b\n")}})
                    .find("holds no number") != std::string::npos);
        QVERIFY(sentence("precision.scaler-log", {{"input", word("file")}}).starts_with("file is empty"));
        QVERIFY(sentence("precision.scaler-log", {{"input", word("text")}}).starts_with("text is empty"));
        QVERIFY(sentence("precision.scaler-log", {{"input", word("text")}, {"text", word("hello")}})
                    .starts_with("the pasted text: tells nothing of a loss scaler"));
        const std::string back = "step 20 loss_scale 8\nstep 10 loss_scale 8\n";
        QVERIFY(sentence("precision.scaler-log", {{"input", word("text")}, {"text", back}, {"over", word("steps")}})
                    .starts_with("over 'steps': the log's steps go back"));
    }

    void pagesStopWhenCancelled() {
        QVERIFY_EXCEPTION_THROWN(record("precision.scaler", {}, true), Cancelled);
        QVERIFY_EXCEPTION_THROWN(record("precision.scaler-log", {}, true), Cancelled);
    }

    /// A lab's own pages are listed before those that are made for each operator.
    void pagesOfOperatorsStandBehindTheLabsOwn() {
        Registry registry;
        workbench::Operators operators;
        labs::registerAll(registry, operators);
        std::vector<std::string> own, all;
        for (const Experiment* page : registry.all())
            if (const Description d = page->describe(); d.lab == "Precision") {
                all.push_back(d.id);
                if (d.id.starts_with("precision."))
                    own.push_back(d.id);
            }
        QVERIFY(own.size() >= 8 && all.size() > own.size());
        QVERIFY(std::equal(own.begin(), own.end(), all.begin()));
    }

    /// A log that is dropped elsewhere is of nccl-tests first, as it was.
    void logsOfOtherPagesGoWhereTheyWent() {
        Registry registry;
        workbench::Operators operators;
        labs::registerAll(registry, operators);
        std::vector<std::string> takers;
        for (const Experiment* page : registry.all())
            for (const Parameter& p : page->describe().parameters)
                if (p.id == page->describe().dropFiles && p.fileFilter.find("*.log") != std::string::npos)
                    takers.push_back(page->describe().id);
        QCOMPARE(takers, (std::vector<std::string>{"allreduce.race", "precision.scaler-log"}));
    }
};

QTEST_GUILESS_MAIN(ScalerPagesTest)
#include "scaler_pages_test.moc"
