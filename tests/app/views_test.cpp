// What a user sees of single figures.
#include "app/views/series_view.h"
#include "app/views/steps_view.h"
#include "app/views/table_view.h"
#include "app/views/theme.h"

#include <QAbstractItemModelTester>
#include <QBuffer>
#include <QSvgGenerator>
#include <QTest>

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
