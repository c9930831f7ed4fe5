// SPDX-License-Identifier: GPL-3.0-or-later
// The pages of a printed report: what is written on them, and where.
#include "app/report/html_report.h"
#include "app/report/pdf_report.h"
#include "app/report/report_text.h"
#include "app/report/table_print.h"
#include "app/views/theme.h"
#include "tests/app/text_recorder.h"
#include "tests/core/lab/every_figure.h"

#include <QElapsedTimer>
#include <QFile>
#include <QPainter>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::app;

namespace {

using Page = std::vector<test::Written>;

struct Printed {
    std::vector<lab::RunRecord> runs; ///< the pages refer to them
    std::shared_ptr<const Paper> paper;
    std::vector<Page> pages;

    explicit Printed(std::vector<lab::RunRecord> given) : runs(std::move(given)) {
        const Theme::Drawing light(Theme::lightTheme());
        paper = pagesOf(runs, {});
        for (size_t page = 0; page < paper->pages().size(); ++page) {
            test::TextRecorder sheet;
            QPainter painter(&sheet);
            paper->paint(page, painter, "the foot");
            painter.end();
            pages.push_back(sheet.written());
        }
    }
    QString words(size_t page) const {
        QStringList all;
        for (const auto& written : pages[page])
            all << written.text;
        return all.join(' ');
    }
    QString words() const {
        QStringList all;
        for (size_t page = 0; page < pages.size(); ++page)
            all << words(page);
        return all.join(' ');
    }
    /// Of the pages from `from` on, the first with a text that begins so; -1: none.
    int pageOf(const QString& text, size_t from = 1) const {
        for (size_t page = from; page < pages.size(); ++page)
            for (const auto& written : pages[page])
                if (written.text.startsWith(text))
                    return static_cast<int>(page);
        return -1;
    }
};

lab::RunRecord runOf(std::vector<lab::Figure> figures,
                     lab::RunEnded::Outcome outcome = lab::RunEnded::Outcome::Finished, const char* message = "") {
    lab::RunRecord run;
    run.apply(lab::RunStarted{
        1, "test.run", "A run", {}, "vgpu", "2026-01-02T03:04:05Z", {"A CPU", 2, 1 << 30, "AVX2", "Debian", "1"}});
    for (lab::Figure& figure : figures)
        run.apply(lab::FigurePut{1, std::move(figure)});
    run.apply(lab::RunEnded{1, outcome, message, 2});
    return run;
}

lab::Figure figureOf(std::string id, auto content) {
    return {id, id, "", "What it *is*.", lab::Figure::Place::Main, std::move(content)};
}

/// Rows "row 1", "row 2", ... in a first column, then numbers.
lab::Figure tableOf(int rows, int columns, double number = 0.125) {
    lab::Table table;
    table.columns.push_back({"name", "Name", "", false, {}, ""});
    for (int c = 1; c < columns; ++c)
        table.columns.push_back(
            {"c" + std::to_string(c), "Column" + std::to_string(c), "s", true, lab::Provenance::Measured, ""});
    for (int r = 1; r <= rows; ++r) {
        std::vector<lab::Table::Cell> row{"row " + std::to_string(r)};
        for (int c = 1; c < columns; ++c)
            row.emplace_back(number * r + c);
        table.rows.push_back(std::move(row));
    }
    return figureOf("numbers", std::move(table));
}

lab::Figure curve(const std::string& id) {
    lab::Series series;
    series.curves.push_back({"c", "C", "", lab::Provenance::Measured, {}, {1, 2, 3}, {1, 4, 9}, {}, {}, {}});
    return figureOf(id, series);
}

lab::Figure metric(const char* title, double value, lab::Provenance from) {
    lab::Metric content;
    content.value = value;
    content.unit = "s";
    content.caption = std::string("of ") + title;
    content.provenance = from;
    lab::Figure figure = figureOf(title, content);
    figure.place = lab::Figure::Place::Headline;
    return figure;
}

/// A scene of 20 cells; `lit` of them are current.
lab::Steps::Step scene(const std::string& caption, int lit) {
    lab::Steps::Step step;
    step.caption = caption;
    for (int i = 0; i < 20; ++i)
        step.cells.push_back(
            {i * 1.0, 0, 1, 1, "", i < lit ? lab::Steps::CellState::Current : lab::Steps::CellState::Idle, {}, ""});
    return step;
}

} // namespace

