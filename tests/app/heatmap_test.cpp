// SPDX-License-Identifier: GPL-3.0-or-later
// What a user sees of a heat map, whole or tile by tile.
#include "app/views/heatmap_view.h"
#include "app/views/theme.h"
#include "tests/app/picture.h"

#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::app;
using test::pixelsOf;

namespace {

/// A lazy map of 4096 × 4096 cells: levels 0 to 4, tiles of 256.
lab::Figure lazyMap() {
    lab::Heatmap map;
    map.rows = map.cols = 4096;
    map.lazy = map.selectable = true;
    map.levels = 5;
    map.valueMaximum = 1;
    return {"map", "Map", "", "", lab::Figure::Place::Main, map};
}

lab::TilePut flatTile(int level, int64_t row, int64_t col, float value) {
    return {1, "map", level, row, col, 256, 256, std::vector<float>(256 * 256, value), true};
}

} // namespace

class HeatmapTest : public QObject {
    Q_OBJECT

  private slots:
    void aMapFillsTheRoomThatItAsksFor() {
        lab::Heatmap map;
        map.rows = map.cols = 4;
        map.valueMaximum = 1;
        map.cells = std::vector<float>(16, 1.0f);
        HeatmapView view;
        view.setFigure({"m", "", "", "", {}, map});
        view.show();
        for (const int width : {240, 420}) {
            view.resize(width, view.fullHeight(width));
            QVERIFY(std::abs(view.fullWidth(view.height()) - width) <= 2);
        }
        view.resize(240, view.fullHeight(240));
        const int cells = pixelsOf(view, Theme::viridis(1));
        QVERIFY2(cells > 0.4 * view.width() * view.height(), qPrintable(QString::number(cells)));
    }

    void aMapAsksForJustTheTilesItShows() {
        HeatmapView view;
        view.resize(700, 600);
        view.setFigure(lazyMap());
        QSignalSpy wanted(&view, &HeatmapView::tileWanted);
        view.show();
        QTRY_COMPARE(wanted.count(), 4); // 550 pixels for 4096 cells: level 3, 512 cells an edge, 2 × 2 tiles
        for (const auto& request : wanted)
            QCOMPARE(request[0].toInt(), 3);
        QTest::qWait(100);
        QCOMPARE(wanted.count(), 4); // not again while they are on their way

        wanted.clear();
        QSignalSpy dropped(&view, &HeatmapView::tilesDropped);
        view.zoomAt(view.rect().center(), 16); // about two pixels a cell
        QCOMPARE(dropped.count(), 1);
        QTRY_VERIFY(wanted.count() > 0);
        QCOMPARE(view.level(), 0);
        for (const auto& request : wanted) {
            QCOMPARE(request[0].toInt(), 0);
            QVERIFY(std::abs(request[1].toInt() - 7.5) < 2 && std::abs(request[2].toInt() - 7.5) < 2);
        }
        QVERIFY(wanted.count() <= 9);
    }

    void aCoarseTileStandsInUntilTheFineOneComes() {
        HeatmapView view;
        view.resize(700, 600);
        view.setFigure(lazyMap());
        view.show();
        view.addTile(flatTile(4, 0, 0, 1));
        QTRY_VERIFY(pixelsOf(view, Theme::viridis(1)) > 100000);
        for (int64_t row : {0, 1})
            for (int64_t col : {0, 1})
                view.addTile(flatTile(3, row, col, 0));
        QTRY_VERIFY(pixelsOf(view, Theme::viridis(0)) > 100000);
        QVERIFY(pixelsOf(view, Theme::viridis(1)) < 2000); // but for the scale beside it
        view.zoomAt(view.rect().center(), 4);
        QTRY_VERIFY(pixelsOf(view, Theme::viridis(0)) > 100000); // level 1 is not here
    }

    void cellsWithoutAFiniteValueAreNotInThePalette() {
        lab::Heatmap map;
        map.rows = map.cols = 2;
        map.valueMaximum = 1;
        map.cells = {0.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 0.0f};
        HeatmapView view;
        view.resize(400, 300);
        view.setFigure({"m", "", "", "", {}, map});
        view.show();
        QTRY_VERIFY(pixelsOf(view, Theme::current().nonFinite()) > 500);
        const int cell = (300 - 42) / 2;                                              // pixels
        QVERIFY(pixelsOf(view, Theme::current().nonFinite()) < cell * cell * 9 / 10); // hatched
        QVERIFY(pixelsOf(view, Theme::current().ground) > 500);
        QVERIFY(pixelsOf(view, Theme::viridis(0)) > 1000);
    }

    void aMapIsDrivenByTheKeyboard() {
        HeatmapView view;
        view.resize(700, 600);
        view.setFigure(lazyMap());
        view.show();
        QSignalSpy selected(&view, &HeatmapView::selected);
        QTest::keyClick(&view, Qt::Key_Return);
        QCOMPARE(selected.count(), 1);
        QCOMPARE(selected[0][0].toLongLong(), 2048);
        for (int i = 0; i < 4; ++i)
            QTest::keyClick(&view, Qt::Key_Plus);
        QCOMPARE(view.level(), 0);
        QTest::keyClick(&view, Qt::Key_Down);
        QTest::keyClick(&view, Qt::Key_Return);
        QVERIFY(selected[1][0].toLongLong() > 2048);
        QTest::keyClick(&view, Qt::Key_0);
        QCOMPARE(view.level(), 3);
    }

    void aDivergingMapHasTheGroundsColourAtZero() {
        lab::Heatmap map;
        map.rows = map.cols = 2;
        map.valueMinimum = -1, map.valueMaximum = 1;
        map.palette = lab::Heatmap::Palette::Diverging;
        map.cells = {1.0f, -1.0f, 0.0f, 0.0f};
        HeatmapView view;
        view.resize(400, 300);
        view.setFigure({"m", "", "", "", {}, map});
        view.show();
        QTRY_VERIFY(pixelsOf(view, Theme::current().diverging(1)) > 5000);
        QVERIFY(pixelsOf(view, Theme::current().diverging(-1)) > 5000);
        QVERIFY(pixelsOf(view, Theme::current().diverging(0)) > 10000);
        map.palette = lab::Heatmap::Palette::Viridis; // the same view, another figure
        view.setFigure({"m", "", "", "", {}, map});
        QTRY_VERIFY(pixelsOf(view, Theme::viridis(0.5)) > 10000);
    }
};

QTEST_MAIN(HeatmapTest)
#include "heatmap_test.moc"
