// SPDX-License-Identifier: GPL-3.0-or-later
// What stands where on a page: figures share the width of their rows, cards are not half empty, nothing is cut off.
#include "app/shell/command_bar.h"
#include "app/shell/figure_card.h"
#include "app/shell/page_layout.h"
#include "app/views/figure_view.h"
#include "tests/app/page_fixture.h"
#include "tests/app/picture.h"

#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTableView>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::app;
using lab::Figure;

namespace {

FigureNeed chart(int width = 366, int height = 250) {
    return {Figure::Place::Support, width, [height](int) { return height; }, [](int) { return 0; }};
}
FigureNeed table(int width, int full, int height = 250) {
    return {Figure::Place::Support, width, [=](int) { return std::min(full, height); }, [full](int) { return full; }};
}
/// As high as it is wide, but for 60 pixels of frame.
FigureNeed map(Figure::Place place = Figure::Place::Support) {
    return {place, 266, [](int width) { return std::min(width + 60, 440); }, [](int width) { return width + 60; },
            [](int height) { return height - 60; }};
}
FigureNeed detail(int height) {
    FigureNeed need = chart(296, height);
    need.place = Figure::Place::Detail;
    return need;
}

/// Counts how often something is resized, and after too many times lets it be.
struct Restless : QObject {
    static constexpr int most = 200;
    int resizes = 0;
    bool eventFilter(QObject*, QEvent* event) override { return event->type() == QEvent::Resize && ++resizes >= most; }
};

/// Each card ends at the right edge, or another one begins beside it; none lies upon another.
QString holesIn(const std::vector<QRect>& cards, int width) {
    const auto text = [](const QRect& r) {
        return QString("%1,%2 %3x%4").arg(r.x()).arg(r.y()).arg(r.width()).arg(r.height());
    };
    for (size_t i = 0; i < cards.size(); ++i) {
        const QRect& card = cards[i];
        if (card.left() < 0 || card.right() + 1 > width)
            return "outside the page: " + text(card);
        bool followed = card.right() + 1 == width, led = card.left() == 0;
        for (size_t j = 0; j < cards.size(); ++j) {
            if (j != i && cards[j].intersects(card))
                return text(card) + " lies upon " + text(cards[j]);
            const bool sameRow = cards[j].top() <= card.bottom() && cards[j].bottom() >= card.top();
            followed |= sameRow && cards[j].left() == card.right() + 1 + figureGap;
            led |= sameRow && card.left() == cards[j].right() + 1 + figureGap;
        }
        if (!followed || !led)
            return "a hole beside " + text(card);
    }
    return {};
}

constexpr QSize sizes[] = {{1024, 700}, {1280, 800}, {1600, 1000}, {1920, 1080}};

} // namespace

class LayoutTest : public PageFixture {
    Q_OBJECT

    std::vector<FigureCard*> cards() const {
        std::vector<FigureCard*> shown;
        for (auto* card : window->page().findChildren<FigureCard*>())
            if (card->isVisible())
                shown.push_back(card);
        return shown;
    }

    QScrollArea* scrolled() const { return qobject_cast<QScrollArea*>(window->page().parentWidget()->parentWidget()); }

    static void addScrolledPages() {
        QTest::addColumn<QString>("page");
        for (const char* page : {"attention.tiles", "allreduce.overlap", "precision.tensors", "precision.overflow"})
            QTest::newRow(page) << page;
    }

  private slots:
    void cleanup() { window.reset(); }

    void manyWarningsLeaveRoomForTheFigures() {
        PageView page;
        lab::RunRecord run;
        run.apply(lab::RunStarted{1, "test.run", "A run", {}, "cpu", "2026-01-02T03:04:05Z", {}});
        const auto* state = page.findChild<QLabel*>("banner");
        for (int i = 1; i <= 9; ++i) {
            run.apply(lab::Log{1, lab::Log::Level::Warning, "warning " + std::to_string(i)});
            page.showRecord(&run);
            QCOMPARE(state->text().count('\n') + 1, std::min(i, 4));
        }
        QVERIFY(state->text().endsWith("… and 6 more"));
        QVERIFY(state->toolTip().contains("warning 9"));
    }