class ReportPagesTest : public QObject {
    Q_OBJECT

    /// Letters can be read, stand on the sheet, and in a row none lies upon another.
    static void isLegible(const Printed& printed) {
        for (size_t page = 0; page < printed.pages.size(); ++page) {
            const QSizeF sheet = Paper::sheet(printed.paper->pages()[page].landscape);
            std::map<int, std::vector<test::Written>> rows;
            for (const auto& written : printed.pages[page]) {
                const QString what = QString("page %1: %2").arg(page + 1).arg(written.text);
                QVERIFY2(written.pixels >= 7 / 72.0 * 96, qPrintable(what));
                QVERIFY2(written.box.left() >= -1 && written.box.right() <= sheet.width() + 1 &&
                             written.box.top() >= -1 && written.box.bottom() <= sheet.height() + 1,
                         qPrintable(what));
                rows[static_cast<int>(written.box.center().y())].push_back(written);
            }
            for (auto& [y, row] : rows) {
                std::sort(row.begin(), row.end(),
                          [](const auto& a, const auto& b) { return a.box.left() < b.box.left(); });
                for (size_t i = 1; i < row.size(); ++i)
                    QVERIFY2(row[i - 1].box.right() <= row[i].box.left() + 1,
                             qPrintable(QString("page %1: %2 and %3").arg(page + 1).arg(row[i - 1].text, row[i].text)));
            }
        }
    }

  private slots:
    void initTestCase() {
        loadFonts();
        Theme::setCurrent(Theme::lightTheme());
    }

    void aLongTableBreaksOverPagesAndItsHeadIsRepeated() {
        const Printed printed({runOf({tableOf(5000, 7)})});
        isLegible(printed);
        int expected = 1;
        size_t tablePages = 0;
        for (size_t page = 0; page < printed.pages.size(); ++page) {
            bool rows = false, head = false;
            for (const auto& written : printed.pages[page]) {
                head = head || written.text == "Column6";
                if (!written.text.startsWith("row "))
                    continue;
                QCOMPARE(written.text, QString("row %1").arg(expected++)); // each once, in order
                rows = true;
            }
            if (rows)
                QVERIFY2(head, qPrintable(QString::number(page)));
            tablePages += rows;
        }
        QCOMPARE(expected, 5001);
        QVERIFY2(tablePages > 60 && tablePages < 170, qPrintable(QString::number(tablePages)));
        QVERIFY(printed.words().contains("rows 1 to") && printed.words().contains("of 5,000"));
        for (const auto& page : printed.paper->pages())
            QVERIFY(!page.landscape); // seven columns fit upright
    }

