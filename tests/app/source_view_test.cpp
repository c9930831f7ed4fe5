// SPDX-License-Identifier: GPL-3.0-or-later
// What a user sees of a source, and what keys and clicks do to it.
#include "app/views/heat_strip.h"
#include "app/views/highlight.h"
#include "app/views/source_pane.h"
#include "app/views/source_view.h"
#include "app/views/theme.h"
#include "picture.h"
#include "tests/core/lab/kernel_figures.h"

#include <QApplication>
#include <QClipboard>
#include <QElapsedTimer>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::app;

namespace {

lab::Figure figureOf(lab::Source source) {
    return {"source", "Source", "", "", lab::Figure::Place::Main, std::move(source)};
}

/// Ten lines, of which line 2 belongs to the last of 50,000 in the other pane.
lab::Source farPartners() {
    lab::Source source;
    source.panes = {{"cu", "a.cu", {}, {}, lab::Source::Language::Cpp},
                    {"ptx", "a.ptx", {}, {}, lab::Source::Language::Ptx}};
    for (int i = 0; i < 10; ++i)
        source.panes[0].lines.push_back({i + 1, "x", {}, {}, "", {}});
    for (int i = 0; i < 50'000; ++i)
        source.panes[1].lines.push_back({i + 1, "ret;", {}, {}, "", {}});
    source.panes[0].lines[2].partners = {49'999};
    source.panes[1].lines[49'999].partners = {2};
    return source;
}

QColor bar(const char* name) { return QColor(name); }

} // namespace

class SourceViewTest : public QObject {
    Q_OBJECT

    static void show(SourceView& view, lab::Source source, QSize size = {1060, 480}) {
        view.setFigure(figureOf(std::move(source)));
        view.resize(size);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
    }
    /// As it looks on its card.
    static QImage picture(QWidget* widget) {
        QImage image(widget->size(), QImage::Format_RGB32);
        image.fill(Theme::current().panel);
        widget->render(&image, {}, {}, QWidget::DrawChildren);
        return image;
    }

  private slots:
    void initTestCase() {
        loadFonts();
        Theme::setCurrent(Theme::lightTheme());
    }
    void init() { Theme::setCurrent(Theme::lightTheme()); }

    void partnersAreMarkedInTheOtherPaneAndScrolledIntoView() {
        SourceView view;
        show(view, farPartners());
        QCOMPARE(view.pane(1)->firstVisible(), 0);
        view.pane(0)->goTo(2);
        view.pane(0)->goTo(3); // the other pane stays there, unmarked
        const int before = test::pixelsOf(picture(view.pane(1)), Theme::current().accent);
        view.pane(0)->goTo(2);
        QVERIFY(view.pane(1)->firstVisible() <= 49'999 && view.pane(1)->lastVisible() >= 49'999);
        QVERIFY(test::pixelsOf(picture(view.pane(1)), Theme::current().accent) >= before + 20); // the mark beside it
        view.pane(0)->goTo(3);
        QCOMPARE(test::pixelsOf(picture(view.pane(1)), Theme::current().accent), before);
        view.pane(1)->goTo(49'999); // and back
        QVERIFY(test::pixelsOf(picture(view.pane(0)), Theme::current().accent) >= 20);
    }

    void hoveringALineMarksItsPartners() {
        SourceView view;
        show(view, farPartners());
        SourcePane* pane = view.pane(0);
        QSignalSpy status(&view, &SourceView::statusText);
        for (int y = 0; y < pane->height() && pane->focusedLine() != 2; y += 4)
            QTest::mouseMove(pane->viewport(), QPoint(100, y));
        QCOMPARE(pane->focusedLine(), 2);
        QCOMPARE(pane->currentLine(), -1);
        QVERIFY(view.pane(1)->lastVisible() == 49'999);
        QVERIFY(status.last()[0].toString().contains("a.cu:3"));
    }

    void barsAreAsLongAsTheirCounts() {
        lab::Source source;
        source.panes = {{"cu", "a.cu", {{"n", "Instructions", "", lab::Provenance::Counted, ""}}, {}, {}}};
        for (const double count : {1000.0, 500.0, 0.0})
            source.panes[0].lines.push_back({1, "", {count}, {}, "", {}});
        SourceView view;
        show(view, source, {600, 300});
        view.pane(0)->setFocus();
        const QImage image = picture(view.pane(0)->viewport());
        std::vector<int> lengths;
        for (int y = 0; y < image.height(); ++y)
            if (const int pixels = test::pixelsOf(image, bar("#56B4E9"), QRect(0, y, image.width(), 1)); pixels > 3)
                lengths.push_back(pixels);
        QCOMPARE(lengths.size(), size_t{20}); // two bars of ten pixels' height, none for zero
        QVERIFY(std::abs(lengths[5] - 2 * lengths[15]) <= 2);
    }

    void whatIsShownIsWritten() {
        SourceView view;
        show(view, test::kernelSource(100), {1400, 600});
        const QByteArray svg = test::svgOf(view, {1400, 600});
        for (const char* text : {"flash_attention.cu", "flash_attention.ptx", "Instructions", "counted", "modelled",
                                 "loadTile", "71000", "bank conflict"})
            QVERIFY2(svg.contains(text), text);
        QVERIFY(!svg.contains("<image"));
    }

    void aClickOnAHeaderMakesItsNumbersTheOnesShown() {
        SourceView view;
        show(view, test::kernelSource(0), {900, 560});
        QVERIFY(test::svgOf(view, {900, 560}).contains("71000"));
        SourcePane* pane = view.pane(0);
        for (int x = pane->width(); x > 300 && pane->currentCounter() == 0; x -= 10)
            QTest::mouseClick(pane->viewport(), Qt::LeftButton, {}, QPoint(x, 12));
        QCOMPARE(pane->currentCounter(), 1);
        const QByteArray svg = test::svgOf(view, {900, 560});
        QVERIFY(!svg.contains("71000") && svg.contains("16.0 MiB"));
        QTest::keyClick(pane, Qt::Key_C);
        QCOMPARE(pane->currentCounter(), 0);
    }

    void keysGoToLinesRemarksAndHeat() {
        SourceView view;
        show(view, test::kernelSource(3000));
        SourcePane* pane = view.pane(0);
        pane->setFocus();
        const auto press = [&](Qt::Key key, Qt::KeyboardModifiers modifiers = {}) {
            QTest::keyClick(pane, key, modifiers);
            return pane->currentLine();
        };
        QCOMPARE(press(Qt::Key_Home), 0);
        QCOMPARE(press(Qt::Key_Down), 1);
        QCOMPARE(press(Qt::Key_Up), 0);
        QCOMPARE(press(Qt::Key_End), 18);
        QCOMPARE(press(Qt::Key_Down), 18);
        QCOMPARE(press(Qt::Key_Home), 0);
        QCOMPARE(press(Qt::Key_N), 4);
        QCOMPARE(press(Qt::Key_N), 10);
        QCOMPARE(press(Qt::Key_N), 16);
        QCOMPARE(press(Qt::Key_N), 4); // around the end
        QCOMPARE(press(Qt::Key_N, Qt::ShiftModifier), 16);
        QCOMPARE(press(Qt::Key_H), 7); // 71,000 instructions, the first of two
        QCOMPARE(press(Qt::Key_H), 13);
        QCOMPARE(press(Qt::Key_H), 10);
        QCOMPARE(press(Qt::Key_H, Qt::ShiftModifier), 13);
        SourcePane* ptx = view.pane(1);
        ptx->setFocus();
        QTest::keyClick(ptx, Qt::Key_PageDown);
        QVERIFY(ptx->currentLine() > 5 && ptx->currentLine() < 40);
        QTest::keyClick(ptx, Qt::Key_End);
        QCOMPARE(ptx->lastVisible(), 2999);
        QTest::keyClick(ptx, Qt::Key_PageUp);
        QVERIFY(ptx->currentLine() < 2999);
    }

    void itOpensAtTheHottestLineAndStaysWhereTheUserGoes() {
        lab::Source source = test::kernelSource(3000);
        for (int i = 0; i < 200; ++i) // the hot line is far down
            source.panes[0].lines.insert(source.panes[0].lines.begin(), {i - 200, "// before", {}, {}, "", {}});
        for (auto& line : source.panes[1].lines)
            for (auto& partner : line.partners)
                partner += 200;
        constexpr int hot = 207;
        SourceView view;
        show(view, source);
        SourcePane* pane = view.pane(0);
        const auto seen = [](const SourcePane* in, int line) {
            return in->firstVisible() <= line && in->lastVisible() >= line;
        };
        QCOMPARE(pane->currentLine(), hot);
        QVERIFY(seen(pane, hot) && pane->firstVisible() > 150);
        QVERIFY(!view.pane(1)->partners().empty()); // what belongs to it
        QVERIFY(seen(view.pane(1), view.pane(1)->partners().front()));
        view.resize(1060, 900);
        QVERIFY(seen(pane, hot));
        QTest::keyClick(pane, Qt::Key_H);
        QCOMPARE(pane->currentLine(), hot + 6); // the next hottest
        view.setFigure(figureOf(source));       // the same text again: the place is kept
        QCOMPARE(pane->currentLine(), hot + 6);
        pane->verticalScrollBar()->setValue(3);
        view.setFigure(figureOf(source));
        QCOMPARE(pane->firstVisible(), 3);
        source.panes[0].lines[0].text = "// edited"; // another text
        view.setFigure(figureOf(source));
        QCOMPARE(pane->currentLine(), hot);
        QVERIFY(seen(pane, hot));
        for (auto& line : source.panes[0].lines) // a kernel that was stopped: nothing is counted
            line.counts.clear();
        source.panes[0].lines[0].text = "// stopped";
        view.setFigure(figureOf(source));
        QCOMPARE(pane->currentLine(), 216); // the gravest remark
    }

    void theStripShowsWhereTheHeatIsAndGoesThere() {
        lab::Source source;
        source.panes = {{"cu", "a.cu", {{"n", "Instructions", "", lab::Provenance::Counted, ""}}, {}, {}}};
        for (int i = 0; i < 50'000; ++i)
            source.panes[0].lines.push_back({i + 1, "x", {i == 40'123 ? 1000.0 : i == 10'000 ? 200.0 : 0}, {}, "", {}});
        source.panes[0].lines[30'000].remark = "look";
        source.panes[0].lines[30'000].severity = lab::Source::Severity::Error;
        SourceView view;
        show(view, source, {700, 500});
        SourcePane* pane = view.pane(0);
        QCOMPARE(pane->currentLine(), 40'123);
        auto* strip = pane->findChild<HeatStrip*>();
        QVERIFY(strip && strip->isVisible() && strip->height() > 300);
        QVERIFY(strip->geometry().left() >= pane->viewport()->geometry().right()); // beside the lines
        const QImage image = picture(strip);
        const auto y = [&](int line) { return line * strip->height() / 50'000; };
        const auto heat = [&](int line) { // how blue
            return image.pixelColor(3, y(line)).blue() - image.pixelColor(3, y(line)).red();
        };
        QVERIFY2(heat(40'123) > heat(10'000) + 40 && heat(10'000) > heat(20'000) + 8,
                 qPrintable(QString("%1 %2 %3").arg(heat(40'123)).arg(heat(10'000)).arg(heat(20'000))));
        QVERIFY(test::near(image.pixelColor(HeatStrip::stripWidth - 2, y(30'000)), Theme::current().danger, 60));
        QTest::mouseClick(strip, Qt::LeftButton, {}, QPoint(3, y(10'000)));
        QCOMPARE(pane->currentLine(), 10'000); // the hottest there
        QVERIFY(pane->firstVisible() <= 10'000 && pane->lastVisible() >= 10'000);
    }

    void onePaneAtATimeWhereTwoAreTooNarrow() {
        SourceView view;
        show(view, test::kernelSource(3000), {740, 480});
        QVERIFY(view.pane(0)->isVisible() && !view.pane(1)->isVisible());
        const auto codeColumns = [&](int pane) {
            return SourceLayout::of(view.pane(pane)->data(), view.pane(pane)->viewport()->width(), 0).textColumns();
        };
        QVERIFY2(codeColumns(0) >= 60, qPrintable(QString::number(codeColumns(0))));
        view.pane(0)->goTo(2);
        view.pane(0)->setFocus();
        QTest::keyClick(view.pane(0), Qt::Key_P);
        QVERIFY(!view.pane(0)->isVisible() && view.pane(1)->isVisible());
        QCOMPARE(view.pane(1)->currentLine(), 0); // the first PTX of line 2
        QTest::keyClick(view.pane(1), Qt::Key_P);
        QVERIFY(view.pane(0)->isVisible() && !view.pane(1)->isVisible());
        QCOMPARE(view.pane(0)->currentLine(), 2);
        const auto button = [&](const char* text) {
            for (QToolButton* each : view.findChildren<QToolButton*>())
                if (each->isVisible() && each->text() == text)
                    return each;
            return static_cast<QToolButton*>(nullptr);
        };
        QVERIFY(button("flash_attention.ptx") && button("Side by side"));
        button("flash_attention.ptx")->click();
        QVERIFY(view.pane(1)->isVisible());
        button("Side by side")->click(); // who wants it has it
        QVERIFY(view.sideBySide() && view.pane(0)->isVisible() && view.pane(1)->isVisible());
        view.resize(1100, 480);
        QVERIFY(view.sideBySide());
        for (const int pane : {0, 1})
            QVERIFY2(codeColumns(pane) >= 48, qPrintable(QString::number(codeColumns(pane))));
        button("flash_attention.cu")->click();
        QVERIFY(!view.sideBySide() && view.pane(0)->isVisible());
        view.resize(740, 480);
        QVERIFY(!view.sideBySide());
        view.resize(1100, 480); // what was wanted was for the width before
        QVERIFY(view.sideBySide());
        view.setFigure(figureOf(test::kernelSource(0))); // one pane has no choice
        QVERIFY(!button("Side by side") && view.pane(0)->isVisible());
    }

    void titlesOfCountersAreWhole() {
        lab::Source source = test::kernelSource(100);
        source.panes[0].counters.push_back({"s", "Sectors", "/ request", lab::Provenance::Modelled, ""});
        for (auto& line : source.panes[0].lines)
            if (!line.counts.empty())
                line.counts.emplace_back(1);
        const QFontMetricsF strong(textFont(11, QFont::DemiBold)), badge(textFont(10));
        QHash<QString, int> colours;
        const PaneData data = PaneData::of(source.panes[0], colours);
        for (const int width : {300, 500, 700, 1000, 1500})
            for (const int counter : {0, 1, 2}) {
                const SourceLayout layout = SourceLayout::of(data, width, counter);
                bool current = false;
                double right = layout.textRight;
                for (const auto& column : layout.columns) {
                    const auto& shown = data.pane.counters[static_cast<size_t>(column.counter)];
                    QVERIFY(strong.horizontalAdvance(QString::fromStdString(shown.title)) <= column.width);
                    QVERIFY(badge.horizontalAdvance(counterNote(shown)) <= column.width);
                    QVERIFY(column.left >= right); // columns keep a gap
                    right = column.left + column.width;
                    current = current || column.counter == counter;
                }
                QVERIFY2(current && right <= width, qPrintable(QString("%1, %2").arg(width).arg(counter)));
            }
        QCOMPARE(SourceLayout::of(data, 1500, 0).columns.size(), size_t{3});
    }

    void aPinnedRunIsDrawnOverIt() {
        lab::Source now = test::kernelSource(0), then = now;
        then.panes[0].lines[7].counts[0] = 35'500; // half of what it is now
        then.panes[0].lines.erase(then.panes[0].lines.begin() + 3);
        now.panes[0].lines.insert(now.panes[0].lines.begin() + 10, {99, "  more();", {500.0, 0.0}, {}, "", {}});
        SourceView view;
        show(view, now, {1000, 560});
        SourcePane* pane = view.pane(0);
        const QImage before = picture(pane->viewport());
        view.setCompared(figureOf(then), "pinned");
        const PaneData& data = pane->data();
        QCOMPARE(data.ratioText(7, 0), QString("2.00×"));
        QCOMPARE(data.ratioText(2, 0), QString("="));
        QCOMPARE(data.ratioText(3, 0), QString("new")); // it was not there
        QCOMPARE(data.ratioText(10, 0), QString("new"));
        QCOMPARE(data.ratioText(14, 0), QString("=")); // lines behind it are found again
        QCOMPARE(data.pinned->added, 2);
        QCOMPARE(data.pinned->gone, 0);
        const QByteArray svg = test::svgOf(view, {1000, 560});
        for (const char* words : {"2.00×", "new", "outlined: pinned, 2 new"})
            QVERIFY2(svg.contains(words), words);
        QVERIFY(picture(pane->viewport()) != before);
        QSignalSpy status(&view, &SourceView::statusText);
        pane->goTo(7);
        QVERIFY2(status.last()[0].toString().contains("2.00× of pinned: 35500"),
                 qPrintable(status.last()[0].toString()));
        view.setFigure(figureOf(now)); // comes again
        QCOMPARE(pane->data().ratioText(7, 0), QString("2.00×"));
        lab::Source other = then;
        for (auto& line : other.panes[0].lines)
            line.text = "other";
        view.setCompared(figureOf(other), "pinned");
        QVERIFY(pane->data().ratioText(7, 0).isEmpty());
        QVERIFY(test::svgOf(view, {1000, 560}).contains("other code"));
        view.setCompared({}, {});
        QVERIFY(!pane->data().pinned && !test::svgOf(view, {1000, 560}).contains("pinned"));
    }

    void linesAreFoundAgain_data() {
        QTest::addColumn<QString>("now");
        QTest::addColumn<QString>("then");
        QTest::addColumn<QString>("expected"); // a digit a line, - is new
        QTest::newRow("same") << "abc"
                              << "abc"
                              << "012";
        QTest::newRow("added") << "abxc"
                               << "abc"
                               << "01-2";
        QTest::newRow("gone") << "ac"
                              << "abc"
                              << "02";
        QTest::newRow("changed") << "axc"
                                 << "abc"
                                 << "0-2";
        QTest::newRow("twice") << "a}b}c}"
                               << "a}c}"
                               << "01--23";
        QTest::newRow("nothing") << ""
                                 << "abc"
                                 << "";
        QTest::newRow("between") << "axbcyd"
                                 << "abcd"
                                 << "0-12-3";
        QTest::newRow("all new") << "xyz"
                                 << "abc"
                                 << "---";
    }
    void linesAreFoundAgain() {
        const auto lines = [](const QString& text) {
            std::vector<lab::Source::Line> all;
            for (const QChar letter : text)
                all.push_back({0, QString(letter).toStdString(), {}, {}, "", {}});
            return all;
        };
        QFETCH(QString, now);
        QFETCH(QString, then);
        QString got;
        for (const int line : sameLines(lines(now), lines(then)))
            got += line < 0 ? QString("-") : QString::number(line);
        QTEST(got, "expected");
    }

    void tensOfThousandsOfLinesAreFoundAgain() {
        std::vector<lab::Source::Line> then, now;
        for (int i = 0; i < 50'000; ++i)
            then.push_back({i, i % 5 ? "line " + std::to_string(i) : "}", {}, {}, "", {}});
        now = then;
        for (int i = 0; i < 100; ++i)
            now[static_cast<size_t>(i * 499 + 1)].text = "edited";
        now.erase(now.begin() + 20'000, now.begin() + 20'050);
        const std::vector<int> found = sameLines(now, then);
        QVERIFY(std::count(found.begin(), found.end(), -1) <= 100);
        for (size_t i = 0; i < found.size(); ++i)
            if (found[i] >= 0)
                QCOMPARE(then[static_cast<size_t>(found[i])].text, now[i].text);
        QCOMPARE(found.back(), 49'999);
    }

    void findGoesThroughTheLinesThatHoldIt() {
        SourceView view;
        show(view, test::kernelSource(100));
        view.activateWindow();
        view.pane(0)->goTo(0);
        view.pane(0)->setFocus();
        view.openFind();
        auto* line = view.findChild<QLineEdit*>();
        QVERIFY(line->isVisible());
        const auto foundMarks = [&] { // the mark behind the text, on the current line and on the others
            const QColor mark = Theme::current().warning;
            const QImage image = picture(view.pane(0));
            int count = 0;
            for (int y = 0; y < image.height(); ++y)
                for (int x = 0; x < image.width(); ++x) {
                    const QColor c = image.pixelColor(x, y);
                    count += c.red() - c.blue() > (mark.red() - mark.blue()) / 4 && c.lightnessF() > 0.6f;
                }
            return count;
        };
        const int without = foundMarks();
        QTest::keyClicks(line, "MMA(");
        QCOMPARE(view.pane(0)->currentLine(), 7);
        QVERIFY(foundMarks() > without + 200);
        QTest::keyClick(line, Qt::Key_Return);
        QCOMPARE(view.pane(0)->currentLine(), 13);
        QTest::keyClick(line, Qt::Key_Return);
        QCOMPARE(view.pane(0)->currentLine(), 7); // around the end
        QTest::keyClick(line, Qt::Key_Return, Qt::ShiftModifier);
        QCOMPARE(view.pane(0)->currentLine(), 13);
        const auto says = [&](const char* text) {
            for (const QLabel* label : view.findChildren<QLabel*>())
                if (label->isVisible() && label->text().contains(text))
                    return true;
            return false;
        };
        QVERIFY(says("2 lines"));
        line->clear();
        QTest::keyClicks(line, "zNH"); // no jump to a remark: the keys are text here
        QCOMPARE(view.pane(0)->currentLine(), 13);
        QVERIFY(says("not found"));
        QTest::keyClick(line, Qt::Key_Escape);
        QVERIFY(!line->isVisible());
    }

    void aLineIsSelectedByClickOrEnterOnlyIfThatIsAnswered() {
        for (const bool selectable : {true, false}) {
            lab::Source source = test::kernelSource(100);
            source.selectable = selectable;
            SourceView view;
            show(view, source);
            QSignalSpy selected(&view, &SourceView::selected);
            view.pane(1)->goTo(5);
            QTest::keyClick(view.pane(1), Qt::Key_Return);
            QTest::mouseClick(view.pane(0)->viewport(), Qt::LeftButton, {}, QPoint(80, view.pane(0)->height() / 2));
            QCOMPARE(selected.count(), selectable ? 2 : 0);
            if (selectable) {
                QCOMPARE(selected[0], (QVariantList{qint64{5}, qint64{1}}));
                QCOMPARE(selected[1], (QVariantList{qint64{view.pane(0)->currentLine()}, qint64{0}}));
            }
        }
    }

    void selectedLinesAreCopiedAsTheyStand() {
        SourceView view;
        show(view, test::kernelSource(0));
        view.pane(0)->goTo(2);
        QTest::keyClick(view.pane(0), Qt::Key_Down, Qt::ShiftModifier);
        QTest::keyClick(view.pane(0), Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QApplication::clipboard()->text(),
                 QString("  loadTile(q, a.q, blockRow);\n  for (int j = 0; j < tiles; ++j) {\n"));
    }

    void wideLinesScrollSideways() {
        lab::Source source;
        source.panes = {{"a", "a.cu", {}, {{1, std::string(200, 'a') + "needle", {}, {}, "", {}}}, {}}};
        SourceView view;
        show(view, source, {500, 200});
        QVERIFY(!test::svgOf(view, {500, 200}).contains("needle"));
        for (int i = 0; i < 60; ++i)
            QTest::keyClick(view.pane(0), Qt::Key_Right);
        QVERIFY(test::svgOf(view, {500, 200}).contains("needle"));
    }

    void fiftyThousandLinesScrollLikeFifty() {
        SourceView small, large;
        show(small, test::kernelSource(200), {1200, 700});
        show(large, test::kernelSource(50'000), {1200, 700});
        const auto fastest = [](SourceView& view) { // of several: other programs run as well
            qint64 best = std::numeric_limits<qint64>::max();
            for (int i = 0; i < 15; ++i) {
                view.pane(1)->verticalScrollBar()->setValue(i * 7);
                QElapsedTimer timer;
                timer.start();
                view.pane(1)->grab();
                best = std::min(best, timer.nsecsElapsed());
            }
            return static_cast<double>(best) / 1e6;
        };
        const double few = fastest(small), many = fastest(large);
        qInfo("a frame of 200 lines: %.2f ms, of 50,000: %.2f ms", few, many);
        QVERIFY(many < 3 * few + 2);
    }

    void emptyPanesSayWhy() {
        SourceView view;
        show(view, {});
        QVERIFY(view.emptySentence().contains("no source"));
        lab::Source source;
        source.panes = {{"a", "a.cu", {}, {}, {}}};
        view.setFigure(figureOf(source));
        QVERIFY(view.emptySentence().contains("a.cu has no lines"));
        QVERIFY(test::svgOf(view, {500, 200}).contains("has no lines"));
        view.setFigure(figureOf(test::kernelSource(0)));
        QCOMPARE(view.emptySentence(), QString());
        QVERIFY(view.pane(0)->isVisible() && !view.pane(1));
    }

    void codeIsColouredInBothThemes() {
        for (const Theme* theme : {&Theme::lightTheme(), &Theme::darkTheme()}) {
            Theme::setCurrent(*theme);
            SourceView view;
            show(view, test::kernelSource(0), {900, 560});
            const QImage image = picture(view.pane(0));
            const QRect code(60, 40, 400, 500);
            for (const Token token : {Token::Keyword, Token::Comment, Token::Plain})
                QVERIFY2(test::pixelsOf(image, colourOf(token), code) > 15, theme->dark ? "dark" : "light");
        }
    }

    void wordsAreKnown_data() {
        QTest::addColumn<int>("language");
        QTest::addColumn<QString>("line");
        QTest::addColumn<QString>("expected"); // a letter a character
        constexpr int cpp = 1, ptx = 2;
        QTest::newRow("words") << cpp << "int x = 0x1fu; // y"
                               << "kkkpppppnnnnnppcccc";
        QTest::newRow("text") << cpp << "f(\"a\\\"b\", 'c');"
                              << "ppttttttppttt"
                                 "pp";
        QTest::newRow("comment") << cpp << "a /* b */ c"
                                 << "ppcccccccpp";
        QTest::newRow("include") << cpp << "#include <a>"
                                 << "dddddddddppp";
        QTest::newRow("exponent") << cpp << "1.5e-3f+1"
                                  << "nnnnnnnpn";
        QTest::newRow("instruction") << ptx << "\tld.global.u32 %r1, [%rd2+16];"
                                     << "pkkkkkkkkkkkkkppppppppppppnnpp";
        QTest::newRow("guard") << ptx << "@%p1 bra $L1;"
                               << "pppppkkkppppp";
        QTest::newRow("directive") << ptx << ".reg .f32 %f<3>;"
                                   << "ddddpddddpppp"
                                      "npp";
        QTest::newRow("label") << ptx << "$L__BB0_1: ret;"
                               << "pppppppppppkkkp";
    }
    void wordsAreKnown() {
        QFETCH(int, language);
        QFETCH(QString, line);
        QFETCH(QString, expected);
        bool inComment = false;
        QString got;
        for (const TokenRun& run : highlight(line, static_cast<lab::Source::Language>(language), inComment)) {
            QCOMPARE(run.begin, static_cast<int>(got.size())); // no gap
            got += QString(run.length, QChar("pkntcd"[static_cast<int>(run.token)]));
        }
        QCOMPARE(got, expected);
        QVERIFY(!inComment);
    }

    void blockCommentsGoOnOverLines() {
        bool inComment = false;
        highlight("a /* b", lab::Source::Language::Cpp, inComment);
        QVERIFY(inComment);
        QCOMPARE(highlight("c", lab::Source::Language::Cpp, inComment).at(0).token, Token::Comment);
        QVERIFY(inComment);
        const auto runs = highlight("d */ e", lab::Source::Language::Cpp, inComment);
        QVERIFY(!inComment);
        QCOMPARE(runs.at(0), (TokenRun{0, 4, Token::Comment}));
        QCOMPARE(runs.at(1).token, Token::Plain);
    }
};

QTEST_MAIN(SourceViewTest)
#include "source_view_test.moc"