    void aLoneFigureHasTheWidthOfThePage() {
        for (const int width : {380, 780, 1100, 1480, 2400}) {
            const PlacedFigures placed = placeFigures({chart()}, width, 0);
            QCOMPARE(placed.cards[0], QRect(0, 0, width, 250));
        }
    }

    void fourFiguresStandInTwoAndTwoNotInThreeAndOne() {
        const PlacedFigures placed = placeFigures({chart(), chart(), chart(), chart()}, 1480, 0);
        for (const QRect& card : placed.cards)
            QCOMPARE(card.width(), (1480 - figureGap) / 2);
        QCOMPARE(placed.height, 2 * 250 + figureGap);
    }

    void aSmallTableDoesNotShareARowWithAHighFigure() {
        const PlacedFigures placed = placeFigures({chart(), table(366, 90)}, 1480, 0);
        QCOMPARE(placed.cards[1].height(), 90);
        QCOMPARE(placed.cards[1].width(), 1480);
        const PlacedFigures large = placeFigures({chart(), table(366, 700)}, 1480, 0);
        QCOMPARE(large.cards[1].top(), 0);
    }

    void aMapLeavesItsRowToTheOthers() {
        const PlacedFigures placed = placeFigures({chart(), map()}, 1100, 0);
        QVERIFY(placed.cards[1].width() <= placed.cards[1].height());
        QVERIFY(placed.cards[0].width() > placed.cards[1].width());
        QCOMPARE(placed.cards[0].width() + figureGap + placed.cards[1].width(), 1100);
    }

    void theDetailsOfAMapStandBesideIt() {
        const PlacedFigures placed =
            placeFigures({map(Figure::Place::Main), detail(180), detail(180), detail(180), chart(), chart()}, 780, 0);
        QCOMPARE(placed.cards[0].topLeft(), QPoint(0, 0));
        QVERIFY(placed.cards[0].height() <= placed.cards[0].width() + 60); // the map fills it
        for (const size_t beside : {1, 2}) {
            QVERIFY(placed.cards[beside].left() > placed.cards[0].right());
            QVERIFY(placed.cards[beside].bottom() <= placed.cards[0].bottom());
        }
        QVERIFY(placed.cards[3].top() > placed.cards[0].bottom()); // has no room there
    }

    void aMapGrowsWithTheColumnBesideIt() {
        const PlacedFigures placed = placeFigures({map(Figure::Place::Main), detail(180), detail(300)}, 1480, 0);
        QVERIFY(placed.cards[2].left() > placed.cards[0].right());
        QCOMPARE(placed.cards[0].height(), 180 + figureGap + 300);
        QCOMPARE(placed.cards[0].width() + 60, placed.cards[0].height());
    }

    void mapsSideBySideHaveNoHoleBelow() {
        const PlacedFigures placed = placeFigures({map(), map(), map(), chart(), chart()}, 1000, 1200);
        QCOMPARE(placed.height, 1200);
        QVERIFY(std::abs(placed.cards[0].height() - placed.cards[0].width() - 60) <= 1);
    }

    void whatAWindowHasToSpareGoesToFiguresThatMakeUseOfIt() {
        FigureNeed main = chart(366, 330);
        main.place = Figure::Place::Main;
        const PlacedFigures placed = placeFigures({main, table(700, 120)}, 780, 900);
        QCOMPARE(placed.height, 900);
        QCOMPARE(placed.cards[1].height(), 120);
        const PlacedFigures tables = placeFigures({table(700, 120), table(700, 140)}, 780, 900);
        QCOMPARE(tables.height, 120 + figureGap + 140);
    }