    void aWideTableTurnsThePageAndAWiderOneGoesOnBesideIt_data() {
        QTest::addColumn<int>("columns");
        QTest::addColumn<int>("rows");
        QTest::addColumn<bool>("landscape");
        QTest::addColumn<int>("parts");
        QTest::addRow("fits") << 7 << 40 << false << 1;
        QTest::addRow("on its side") << 12 << 40 << true << 1;
        QTest::addRow("in parts") << 40 << 100 << true << 3;
        QTest::addRow("few rows") << 12 << 4 << false << 2;
    }
    void aWideTableTurnsThePageAndAWiderOneGoesOnBesideIt() {
        QFETCH(int, columns);
        QFETCH(int, rows);
        QFETCH(bool, landscape);
        QFETCH(int, parts);
        const Printed printed({runOf({tableOf(rows, columns)})});
        isLegible(printed);
        std::map<QString, int> times;
        bool turned = false;
        for (size_t page = 0; page < printed.pages.size(); ++page) {
            turned = turned || printed.paper->pages()[page].landscape;
            for (const auto& written : printed.pages[page])
                ++times[written.text];
        }
        QCOMPARE(turned, landscape);
        for (int c = 1; c < columns; ++c) // each part of the rows has it
            QVERIFY2(times[QString("Column%1").arg(c)] >= 1, qPrintable(QString::number(c)));
        QCOMPARE(times["row 1"], parts); // the first column stands before each part
        QCOMPARE(times[QString("row %1").arg(rows)], parts);
        QCOMPARE(printed.words().contains(QString("of %1").arg(columns)), parts > 1); // it says which columns
    }

    void columnsShareWhatThereIs() {
        using Need = TablePlan::Need;
        const TablePlan narrowed = TablePlan::of({{100, 100}, {900, 150}}, false, 600, 900);
        QVERIFY(!narrowed.landscape && narrowed.parts.size() == 1);
        QVERIFY(narrowed.widths[0] + narrowed.widths[1] + TablePlan::gap <= 600.01);
        QVERIFY(narrowed.widths[1] > 400); // the sentences get the rest
        std::vector<Need> many(30, Need{80, 80});
        const TablePlan parted = TablePlan::of(many, false, 600, 900);
        std::set<int> columns;
        for (const auto& part : parted.parts) {
            double width = -TablePlan::gap;
            QCOMPARE(part.front(), 0);
            for (const int column : part) {
                width += parted.widths[static_cast<size_t>(column)] + TablePlan::gap;
                columns.insert(column);
            }
            QVERIFY2(width <= 900.01, qPrintable(QString::number(width)));
        }
        QCOMPARE(columns.size(), size_t{30});
        QCOMPARE(TablePlan::of({{5000, 4000}}, false, 600, 900).widths[0], 900.0);
        QVERIFY(TablePlan::of({}, false, 600, 900).parts.empty());
    }

    void longSentencesAreWrappedAndNothingOfThemIsLost() {
        lab::Table table;
        table.columns = {{"a", "", "", false, {}, ""}, {"b", "Finding", "", false, {}, ""}};
        QStringList words;
        for (int i = 0; i < 60; ++i)
            words << QString("word%1").arg(i);
        table.rows = {{std::string("note"), words.join(' ').toStdString()},
                      {std::string(400, 'x'), std::string("short")}};
        const Printed printed({runOf({figureOf("findings", table)})});
        isLegible(printed);
        for (const QString& word : words)
            QVERIFY2(printed.words().contains(word), qPrintable(word));
        QCOMPARE(printed.words().count('x'), 400 + QString("A run on vgpu").count('x'));
    }

    void twoFiguresShareAPage() {
        const Printed printed(
            {runOf({curve("first"), curve("second"), curve("third"), curve("fourth"), curve("fifth")})});
        QCOMPARE(printed.pageOf("first"), 1);
        QCOMPARE(printed.pageOf("second"), 1); // below what there is to say of the run
        QCOMPARE(printed.pageOf("third"), 2);
        QCOMPARE(printed.pageOf("fourth"), 2);
        QCOMPARE(printed.pageOf("fifth"), 3);
        QCOMPARE(printed.pages.size(), size_t{4}); // the front is one
    }

    void tallFiguresAreLoweredToShareAPage() {
        lab::Heatmap map;
        map.rows = map.cols = 2;
        map.cells = {1, 2, 3, 4};
        const Printed printed({runOf(
            {curve("first"), curve("second"), figureOf("one map", map), figureOf("another map", map), curve("last")})});
        QCOMPARE(printed.pageOf("one map"), 2);
        QCOMPARE(printed.pageOf("another map"), 2); // as high as wide, each would take a page
        QCOMPARE(printed.pageOf("last"), 3);
    }

