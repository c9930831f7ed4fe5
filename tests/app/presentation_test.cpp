// SPDX-License-Identifier: GPL-3.0-or-later
// In front of a room: the figure fills the screen in type that the last row reads, and keys play it wherever the focus
// is.
#include "app/shell/navigation.h"
#include "app/shell/presentation.h"
#include "app/views/steps_view.h"
#include "page_fixture.h"

#include <QApplication>
#include <QLabel>
#include <cmath>
#include <qcustomplot.h>

using namespace warplight;
using namespace warplight::app;

class PresentationTest : public PageFixture {
    Q_OBJECT
  private slots:
    void init() { open("attention.tiles"); }
    void cleanup() {
        window.reset();
        setUiScale(1);
    }

    void theMainFigureFillsTheScreen() {
        QTest::keyClick(window.get(), Qt::Key_F5);
        QTRY_VERIFY(shareOf("walk") > 0.85);
        QVERIFY(!window->findChild<Navigation*>()->isVisible());
        QVERIFY(!window->page().view("moved")->isVisible() && !window->page().view("bytes")->isVisible());
        QTest::keyClick(window.get(), Qt::Key_F5);
        QTRY_VERIFY(shareOf("walk") < 0.6);
        QVERIFY(window->page().view("moved")->isVisible() && window->page().view("bytes")->isVisible());
    }

    void theChosenFigureFillsTheScreen() {
        QTest::keyClick(window.get(), Qt::Key_F5);
        QTRY_VERIFY(shareOf("walk") > 0.85);
        press(Qt::Key_Down);
        QTRY_VERIFY(shareOf("bytes") > 0.85);
        QVERIFY(!window->page().view("walk")->isVisible());
        press(Qt::Key_PageUp); // no player: the other figure
        QTRY_VERIFY(shareOf("walk") > 0.85);
    }

    void titlesGrowWithTheRest() {
        const int title = pixels("Tile walk"), caption = pixels(player()->caption());
        QTest::keyClick(window.get(), Qt::Key_F5);
        QVERIFY(uiScale() >= 1.4);
        QVERIFY(pixels("Tile walk") >= std::lround(1.39 * title));
        QVERIFY(pixels(player()->caption()) >= std::lround(1.39 * caption));
        QVERIFY2(pixels("Tile walk") * 48 >= window->height(), qPrintable(QString::number(pixels("Tile walk"))));
        QTest::keyClick(window.get(), Qt::Key_F5);
        QCOMPARE(pixels("Tile walk"), title);
    }

    void curvesGrowWithTheType() {
        const auto curve = [this] { // null until a new view has drawn it
            auto* plot = window->page().view("bytes")->findChild<QCustomPlot*>();
            return plot->graphCount() > 0 ? plot->graph(0) : nullptr;
        };
        const auto width = [&] { return curve() ? curve()->pen().widthF() : 0.0; };
        QTRY_VERIFY(width() > 0);
        const double line = width(), mark = curve()->scatterStyle().size();
        QTest::keyClick(window.get(), Qt::Key_F5);
        press(Qt::Key_Down);
        QTRY_VERIFY(width() >= 1.39 * line);
        QVERIFY(curve()->scatterStyle().size() >= 1.39 * mark);
        QTest::keyClick(window.get(), Qt::Key_F5);
        QTRY_COMPARE(width(), line);
    }

    void typeIsAFixedShareOfTheScreen() {
        QVERIFY(Presentation::scaleFor(2160) > Presentation::scaleFor(1080));
        QVERIFY(13 * Presentation::scaleFor(1080) >= 1080 / 48.0);
        QCOMPARE(Presentation::scaleFor(300), 1.4);
    }

    void keysStepThePlayerWithoutATab() {
        QTest::keyClick(window.get(), Qt::Key_F5);
        press(Qt::Key_Home);
        QCOMPARE(player()->step(), 0);
        press(Qt::Key_Right);
        QCOMPARE(player()->step(), 1);
        press(Qt::Key_PageDown);
        QCOMPARE(player()->step(), 2);
        press(Qt::Key_PageUp);
        press(Qt::Key_Left);
        QCOMPARE(player()->step(), 0);
        press(Qt::Key_Space);
        QTRY_VERIFY_WITH_TIMEOUT(player()->step() > 0, 4000);
    }

    void aPlayerStaysWhereItIs() {
        player()->showStep(7);
        QTest::keyClick(window.get(), Qt::Key_F5);
        QCOMPARE(player()->step(), 7);
        QTest::keyClick(window.get(), Qt::Key_F5);
        QCOMPARE(player()->step(), 7);
    }

    void escapeEndsItAndKeysAreTheWindowsAgain() {
        QTest::keyClick(window.get(), Qt::Key_F5);
        press(Qt::Key_Escape);
        QTRY_VERIFY(window->findChild<Navigation*>()->isVisible());
        const int step = player()->step();
        QTest::keyClick(window->findChild<Navigation*>(), Qt::Key_Right);
        QCOMPARE(player()->step(), step);
    }

  private:
    StepsView* player() const { return qobject_cast<StepsView*>(window->page().view("walk")); }
    /// As the system sends keys: to whatever has the focus.
    void press(Qt::Key key) {
        QWidget* focus = window->focusWidget();
        QTest::keyClick(focus && focus->isVisible() ? focus : window.get(), key);
    }
    /// Of the window that the figure's card has.
    double shareOf(const char* figure) const {
        const QWidget* card = window->page().view(figure)->parentWidget();
        return card->isVisible() ? 1.0 * card->width() * card->height() / (window->width() * window->height()) : 0;
    }
    int pixels(const QString& text) const {
        for (const QLabel* label : window->page().findChildren<QLabel*>())
            if (label->text() == text && !label->isHidden() && label->parentWidget()->isVisible())
                return label->font().pixelSize();
        return 0;
    }
};

QTEST_MAIN(PresentationTest)
#include "presentation_test.moc"
