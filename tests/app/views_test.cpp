// What a user sees of single figures.
#include "app/views/heatmap_view.h"
#include "app/views/histogram_view.h"
#include "app/views/series_view.h"
#include "app/views/steps_view.h"
#include "app/views/table_view.h"
#include "app/views/theme.h"

#include <QAbstractItemModelTester>
#include <QBuffer>
#include <QSignalSpy>
#include <QSvgGenerator>
#include <QTest>
#include <QToolButton>
#include <cmath>
#include <cstdint>
#include <optional>
#include <qcustomplot.h>
#include <tuple>
#include <variant>
#include <vector>

#include <limits>

using namespace warplight;
using namespace warplight::app;

namespace {

lab::Figure twoCurves() {
    lab::Series series;
    series.x = {"sequence length", "", lab::Scale::Log2, {}, {}, {}, false};
    series.y = {"time", "s", lab::Scale::Log10, {}, {}, {}, false};
    lab::Curve flash, standard;
    flash.id = flash.label = flash.colourKey = "flash";
    flash.x = {256, 512, 1024};
    flash.y = {0.001, 0.002, 0.004};
    standard.id = standard.label = standard.colourKey = "standard";
    standard.x = flash.x;
    standard.y = {0.004, 0.016, 0.064};
    series.curves = {flash, standard};
    return {"time", "Time", "", "", lab::Figure::Place::Main, series};
}

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

/// Pixels near a colour in the picture of the view.
int pixelsOf(FigureView& view, const QColor& colour) {
    const QImage image = view.grab().toImage();
    int count = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const QColor c = image.pixelColor(x, y);
            count += std::abs(c.red() - colour.red()) + std::abs(c.green() - colour.green()) +
                         std::abs(c.blue() - colour.blue()) <
                     30;
        }
    return count;
}

} // namespace

class ViewsTest : public QObject {
    Q_OBJECT
  private slots:
    void initTestCase() { Theme::setCurrent(Theme::lightTheme()); }

    void aHiddenCurveLeavesThePicture() {
        SeriesView view;
        view.resize(600, 400);
        view.setFigure(twoCurves());
        view.show();
        const QColor orange = Theme::current().series("standard");
        QTRY_VERIFY(pixelsOf(view, orange) > 200);
        const int before = pixelsOf(view, orange);
        view.setHidden("standard", true);
        QTRY_VERIFY(pixelsOf(view, orange) < before / 4);
        view.setHidden("standard", false);
        QTRY_COMPARE(pixelsOf(view, orange), before);
    }

    void aChipOfTheLegendKeepsItsPressAndTheKeyboardWhileCurvesGrow() {
        SeriesView view;
        view.resize(600, 400);
        view.show();
        view.setFigure(twoCurves());
        const auto chip = [&] {
            for (auto* button : view.findChildren<QToolButton*>())
                if (button->text() == "standard")
                    return button;
            return static_cast<QToolButton*>(nullptr);
        };
        QTRY_VERIFY(chip());
        const QColor orange = Theme::current().series("standard");
        QTRY_VERIFY(pixelsOf(view, orange) > 200);
        const int before = pixelsOf(view, orange);

        view.activateWindow();
        chip()->setFocus();
        QTest::mousePress(chip(), Qt::LeftButton);
        view.setFigure(twoCurves());
        QTest::qWait(50);
        QTest::mouseRelease(chip(), Qt::LeftButton);
        QTRY_VERIFY(pixelsOf(view, orange) < before / 4);
        QTRY_VERIFY(chip()->hasFocus());
        QTest::keyClick(chip(), Qt::Key_Space);
        QTRY_COMPARE(pixelsOf(view, orange), before);
        QVERIFY(chip()->isChecked() && chip()->hasFocus());
    }

    void theCrosshairTellsExactValuesAndTheRatioToThePinnedRun() {
        SeriesView view;
        view.setFigure(twoCurves());
        lab::Figure pinned = twoCurves();
        std::get<lab::Series>(pinned.content).curves[0].y = {0.002, 0.004, 0.008};
        view.setCompared(pinned, "before");
        const QStringList lines = view.readingsAt(512);
        QCOMPARE(lines.size(), 3);
        QCOMPARE(lines[1], QString("flash: 2 ms (0.50× of before)"));
        QCOMPARE(lines[2], QString("standard: 16 ms (1.00× of before)"));
        view.setCompared(std::nullopt, {});
        QCOMPARE(view.readingsAt(512)[1], QString("flash: 2 ms"));
    }

    void whatALogAxisCannotShowHidesNothingElse() {
        lab::Figure figure = twoCurves();
        auto& curve = std::get<lab::Series>(figure.content).curves[1];
        curve.y = {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()};
        SeriesView view;
        view.resize(600, 400);
        view.setFigure(figure);
        view.show();
        QTRY_VERIFY(pixelsOf(view, Theme::current().series("flash")) > 200);
    }