    void contentsNameThePages() {
        auto figures = test::everyFigure();
        figures.push_back(tableOf(200, 5));
        figures.back().id = figures.back().title = "Long";
        figures.push_back(curve("After it"));
        const Printed printed({runOf(figures), runOf({curve("Last")})});
        const Page& front = printed.pages[0];
        const auto lineOf = [&](const QString& title) { // what stands in its line
            QStringList line;
            for (const auto& entry : front)
                if (entry.text == title)
                    for (const auto& other : front)
                        if (std::abs(other.box.center().y() - entry.box.center().y()) < 3 && other.text != title)
                            line << other.text;
            return line;
        };
        for (const char* title : {"series", "map", "steps", "source", "timeline", "Long", "After it", "Last"}) {
            const int page = printed.pageOf(title);
            QVERIFY2(page > 0, title);
            QVERIFY2(lineOf(title).contains(QString::number(page + 1)),
                     qPrintable(QString("%1: %2, %3").arg(title, lineOf(title).join(' ')).arg(page + 1)));
        }
        QVERIFY(printed.pageOf("After it") > printed.pageOf("Long") + 2);
        for (size_t page = 0; page < printed.pages.size(); ++page) {
            const QString foot = QString("page %1 of %2").arg(page + 1).arg(printed.pages.size());
            QVERIFY2(printed.words(page).contains(foot) && printed.words(page).contains("the foot"), qPrintable(foot));
        }
    }

    void aRunBeginsWhereItsNameStands() {
        std::map<std::string, lab::Value> settings; // more than a page of them
        for (int i = 0; i < 300; ++i)
            settings["setting" + std::to_string(i)] = int64_t{i};
        lab::RunRecord run;
        run.apply(lab::RunStarted{1, "test.run", "Long settings", settings, "", "", {}});
        const Printed printed({run, runOf({})});
        QVERIFY(printed.pages.size() > 3);
        QCOMPARE(printed.pageOf("Long settings"), 1);
        const QString front = printed.words(0);
        QVERIFY2(front.contains("Long settings 2 A run on vgpu " + QString::number(printed.pageOf("A run") + 1)),
                 qPrintable(front));
        for (int i = 0; i < 300; ++i)
            QVERIFY(printed.words().contains(QString("setting%1").arg(i)));
    }

    void findingsAreWhatTheRunSays() {
        lab::Source source;
        source.panes = {{"cu",
                         "a.cu",
                         {},
                         {{7, "x", {}, {}, "two-way conflict", lab::Source::Severity::Warning},
                          {8, "y", {}, {}, "fine", lab::Source::Severity::Good}},
                         {}}};
        lab::RunRecord run = runOf({metric("Speed", 0.25, lab::Provenance::Modelled),
                                    metric("Wait", 3, lab::Provenance::Measured), figureOf("code", source)});
        run.apply(lab::Log{1, lab::Log::Level::Warning, "the machine was busy"});
        run.apply(lab::Log{1, lab::Log::Level::Info, "a detail"});
        const QString said = findings(run);
        for (const char* words : {"A run ran on vgpu", "A CPU", "250 ms of Speed (modelled)", "of Wait (measured)",
                                  "the machine was busy.", "a.cu:7: two-way conflict"})
            QVERIFY2(said.contains(words), qPrintable(said));
        QVERIFY(!said.contains("a detail") && !said.contains("fine"));
        const Printed printed({run});
        QVERIFY(printed.words(0).contains("Findings") && printed.words(0).contains("the machine was busy"));
    }