    void noPageHasAHole() {
        std::mt19937 dice(7);
        const auto below = [&](int most) { return static_cast<int>(dice() % static_cast<unsigned>(most)); };
        for (int page = 0; page < 2000; ++page) {
            std::vector<FigureNeed> needs;
            for (int i = 1 + below(9); i > 0; --i) {
                const int kind = below(4);
                needs.push_back(kind == 0   ? chart(200 + below(500), 150 + below(300))
                                : kind == 1 ? table(200 + below(900), 60 + below(800))
                                : kind == 2 ? map()
                                            : chart());
                needs.back().place = static_cast<Figure::Place>(1 + below(3));
            }
            const int width = 350 + below(2000), available = below(2000);
            const PlacedFigures placed = placeFigures(needs, width, available);
            const QString hole = holesIn(placed.cards, width);
            // Beside a main figure, a column of tables may end before it does.
            const bool side =
                std::any_of(needs.begin(), needs.end(), [](const auto& n) { return n.place == Figure::Place::Main; });
            if (!hole.isEmpty() && !(side && hole.startsWith("a hole")))
                QFAIL(qPrintable(QString("page %1, %2 wide: %3").arg(page).arg(width).arg(hole)));
            for (size_t i = 0; i < needs.size(); ++i)
                QVERIFY(placed.cards[i].width() > 0 && placed.cards[i].height() > 0);
        }
    }

    void theDeviceIsWholeAndEveryCommandIsThere() {
        open("attention.tiles");
        auto* device = window->findChild<QComboBox*>("device");
        device->setItemText(0, "cpu · AMD Ryzen 7 PRO 7840U, 16 cores"); // not this machine's, which may be short
        for (const int width : {1024, 1280, 1920}) {
            window->resize(width, 700);
            QTest::qWait(30);
            QCOMPARE(window->width(), width);
            QVERIFY2(device->width() >= device->sizeHint().width(), qPrintable(QString::number(width)));
            auto* bar = window->findChild<CommandBar*>();
            QStringList commands;
            int right = 0;
            for (auto* button : bar->findChildren<QPushButton*>()) {
                if (!button->isVisible())
                    continue;
                QVERIFY2(button->width() >= button->sizeHint().width(), qPrintable(button->text()));
                QVERIFY(bar->rect().contains(button->geometry()));
                right = std::max(right, button->geometry().right());
                commands << button->text();
            }
            if (commands.contains("More")) {
                QTest::mouseClick(bar->findChild<QPushButton*>("more"), Qt::LeftButton);
                for (auto* menu : bar->findChildren<QMenu*>())
                    if (menu->isVisible()) {
                        for (const QAction* action : menu->actions())
                            commands << action->text();
                        menu->close();
                    }
            }
            for (const char* command :
                 {"Run", "Stop", "Compare", "Search commands", "Open…", "Save…", "Export…", "Light or dark", "Present"})
                QVERIFY2(commands.contains(QString::fromUtf8(command)), command);
            QVERIFY(width < 1280 || !commands.contains("More"));
        }
        device->setItemText(0, "cuda:0 · NVIDIA GeForce RTX 4090"); // a longer name takes its room from commands
        window->resize(1100, 700);
        QTRY_VERIFY(device->width() >= device->sizeHint().width());
        QCOMPARE(window->width(), 1100);
    }

