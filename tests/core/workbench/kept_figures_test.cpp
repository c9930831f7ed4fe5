// SPDX-License-Identifier: GPL-3.0-or-later
// Sessions that were saved before there was a workbench: they still open, their settings still run, and what the
// workbench makes of them now is what the pages made then. What depends on the clock is compared by shape alone.
#include "core/lab/experiment.h"
#include "core/lab/record.h"
#include "core/lab/session.h"
#include "core/labs/attention/attention_lab.h"
#include "tests/core/lab/run_page.h"

#include <QDir>
#include <QTest>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;

namespace {

RunRecord runAgain(const RunStarted& start) {
    Registry registry;
    workbench::Operators operators;
    labs::attention::registerLab(registry, operators);
    return test::runPage(registry.find(start.experiment), start.settings, start.device);
}

/// Times are modelled from compiled kernels: a compiler that takes one register less moves them a little.
constexpr double modelled = 0.01;

/// Whether two numbers are the same; `about`: made by kernels whose instruction set may be another here.
bool same(double then, double now, bool about, double tolerance = 1e-12) {
    if (std::isnan(then) || std::isnan(now))
        return std::isnan(then) == std::isnan(now);
    return about ? std::fabs(then - now) <= 0.5 * std::fabs(then) + 1e-7
                 : std::fabs(then - now) <= tolerance * std::fabs(then);
}

/// Empty when a curve of then has its points now.
QString difference(const Curve& then, const Series& now, bool timed) {
    for (const Curve& c : now.curves) {
        if (c.id != then.id)
            continue;
        if ((!timed && c.label != then.label) || c.colourKey != then.colourKey || c.provenance != then.provenance ||
            c.style != then.style)
            return QString("curve %1 looks otherwise").arg(then.id.c_str());
        if (c.x.size() != then.x.size())
            return QString("curve %1 has %2 points").arg(then.id.c_str()).arg(c.x.size());
        const double tolerance = then.provenance == Provenance::Modelled ? modelled : 1e-12;
        for (size_t i = 0; i < c.x.size() && !timed; ++i)
            if (!same(then.x[i], c.x[i], false, tolerance) || !same(then.y[i], c.y[i], false, tolerance))
                return QString("curve %1 at %2: %3, then %4")
                    .arg(then.id.c_str())
                    .arg(then.x[i])
                    .arg(c.y[i])
                    .arg(then.y[i]);
        return {};
    }
    return QString("no curve %1").arg(then.id.c_str());
}

QString difference(const Table& then, const Table& now, bool timed, bool about) {
    if (then.rows.size() != now.rows.size())
        return QString("%1 rows, then %2").arg(now.rows.size()).arg(then.rows.size());
    for (size_t c = 0; c < then.columns.size(); ++c) {
        size_t at = 0;
        while (at < now.columns.size() && now.columns[at].id != then.columns[c].id)
            ++at;
        if (at == now.columns.size() || now.columns[at].title != then.columns[c].title)
            return QString("no column %1").arg(then.columns[c].id.c_str());
        if ((timed && then.columns[c].provenance == Provenance::Measured) || then.columns[c].id == "host" ||
            then.columns[c].id == "repetitions")
            continue;
        for (size_t r = 0; r < then.rows.size(); ++r) {
            const Table::Cell &a = then.rows[r][c], &b = now.rows[r][at];
            const auto number = [](const Table::Cell& cell) {
                return std::holds_alternative<double>(cell) ? std::get<double>(cell)
                                                            : static_cast<double>(std::get<int64_t>(cell));
            };
            const bool numeric = std::holds_alternative<double>(a) || std::holds_alternative<int64_t>(a);
            const double tolerance =
                then.columns[c].provenance == Provenance::Modelled || then.columns[c].id == "rate" // of a modelled time
                    ? modelled
                    : 1e-12;
            if (numeric ? a.index() != b.index() || !(same(number(a), number(b), about, tolerance) ||
                                                      (about && then.columns[c].id == "worst_row"))
                        : a != b)
                return QString("row %1 of column %2 is another").arg(r).arg(then.columns[c].id.c_str());
        }
    }
    if (then.rowLinks.size() != now.rowLinks.size() ||
        (!about && !then.rowLinks.empty() && then.rowLinks != now.rowLinks))
        return "rows open something else";
    return {};
}

} // namespace

class KeptFiguresTest : public QObject {
    Q_OBJECT
  private slots:
    void whatWasShownThenIsShownNow_data() {
        QTest::addColumn<QString>("file");
        const QDir folder(WARPLIGHT_TEST_DATA "/data/workbench");
        for (const QString& name : folder.entryList({"*.warplight"}))
            QTest::newRow(qPrintable(name)) << folder.filePath(name);
    }

    void whatWasShownThenIsShownNow() {
        QFETCH(QString, file);
        const Session session = openSession(file.toStdString());
        QVERIFY(session.damage.empty());
        const RunRecord& then = session.runs.at(0);
        const RunRecord now = runAgain(then.start());
        const bool onCpu = then.start().device == "cpu", timed = onCpu && then.start().experiment == "attention.race";
        for (const Figure& figure : then.figures()) {
            const Figure* again = now.figure(figure.id);
            QVERIFY2(again, figure.id.c_str());
            if (figure.place != Figure::Place::Headline) // those say numbers
                QCOMPARE(again->title, figure.title);
            QVERIFY(again->place == figure.place && again->content.index() == figure.content.index());
            QString wrong;
            if (const auto* series = std::get_if<Series>(&figure.content)) {
                for (const Curve& curve : series->curves)
                    if (wrong.isEmpty())
                        wrong = difference(curve, std::get<Series>(again->content), timed);
            } else if (const auto* table = std::get_if<Table>(&figure.content)) {
                wrong = difference(*table, std::get<Table>(again->content), timed, onCpu);
            } else if (const auto* metric = std::get_if<Metric>(&figure.content)) {
                const auto& m = std::get<Metric>(again->content);
                const double tolerance = m.provenance == Provenance::Modelled ? modelled : 1e-12;
                if (metric->unit != m.unit || metric->provenance != m.provenance ||
                    metric->value.has_value() != m.value.has_value() ||
                    (!timed && m.value && !same(*metric->value, *m.value, onCpu, tolerance)))
                    wrong = "another headline";
            } else if (const auto* histogram = std::get_if<Histogram>(&figure.content); histogram && !onCpu) {
                if (!(histogram->sets == std::get<Histogram>(again->content).sets))
                    wrong = "other counts";
            }
            QVERIFY2(wrong.isEmpty(), qPrintable(QString("%1: %2").arg(figure.id.c_str(), wrong)));
        }
    }
};

QTEST_GUILESS_MAIN(KeptFiguresTest)
#include "kept_figures_test.moc"