    void whatDidNotEndWellSaysSo() {
        using Outcome = lab::RunEnded::Outcome;
        const Printed failed({runOf({curve("half")}, Outcome::Failed, "out of memory")});
        QVERIFY(failed.words(0).contains("failed after 2 s: out of memory."));
        QVERIFY(failed.pageOf("half") > 0);
        QVERIFY(findings(runOf({}, Outcome::Cancelled)).contains("was stopped after 2 s"));
        QVERIFY(findings(runOf({})).contains("no figure"));
        lab::RunRecord running; // and in no file yet
        running.apply(lab::RunStarted{1, "test.run", "", {}, "", "", {}});
        QVERIFY2(findings(running).startsWith("test.run had not ended"), qPrintable(findings(running)));
        const Printed early({running});
        QCOMPARE(early.pages.size(), size_t{2});
        const Printed nothing({});
        QCOMPARE(nothing.pages.size(), size_t{1});
        QVERIFY(nothing.words(0).contains("no run") && nothing.words(0).contains("page 1 of 1"));
        const Printed empty(
            {runOf({figureOf("t", lab::Table()), figureOf("n", lab::Note()), figureOf("s", lab::Steps()),
                    figureOf("c", lab::Source()), figureOf("l", lab::Timeline())})});
        QVERIFY(empty.words().contains("no columns") && empty.words().contains("No step"));
    }

    void aFilmStripShowsWhatChangesMost() {
        lab::Steps steps;
        steps.width = 20;
        steps.height = 1;
        for (int i = 0; i < 40; ++i) // little happens but at 12 and at 31
            steps.steps.push_back(scene("step " + std::to_string(i), i < 12 ? 1 : i < 31 ? 10 : 19));
        const std::vector<size_t> told = tellingSteps(steps, 6);
        QCOMPARE(told.size(), size_t{3}); // no two that look alike
        QCOMPARE(told.front(), size_t{0});
        QCOMPARE(told.back(), size_t{39});
        QVERIFY(told[1] >= 12 && told[1] < 31);
        steps.steps[5].cells.clear(); // everything goes
        QVERIFY(tellingSteps(steps, 4)[1] == 5);
        steps.opensAt = 33;
        const std::vector<size_t> opened = tellingSteps(steps, 4);
        QVERIFY(std::find(opened.begin(), opened.end(), size_t{33}) != opened.end());
        QVERIFY(tellingSteps({}, 6).empty());
        lab::Steps growing;
        for (int i = 0; i < 20; ++i)
            growing.steps.push_back(scene("", i));
        QCOMPARE(tellingSteps(growing, 6).size(), size_t{6});

        steps.opensAt = 0;
        const Printed printed({runOf({figureOf("strip", steps)})});
        for (const size_t step : tellingSteps(steps, mostFrames))
            QVERIFY2(printed.words().contains(QString("step %1 of 40").arg(step + 1)), qPrintable(printed.words()));
        QVERIFY(printed.pages.size() <= 3);

        lab::Steps rich; // scenes with values are as wide as the page, two of them one above the other
        rich.width = rich.height = 10;
        for (int i = 0; i < 5; ++i) {
            rich.steps.push_back(scene("values " + std::to_string(i), i));
            rich.steps.back().bars.push_back({0, 0, 5, 5, 0, 10, 1, {{0, 0, i * 1.0, "", "", {}, {}}}, "", "", {}, ""});
        }
        const Printed values({runOf({curve("before"), figureOf("strip", rich)})});
        QCOMPARE(values.pageOf("values 1"), values.pageOf("values 0"));
        QCOMPARE(values.pageOf("values 3"), values.pageOf("values 2"));
        QCOMPARE(values.pageOf("values 4"), values.pageOf("values 0") + 2);
    }