    void anAxisIsLinearOrLogarithmicAtWill() {
        SeriesView view;
        view.resize(600, 400);
        lab::Figure figure = twoCurves();
        std::get<lab::Series>(figure.content).y.minimum = 0;
        std::get<lab::Series>(figure.content).y.scale = lab::Scale::Linear;
        view.setFigure(figure);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        const auto scale = [&] { return view.findChild<QCustomPlot*>()->yAxis->scaleType(); };
        QTRY_COMPARE(scale(), QCPAxis::stLinear);
        view.viewActions().at(1)->trigger();
        QTRY_COMPARE(scale(), QCPAxis::stLogarithmic);
        QVERIFY(view.findChild<QCustomPlot*>()->yAxis->range().lower > 0);
        view.setFigure(figure); // a live run keeps what the user chose
        QTest::qWait(50);
        QCOMPARE(scale(), QCPAxis::stLogarithmic);
        view.viewActions().at(1)->trigger();
        QTRY_COMPARE(scale(), QCPAxis::stLinear);
    }

    void aHistogramTellsItsBinsAndHidesWhatIsClicked() {
        lab::Histogram histogram;
        histogram.edges = {0, 1, 2, 3};
        histogram.sets = {{"a", "flash", "flash", lab::Provenance::Counted, {5, 0, 1000}},
                          {"b", "standard", "standard", lab::Provenance::Counted, {7, 3, 0}}};
        HistogramView view;
        view.resize(600, 400);
        view.setFigure({"h", "", "", "", {}, histogram});
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        QCOMPARE(view.readingAt(1.5), QString("1 … 2  ·  flash: 0  ·  standard: 3"));
        QCOMPARE(view.readingAt(3.5), QString());
        auto* plot = view.findChild<QCustomPlot*>();
        view.viewActions().at(0)->trigger();
        QTRY_COMPARE(plot->yAxis->scaleType(), QCPAxis::stLogarithmic);
        QTest::qWait(50);
        const QRect name = plot->legend->item(1)->outerRect();
        QTest::mouseClick(plot, Qt::LeftButton, {}, name.center());
        QTRY_COMPARE(view.readingAt(1.5), QString("1 … 2  ·  flash: 0"));
        QVERIFY(!plot->graph(1)->visible() && plot->graph(0)->visible());
    }

    void vectorOutputHoldsLinesAndTextNotPixels() {
        SeriesView view;
        view.setFigure(twoCurves());
        QBuffer buffer;
        buffer.open(QIODevice::WriteOnly);
        {
            QSvgGenerator svg;
            svg.setOutputDevice(&buffer);
            svg.setSize({600, 400});
            QPainter painter(&svg);
            view.render(painter, QRectF(0, 0, 600, 400));
        }
        QVERIFY(buffer.data().contains("sequence length"));
        QVERIFY(!buffer.data().contains("<image"));
        QVERIFY(buffer.data().contains("<polyline") || buffer.data().contains("<path"));
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
        QVERIFY(pixelsOf(view, Theme::current().nonFinite()) < 48 * 48 * 9 / 10); // hatched
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

    void stepsAreDrivenByTheKeyboard() {
        lab::Steps steps;
        for (const char* caption : {"first", "second", "third"})
            steps.steps.push_back({caption, {}, {}, {}, {}});
        StepsView view;
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.caption(), QString("first"));
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.caption(), QString("second"));
        QTest::keyClick(&view, Qt::Key_End);
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.caption(), QString("third"));
        QTest::keyClick(&view, Qt::Key_Left);
        QCOMPARE(view.step(), 1);
        QTest::keyClick(&view, Qt::Key_Home);
        QTest::keyClick(&view, Qt::Key_Space);
        QTRY_COMPARE_WITH_TIMEOUT(view.step(), 1, 3000); // it plays
    }

    void stepsOpenWhereTheFigureSaysUntilSomebodyMoves() {
        lab::Steps steps;
        steps.opensAt = 1;
        steps.steps.push_back({"start", {}, {}, {}, {}});
        StepsView view;
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.caption(), QString("start")); // there is no other yet
        steps.steps.push_back({"first", {}, {}, {}, {}});
        steps.steps.push_back({"second", {}, {}, {}, {}});
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.caption(), QString("first"));
        QTest::keyClick(&view, Qt::Key_Home);
        steps.steps.push_back({"third", {}, {}, {}, {}});
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.caption(), QString("start"));
    }

    void tablesSortByNumberAndAppendInPlace() {
        TableModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        lab::Table table;
        table.columns = {{"n", "N", "", true, {}, ""}, {"t", "Time", "s", true, lab::Provenance::Measured, ""}};
        table.rows = {{int64_t{10}, 0.5}, {int64_t{9}, 0.25}};
        model.setTable(table);
        QCOMPARE(model.index(0, 1).data().toString(), QString("500 ms"));
        QVERIFY(model.index(0, 0).data(TableModel::SortRole).toLongLong() >
                model.index(1, 0).data(TableModel::SortRole).toLongLong());
        QCOMPARE(model.headerData(1, Qt::Horizontal, Qt::ToolTipRole).toString(), QString("measured"));
        const QPersistentModelIndex kept = model.index(1, 1);
        table.rows.push_back({int64_t{8}, std::monostate{}});
        model.setTable(table);
        QVERIFY(kept.isValid());
        QCOMPARE(model.index(2, 1).data().toString(), QString("–"));
    }
};

QTEST_MAIN(ViewsTest)
#include "views_test.moc"