    void whatTabReachesHasARing() {
        for (const Theme* theme : {&Theme::lightTheme(), &Theme::darkTheme()}) {
            open("attention.accuracy");
            Theme::setCurrent(*theme);
            window->activateWindow();
            QVERIFY(QTest::qWaitForWindowActive(window.get()));
            const QColor accent = Theme::current().accent;
            std::set<QWidget*> reached;
            std::set<QString> kinds;
            for (int i = 0; i < 200; ++i) {
                QTest::keyClick(window.get(), Qt::Key_Tab);
                QWidget* focus = QApplication::focusWidget();
                QVERIFY(focus);
                if (!reached.insert(focus).second)
                    break;
                kinds.insert(focus->metaObject()->className());
                const QImage image = focus->grab().toImage();
                int ringed = 0;
                const int right = image.width() - 1, bottom = image.height() - 1;
                for (int x = 0; x <= right; ++x)
                    ringed += test::near(image.pixelColor(x, 0), accent, 90) +
                              test::near(image.pixelColor(x, bottom), accent, 90);
                for (int y = 0; y <= bottom; ++y)
                    ringed += test::near(image.pixelColor(0, y), accent, 90) +
                              test::near(image.pixelColor(right, y), accent, 90);
                QVERIFY2(ringed > (right + bottom), // of twice as many pixels
                         qPrintable(QString("%1 %2: %3 of %4")
                                        .arg(focus->metaObject()->className(), focus->accessibleName())
                                        .arg(ringed)
                                        .arg(2 * (right + bottom))));
            }
            QVERIFY2(reached.size() > 25, qPrintable(QString::number(reached.size())));
            QVERIFY(kinds.count("QPushButton") && kinds.count("QCheckBox") && kinds.count("QTableView"));
            QTest::mouseClick(&window->page(), Qt::LeftButton, {}, QPoint(2, 2));
            QVERIFY(!window->findChild<QWidget*>("focusRing") ||
                    !window->findChild<QWidget*>("focusRing")->isVisible());
            window.reset();
        }
    }

    void figuresFillTheirRows_data() {
        QTest::addColumn<QString>("page");
        for (const char* page : {"attention.tiles", "attention.map", "attention.traffic", "attention.accuracy",
                                 "allreduce.steps", "allreduce.links", "allreduce.overlap", "allreduce.numbers",
                                 "inspect.kernel", "inspect.occupancy", "tools.devices", "test.ramp",
                                 "precision.formats", "precision.overflow", "precision.tensors", "profile.open"})
            QTest::addRow("%s", page) << page;
    }
    void figuresFillTheirRows() {
        QFETCH(const QString, page);
        open(page == "profile.open" ? "tools.devices" : page);
        if (page == "profile.open") {
            window->openFiles({QString(WARPLIGHT_TEST_DATA) + "/data/profiles/ncu_raw.csv"});
            QTRY_COMPARE(window->currentExperiment(), page);
            QTRY_VERIFY_WITH_TIMEOUT(finished(), 30000);
        }
        for (const QSize& size : sizes) {
            window->resize(size);
            QTest::qWait(50);
            QCOMPARE(window->width(), size.width()); // nothing makes it wider
            QVERIFY(window->page().width() <= scrolled()->viewport()->width());
            std::vector<QRect> places;
            for (const FigureCard* card : cards())
                places.push_back(card->geometry());
            QVERIFY(!places.empty());
            const QString where = QString("%1 at %2: ").arg(page).arg(size.width());
            const QString hole = holesIn(places, cards().front()->parentWidget()->width());
            QVERIFY2(hole.isEmpty(), qPrintable(where + hole));
            for (const FigureCard* card : cards()) {
                const FigureView* view = card->view();
                const QString which = where + QString::fromStdString(card->figure().id);
                const int full = view->fullHeight(view->width());
                if (const auto* table = view->findChild<QTableView*>(); table && full <= view->height())
                    QVERIFY2(table->viewport()->height() >= table->verticalHeader()->length(), // all rows are seen
                             qPrintable(which + QString(": %1 for %2, asked for %3 and got %4")
                                                    .arg(table->viewport()->height())
                                                    .arg(table->verticalHeader()->length())
                                                    .arg(full)
                                                    .arg(view->height())));
                QVERIFY2(view->height() >= (full > 0 ? std::min(full, 60) : 60), qPrintable(which));
                QVERIFY2(card->rect().contains(view->geometry()), qPrintable(which));
                QVERIFY2(full == 0 || view->height() <= full / 0.55 + 8,
                         qPrintable(which + QString(": %1 of %2").arg(full).arg(view->height())));
                for (const QLabel* label : card->findChildren<QLabel*>("muted", Qt::FindDirectChildrenOnly)) {
                    const QRect needed = label->fontMetrics().boundingRect(
                        QRect(0, 0, label->width(), 1000), label->wordWrap() ? Qt::TextWordWrap : 0, label->text());
                    QVERIFY2(!label->isVisible() ||
                                 (needed.width() <= label->width() + 1 && needed.height() <= label->height() + 2),
                             qPrintable(which + ": " + label->text()));
                }
            }
        }
    }