    void settingsStandAsTheyWereGiven() {
        lab::RunRecord run;
        run.apply(lab::RunStarted{1,
                                  "a",
                                  "A",
                                  {{"x", std::string("random:f32[64,8]")},
                                   {"code", std::string("first line\nsecond\n")},
                                   {"n", std::vector<int64_t>{1, 2}},
                                   {"flag", true}},
                                  "cpu",
                                  "",
                                  {}});
        std::map<QString, QString> said;
        for (const auto& [name, value] : settingsOf(run))
            said[name] = value;
        QCOMPARE(said["x"], QString("random:f32[64,8]"));
        QCOMPARE(said["code"], QString("first line … (2 lines)"));
        QCOMPARE(said["n"], QString("1, 2"));
        QCOMPARE(said["flag"], QString("true"));
    }

    void theFileHasThesePages() {
        const QTemporaryDir folder;
        auto figures = test::everyFigure();
        figures.push_back(tableOf(300, 12));
        const std::vector<lab::RunRecord> runs{runOf(figures)};
        const Printed printed(runs);
        ReportWriter writer(runs, folder.filePath("r.pdf"));
        size_t turns = 0;
        for (; !writer.done(); ++turns)
            writer.step();
        QVERIFY(turns >= printed.pages.size() + figures.size()); // a page a turn
        QFile file(folder.filePath("r.pdf"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QByteArray pdf = file.readAll();
        QCOMPARE(static_cast<size_t>(pdf.count("/Type /Page\n")), printed.pages.size());
        QVERIFY(pdf.contains("%%EOF"));
    }

    void aLongTableIsWrittenInTurns() {
        const QTemporaryDir folder;
        const std::vector<lab::RunRecord> runs{runOf({tableOf(5000, 10)})};
        const size_t pages = Printed(runs).pages.size();
        ReportWriter writer(runs, folder.filePath("r.pdf"));
        size_t turns = 0;
        double longest = 0;
        for (QElapsedTimer timer; !writer.done(); ++turns) {
            timer.start();
            writer.step();
            longest = std::max(longest, static_cast<double>(timer.nsecsElapsed()) / 1e6);
        }
        qInfo("%zu pages in %zu turns, the longest %.0f ms", pages, turns, longest);
        QVERIFY(turns >= pages + 5000 / 500); // its rows are measured some at a time, then a page a turn
    }

    void theHtmlPageLeadsToItsFiguresAndPrints() {
        const QTemporaryDir folder;
        auto figures = test::everyFigure();
        figures.push_back(tableOf(30, 40));
        writeReport({runOf(figures), runOf({curve("<odd> & \"id\"")}, lab::RunEnded::Outcome::Failed, "a < b")},
                    folder.filePath("r.html"));
        QFile file(folder.filePath("r.html"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QString html = QString::fromUtf8(file.readAll());
        static const QRegularExpression link("href=\"#([^\"]+)\"");
        int links = 0;
        for (auto each = link.globalMatch(html); each.hasNext(); ++links)
            QCOMPARE(html.count(QString("id=\"%1\"").arg(each.next().captured(1))), 1);
        QCOMPARE(links, static_cast<int>(figures.size()) - 1 + 1 + 2); // all but the headline number; two runs
        const auto at = [&](const char* text) { return html.indexOf(text); };
        QVERIFY(at("class=findings") > 0 && at("class=findings") < at("<nav>") &&
                at("<nav>") < at("<section class=run"));
        QVERIFY(html.contains("failed after 2 s: a &lt; b."));
        QCOMPARE(html.count("<table><thead>") + html.count("</caption><thead>"), html.count("<thead>"));
        QVERIFY(html.count("<thead>") >= 4); // the wide one in parts
        QCOMPARE(html.count("<th class=text>Name</th>"), html.count("<thead>"));
        for (const char* rule : {"table-header-group", "break-inside: avoid", "@page", "break-before: page"})
            QVERIFY2(html.contains(rule), rule);
        QCOMPARE(html.count("<figure"), html.count("</figure>"));
        QCOMPARE(html.count("<section"), html.count("</section>"));
        QVERIFY(html.contains("class=frame"));
    }
};

QTEST_MAIN(ReportPagesTest)
#include "report_pages_test.moc"