    /// A page whose height follows from its width and the other way round may call and lose a scroll bar for ever.
    void figuresComeToRestInAnyWindow_data() {
        QTest::addColumn<QString>("page");
        QTest::addColumn<bool>("enlarged");
        for (const char* page : {"attention.tiles", "allreduce.overlap", "precision.tensors"})
            for (const bool enlarged : {false, true})
                QTest::addRow("%s, %s", page, enlarged ? "one" : "all") << page << enlarged;
    }
    void figuresComeToRestInAnyWindow() {
        QFETCH(QString, page);
        QFETCH(bool, enlarged);
        open(page);
        FigureCard* card = cards().front();
        QWidget* board = card->parentWidget();
        if (enlarged)
            emit card->enlargeWanted();
        Restless restless;
        board->installEventFilter(&restless);
        for (const int height : {900, 480})
            for (const int width : {1100, 974, 729, 500, 1}) {
                restless.resizes = 0;
                window->resize(width, height);
                QApplication::processEvents();
                QVERIFY2(restless.resizes < Restless::most, qPrintable(QString("%1 x %2").arg(width).arg(height)));
            }
    }

    /// A need that changed with the scroll bar would call and lose it for ever.
    void whatFiguresNeedDoesNotFollowTheScrollBar_data() { addScrolledPages(); }
    void whatFiguresNeedDoesNotFollowTheScrollBar() {
        QFETCH(QString, page);
        open(page);
        QWidget* board = cards().front()->parentWidget();
        for (int width = 640; width < 1500; width += 41) {
            window->resize(width, 700);
            std::vector<int> needs;
            for (const auto policy : {Qt::ScrollBarAlwaysOn, Qt::ScrollBarAlwaysOff}) {
                scrolled()->setVerticalScrollBarPolicy(policy);
                QApplication::processEvents();
                QCOMPARE(scrolled()->verticalScrollBar()->isVisible(), policy == Qt::ScrollBarAlwaysOn);
                needs.push_back(board->minimumHeight());
            }
            QVERIFY2(
                needs[0] == needs[1],
                qPrintable(
                    QString("%1 wide: %2 high with a scroll bar, %3 without").arg(width).arg(needs[0]).arg(needs[1])));
        }
    }

    /// Windows a few pixels lower and higher than the page: whichever way a window comes to its size, the page comes to
    /// rest, and figures stand in the same places.
    void pagesComeToRestWhereTheirScrollBarAppears_data() { addScrolledPages(); }
    void pagesComeToRestWhereTheirScrollBarAppears() {
        QFETCH(QString, page);
        open(page);
        QWidget* board = cards().front()->parentWidget();
        Restless restless;
        board->installEventFilter(&restless);
        const auto shown = [&](int width, int height) {
            restless.resizes = 0;
            window->resize(width, height);
            QApplication::processEvents();
            return scrolled()->verticalScrollBar()->isVisible();
        };
        for (const int width : {1280, 974, 729}) {
            int with = 420, without = 8000;
            QVERIFY(shown(width, with) && !shown(width, without));
            while (without - with > 1) {
                const int middle = (with + without) / 2;
                (shown(width, middle) ? with : without) = middle;
            }
            std::map<int, std::vector<QRect>> places;
            for (const int step : {1, -1})
                for (int i = -12; i <= 12; ++i) {
                    const int height = without + step * i;
                    QCOMPARE(shown(width, height), height < without);
                    QVERIFY2(restless.resizes <= 12,
                             qPrintable(QString("%1 x %2: %3 times").arg(width).arg(height).arg(restless.resizes)));
                    std::vector<QRect> now;
                    for (const FigureCard* card : cards())
                        now.push_back(card->geometry());
                    QVERIFY2(places.try_emplace(height, now).first->second == now,
                             qPrintable(QString("%1 x %2").arg(width).arg(height)));
                }
        }
    }
};

QTEST_MAIN(LayoutTest)
#include "layout_test.moc"
