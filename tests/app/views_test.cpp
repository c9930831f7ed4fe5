// SPDX-License-Identifier: GPL-3.0-or-later
// What a user sees of single figures.
#include "app/views/histogram_view.h"
#include "app/views/metric_view.h"
#include "app/views/plot_style.h"
#include "app/views/series_view.h"
#include "app/views/steps_view.h"
#include "app/views/table_view.h"
#include "app/views/theme.h"
#include "tests/app/picture.h"
#include "tests/core/lab/scene.h"

#include <QAbstractItemModelTester>
#include <QBuffer>
#include <QHeaderView>
#include <QLabel>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSvgGenerator>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <qcustomplot.h>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <limits>

using namespace warplight;
using namespace warplight::app;
using test::pixelsOf;

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

    /// A dotted, jagged line of that many points takes seconds to draw.
    void longCurvesAreNotDashed() {
        for (const int points : {400, 20'000}) {
            lab::Figure figure = twoCurves();
            for (lab::Curve& curve : std::get<lab::Series>(figure.content).curves) {
                curve.provenance = lab::Provenance::Modelled;
                curve.low = curve.high = {};
                curve.x.resize(static_cast<size_t>(points));
                curve.y.resize(curve.x.size());
                for (size_t i = 0; i < curve.x.size(); ++i) {
                    curve.x[i] = static_cast<double>(i + 1);
                    curve.y[i] = 1 + static_cast<double>(i * 7919 % 101);
                }
            }
            SeriesView view;
            view.resize(600, 400);
            view.show();
            view.setFigure(figure);
            view.setCompared(figure, "before");
            const auto* plot = view.findChild<QCustomPlot*>();
            QTRY_COMPARE(plot->graphCount(), 4);
            for (int i = 0; i < plot->graphCount(); ++i)
                QCOMPARE(plot->graph(i)->pen().style() == Qt::SolidLine, points > 500);
            std::vector<QRgb> colours; // and what is pinned still looks another
            for (int i = 0; i < plot->graphCount(); ++i)
                colours.push_back(plot->graph(i)->pen().color().rgb());
            std::sort(colours.begin(), colours.end());
            QCOMPARE(std::unique(colours.begin(), colours.end()) - colours.begin(), points > 500 ? 4 : 2);
        }
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
        for (auto* chip : view.findChildren<QToolButton*>())
            if (chip->text() == "standard")
                QTest::mouseClick(chip, Qt::LeftButton);
        QTRY_COMPARE(view.readingAt(1.5), QString("1 … 2  ·  flash: 0"));
        QVERIFY(!plot->graph(1)->visible() && plot->graph(0)->visible());
    }

    void aLegendStandsAboveThePlotAndTheHighestBinIsWhole() {
        lab::Histogram histogram;
        histogram.edges = {0, 1, 2, 3};
        histogram.sets = {{"a", "flash", "flash", lab::Provenance::Counted, {1, 2, 1000}},
                          {"b", "standard", "standard", lab::Provenance::Counted, {7, 3, 900}}};
        HistogramView view;
        view.resize(300, 220);
        view.setFigure({"h", "", "", "", {}, histogram});
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        auto* plot = view.findChild<QCustomPlot*>();
        QVERIFY(!plot->legend->visible());
        const auto chips = view.findChildren<QToolButton*>();
        QCOMPARE(chips.size(), qsizetype{2});
        for (const auto* chip : chips)
            QVERIFY(chip->mapTo(&view, chip->rect().bottomLeft()).y() < plot->geometry().top());
        QVERIFY(plot->yAxis->range().upper > 1020);
        const QByteArray svg = test::svgOf(view, {300, 220});
        QVERIFY(svg.contains("flash (counted)") && svg.contains("standard (counted)"));
    }

    void namesOfBarsNeverTouch_data() {
        QTest::addColumn<int>("width");
        for (const int width : {240, 330, 384, 520, 780})
            QTest::addRow("%d", width) << width;
    }
    void namesOfBarsNeverTouch() {
        QFETCH(const int, width);
        lab::Series series;
        series.x.labels = {"tiled", "fused-2pass", "flash1", "flash2", "flash2-mma", "flash-decode"};
        series.y.unit = "B";
        lab::Curve bars;
        bars.id = bars.label = "Q";
        bars.style = lab::Curve::Style::Bars;
        bars.x = {0, 1, 2, 3, 4, 5};
        bars.y = {5e6, 4e6, 3e6, 2e6, 1e6, 1e6};
        series.curves = {bars};
        SeriesView view;
        view.resize(width, 240);
        view.setFigure({"bytes", "", "", "", {}, series});
        view.show();
        auto* plot = view.findChild<QCustomPlot*>();
        QTRY_VERIFY(plot->plottableCount() > 0);
        plot->replot();
        const QCPAxis* axis = plot->xAxis;
        const QFontMetricsF metrics(axis->tickLabelFont());
        double end = -1e9;
        const auto labels = axis->tickVectorLabels();
        QCOMPARE(labels.size(), qsizetype{6});
        for (qsizetype i = 0; i < labels.size(); ++i) {
            double label = 0;
            for (const QString& line : labels[i].split('\n'))
                label = std::max(label, metrics.horizontalAdvance(line));
            // What stands aslant takes its height sideways.
            const double taken = axis->tickLabelRotation() != 0 ? metrics.height() : label;
            const double middle = axis->coordToPixel(axis->tickVector()[i]);
            QVERIFY2(middle - taken / 2 > end, qPrintable(labels[i]));
            end = middle + taken / 2 + 2;
        }
        QCOMPARE(QString(labels.join("")).replace("\n", ""),
                 QString("tiledfused-2passflash1flash2flash2-mmaflash-decode"));
    }

    /// However little of a decade an axis shows.
    void aLogarithmicAxisHasNumbers_data() {
        QTest::addColumn<double>("from");
        QTest::addColumn<double>("to");
        QTest::newRow("between 200 and 500 us") << 2.1e-4 << 2.9e-4;
        QTest::newRow("around 500 us") << 4.5e-4 << 7e-4;
        QTest::newRow("without a power of ten") << 1.5e-4 << 7e-4;
        QTest::newRow("a decade") << 1e-4 << 1e-3;
        QTest::newRow("a hair") << 3.01e-4 << 3.02e-4;
    }
    void aLogarithmicAxisHasNumbers() {
        QFETCH(const double, from);
        QFETCH(const double, to);
        lab::Series series;
        series.y.scale = lab::Scale::Log10;
        series.y.unit = "s";
        lab::Curve curve;
        curve.id = curve.label = "c";
        curve.x = {1, 2};
        curve.y = {from, to};
        series.curves = {curve};
        SeriesView view;
        view.resize(600, 400);
        view.setFigure({"c", "", "", "", {}, series});
        view.show();
        auto* plot = view.findChild<QCustomPlot*>();
        QTRY_VERIFY(plot->plottableCount() > 0);
        plot->replot();
        const auto shown = plot->yAxis->tickVector();
        QVERIFY2(std::count_if(shown.begin(), shown.end(),
                               [&](double tick) { return plot->yAxis->range().contains(tick); }) >= 2,
                 qPrintable(plot->yAxis->tickVectorLabels().join(' ')));
    }

    void numbersOfAnAxisNeverTouch_data() {
        QTest::addColumn<QSize>("size");
        for (const QSize size : {QSize(240, 150), QSize(330, 190), QSize(700, 400)})
            QTest::addRow("%dx%d", size.width(), size.height()) << size;
    }
    void numbersOfAnAxisNeverTouch() {
        QFETCH(const QSize, size);
        for (const auto scale : {lab::Scale::Linear, lab::Scale::Log2, lab::Scale::Log10}) {
            lab::Series series;
            series.x.scale = series.y.scale = scale;
            series.x.unit = series.y.unit = "B";
            lab::Curve curve;
            curve.id = curve.label = "c";
            for (double x = 1; x < 2e5; x *= 2) {
                curve.x.push_back(x);
                curve.y.push_back(x * x);
            }
            series.curves = {curve};
            SeriesView view;
            view.resize(size);
            view.setFigure({"c", "", "", "", {}, series});
            view.show();
            auto* plot = view.findChild<QCustomPlot*>();
            QTRY_VERIFY(plot->plottableCount() > 0);
            plot->replot();
            plot->replot(); // with the margins of the first
            for (const QCPAxis* axis : {plot->xAxis, plot->yAxis}) {
                const QFontMetricsF metrics(axis->tickLabelFont());
                double end = -1e9;
                int shown = 0;
                for (qsizetype i = 0; i < axis->tickVector().size(); ++i) {
                    const double tick = axis->tickVector()[i];
                    if (!axis->range().contains(tick))
                        continue;
                    const bool across = axis == plot->xAxis;
                    const double half =
                        (across ? metrics.horizontalAdvance(axis->tickVectorLabels()[i]) : metrics.height()) / 2;
                    const double middle = across ? axis->coordToPixel(tick) : -axis->coordToPixel(tick);
                    QVERIFY2(middle - half > end, qPrintable(axis->tickVectorLabels()[i]));
                    end = middle + half;
                    ++shown;
                }
                QVERIFY(shown >= 2);
            }
        }
    }

    void axesWithoutPointsSayNothing() {
        lab::Figure figure = twoCurves();
        auto& curves = std::get<lab::Series>(figure.content).curves;
        curves[0].x = curves[0].y = curves[1].x = curves[1].y = {};
        SeriesView view;
        view.resize(600, 400);
        view.setFigure(figure);
        view.show();
        auto* plot = view.findChild<QCustomPlot*>();
        const auto sentence = [&plot] {
            for (int i = 0; i < plot->itemCount(); ++i)
                if (const auto* text = qobject_cast<QCPItemText*>(plot->item(i)))
                    return text->text();
            return QString();
        };
        QTRY_COMPARE(sentence(), QString("There are no points yet."));
        QVERIFY(!plot->xAxis->tickLabels() && !plot->yAxis->tickLabels());
        view.setFigure(twoCurves());
        QTRY_COMPARE(sentence(), QString());
        QVERIFY(plot->xAxis->tickLabels());
        view.setHidden("flash", true);
        view.setHidden("standard", true);
        QTRY_COMPARE(sentence(), QString("All curves are hidden."));
        for (auto& curve : std::get<lab::Series>(figure.content).curves) {
            curve.x = {256, 512};
            curve.y = {0, 0}; // on a logarithmic axis
        }
        SeriesView zeros;
        zeros.setFigure(figure);
        zeros.show();
        plot = zeros.findChild<QCustomPlot*>();
        QTRY_COMPARE(sentence(), QString("All values are 0."));
    }

    void axesThatCountHaveWholeTicks() {
        lab::Series series;
        series.x = {"rank", "", lab::Scale::Linear, {}, {}, {}, false};
        series.y = {"bytes", "", lab::Scale::Linear, {}, {}, {}, false};
        lab::Curve curve;
        curve.id = curve.label = "sent";
        for (int rank = 0; rank < 16; ++rank) {
            curve.x.push_back(rank);
            curve.y.push_back(0.1 * rank + 0.05);
        }
        series.curves = {curve};
        SeriesView view;
        view.resize(600, 400);
        view.setFigure({"f", "", "", "", {}, series});
        view.show();
        auto* plot = view.findChild<QCustomPlot*>();
        const auto whole = [](const QVector<double>& ticks) {
            return std::all_of(ticks.begin(), ticks.end(), [](double tick) { return tick == std::floor(tick); });
        };
        QTRY_VERIFY(plot->plottableCount() > 0);
        plot->replot();
        QVERIFY(plot->xAxis->tickVector().size() > 2);
        QVERIFY2(whole(plot->xAxis->tickVector()), qPrintable(plot->xAxis->tickVectorLabels().join(' ')));
        QVERIFY2(!whole(plot->yAxis->tickVector()), qPrintable(plot->yAxis->tickVectorLabels().join(' ')));
    }

    void numbersHaveAnExponentOnlyWhereItIsShorter() {
        QCOMPARE(plainNumber(15000), QString("15000"));
        QCOMPARE(plainNumber(-12345, 2), QString("-12000"));
        QCOMPARE(plainNumber(65504, 3), QString("65500"));
        QCOMPARE(plainNumber(128, 2), QString("130"));
        QCOMPARE(plainNumber(2e7), QString("2e+07"));
        QCOMPARE(plainNumber(0.0001525, 2), QString("0.00015"));
        QCOMPARE(plainNumber(7.5), QString("7.5"));
    }

    void aLegendOfMoreLinesAsksForTheirHeight() {
        lab::Series series;
        for (int i = 0; i < 10; ++i) {
            lab::Curve curve;
            curve.id = curve.label = "an implementation " + std::to_string(i);
            series.curves.push_back(curve);
        }
        SeriesView view;
        view.setFigure({"f", "", "", "", {}, series});
        QCOMPARE(view.moreHeight(4000), 0);
        QVERIFY(view.moreHeight(600) > 0);
        QVERIFY(view.moreHeight(300) > view.moreHeight(600));
    }

    void columnsKeepAGapAndTheLastIsWhole_data() {
        QTest::addColumn<int>("width");
        for (const int width : {430, 560, 760, 1500})
            QTest::addRow("%d", width) << width;
    }
    void columnsKeepAGapAndTheLastIsWhole() {
        QFETCH(const int, width);
        lab::Table figure;
        figure.columns = {{"i", "Implementation", "", false, {}, ""},
                          {"r", "Rate", "FLOP/s", true, {}, ""},
                          {"m", "Measured", "s", true, {}, ""},
                          {"b", "Algorithm bandwidth at large sizes", "B/s", true, {}, ""},
                          {"s", "Same on all ranks", "", false, {}, ""}};
        for (int i = 0; i < 20; ++i)
            figure.rows.push_back({std::string("flash-packed"), 1.234e14, std::monostate{}, 5.4e9, std::string("yes")});
        TableView view;
        view.resize(width, 200);
        view.setFigure({"t", "", "", "", {}, figure});
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        QVERIFY(view.room().width <= 430);
        auto* table = view.findChild<QTableView*>();
        const auto* header = table->horizontalHeader();
        for (int column = 0; column < 5; ++column) {
            if (table->isColumnHidden(column)) {
                QVERIFY(column == 2 && width < 560); // has no value
                continue;
            }
            const QModelIndex cell = table->model()->index(0, column);
            const QFontMetrics metrics(cell.data(Qt::FontRole).value<QFont>());
            QVERIFY(metrics.horizontalAdvance(cell.data().toString()) + 10 <= table->columnWidth(column));
            const QFontMetrics titles(header->font());
            for (const QString& line :
                 table->model()->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().split('\n'))
                QVERIFY2(titles.horizontalAdvance(line) + 10 <= table->columnWidth(column), qPrintable(line));
        }
        const int last = header->sectionViewportPosition(4) + header->sectionSize(4);
        QCOMPARE(last, table->viewport()->width()); // neither cut off nor short of it
    }

    void aTextKeepsAGapFromTheNumberLeftOfIt() {
        lab::Table figure;
        figure.columns = {{"n", "Count", "", true, {}, ""}, {"t", "What", "", false, {}, ""}};
        figure.rows = {{int64_t{123456}, std::string("MMMM")}};
        TableView view;
        view.resize(130, 80); // no more than they need
        view.setFigure({"t", "", "", "", {}, figure});
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        auto* table = view.findChild<QTableView*>();
        const QImage picture = table->viewport()->grab().toImage();
        const int y = table->rowHeight(0) / 2, border = table->columnViewportPosition(1);
        const auto inked = [&](int x) {
            for (int dy = -6; dy <= 6; ++dy)
                if (picture.pixelColor(x, y + dy).lightness() < 160)
                    return true;
            return false;
        };
        int end = border - 1, begin = border;
        while (end > 0 && !inked(end))
            --end;
        while (begin < picture.width() - 1 && !inked(begin))
            ++begin;
        QVERIFY2(end > 0 && begin < picture.width() - 1 && begin - end >= 14,
                 qPrintable(QString("%1 to %2 of %3").arg(end).arg(begin).arg(picture.width())));
    }

    void unitsOfTitlesStayWithTheirNumbers() {
        lab::Table figure;
        figure.columns = {{"s", "In 32 B sectors", "", true, {}, ""}, {"f", "FP16 flushed, %", "", true, {}, ""}};
        figure.rows = {{int64_t{1}, int64_t{2}}};
        TableView view;
        view.resize(160, 80);
        view.setFigure({"t", "", "", "", {}, figure});
        view.show();
        const auto* model = view.findChild<QTableView*>()->model();
        QTRY_COMPARE(model->headerData(0, Qt::Horizontal, Qt::DisplayRole).toString(), QString("In 32 B\nsectors"));
        QVERIFY(model->headerData(1, Qt::Horizontal, Qt::DisplayRole).toString().startsWith("FP16\n"));
    }

    void sentencesOfATableThatScrollsSidewaysTakeALine() {
        lab::Table figure;
        for (int i = 0; i < 12; ++i)
            figure.columns.push_back({std::to_string(i), "Column " + std::to_string(i), "B", true, {}, ""});
        figure.columns.push_back({"s", "Source", "", false, {}, ""});
        std::vector<lab::Table::Cell> row(12, 1.5e6);
        row.emplace_back(std::string("a sentence that is long enough to need two lines or more in a table as narrow "
                                     "as this one, where nobody sees it without scrolling"));
        figure.rows = {row, row};
        TableView view;
        view.setFigure({"t", "", "", "", {}, figure});
        view.resize(300, view.fullHeight(300));
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        const auto* table = view.findChild<QTableView*>();
        QVERIFY(table->horizontalScrollBar()->isVisible());
        QCOMPARE(table->rowHeight(0), 26);
        QVERIFY(table->columnWidth(12) > 400); // what is told is read when it is scrolled to
    }

    void aTableIsAsHighAsItsRows() {
        lab::Table figure;
        figure.columns = {{"n", "N", "", true, {}, ""}, {"w", "What it is", "", false, {}, ""}};
        figure.rows = {{int64_t{1}, std::string("short")},
                       {int64_t{2}, std::string("a sentence that is long enough to need two lines or more in a narrow "
                                                "table, whose rows are higher then")}};
        TableView view;
        view.setFigure({"t", "", "", "", {}, figure});
        view.show();
        for (const int width : {300, 500, 1200}) {
            view.resize(width, view.fullHeight(width));
            QTest::qWait(20);
            auto* table = view.findChild<QTableView*>();
            QVERIFY(!table->verticalScrollBar()->isVisible());
            const int used = table->horizontalHeader()->height() + table->rowHeight(0) + table->rowHeight(1);
            QVERIFY2(std::abs(view.height() - used) < 8, qPrintable(QString("%1, %2").arg(view.height()).arg(used)));
            const QFontMetrics metrics(table->model()->index(1, 1).data(Qt::FontRole).value<QFont>());
            const int text = metrics
                                 .boundingRect(QRect(0, 0, table->columnWidth(1) - 12, 1000), Qt::TextWordWrap,
                                               table->model()->index(1, 1).data().toString())
                                 .height();
            QVERIFY(table->rowHeight(1) >= text);
        }
    }

    void aTableThatScrollsSidewaysShowsAllItsRows() {
        lab::Table figure;
        for (int i = 0; i < 12; ++i)
            figure.columns.push_back({std::to_string(i), "Column " + std::to_string(i), "B", true, {}, ""});
        for (int row = 0; row < 3; ++row)
            figure.rows.push_back(std::vector<lab::Table::Cell>(12, 1.5e6));
        TableView view;
        view.setFigure({"t", "", "", "", {}, figure});
        view.resize(300, view.fullHeight(300));
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        auto* table = view.findChild<QTableView*>();
        QVERIFY(table->horizontalScrollBar()->isVisible());
        QVERIFY2(table->viewport()->height() >= 3 * table->rowHeight(0),
                 qPrintable(QString("%1 for 3 of %2").arg(table->viewport()->height()).arg(table->rowHeight(0))));
    }

    void aHeadlineSaysItsNameWhole() {
        lab::Metric metric;
        metric.value = 26.5;
        metric.unit = "%";
        metric.caption = "of it in ampere_fp16_s16816gemm_fp16_128×256_ldg8_f2f_stages_64×3_nt";
        MetricView view;
        view.setFigure({"m", "", "", "", {}, metric});
        view.resize(150, 140);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        const QLabel* caption = view.findChild<QLabel*>("muted");
        QCOMPARE(QString(caption->text()).remove(QChar(0x200b)), QString::fromStdString(metric.caption));
        QVERIFY(caption->width() <= 150);
        const QRect needed =
            caption->fontMetrics().boundingRect(QRect(0, 0, caption->width(), 1000), Qt::TextWordWrap, caption->text());
        QVERIFY2(needed.width() <= caption->width(), qPrintable(QString::number(needed.width())));
        QVERIFY(needed.height() <= caption->height());
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

    void aFlatSceneAsksForNoMoreHeightThanItFills() {
        lab::Steps steps;
        steps.width = 20;
        steps.height = 6;
        steps.steps.push_back(test::scene("One sentence.", {{0, 0, 20, 6, "", lab::Steps::CellState::Current, {}}}));
        StepsView view;
        view.setFigure({"walk", "", "", "", {}, steps});
        view.resize(900, view.fullHeight(900));
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        const int filled = pixelsOf(view, Theme::current().accent);
        QVERIFY2(filled > 0.6 * view.width() * view.height(), qPrintable(QString::number(filled)));
        steps.stretches = true;
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.fullHeight(900), 0); // takes any
    }

    void stepsAreDrivenByTheKeyboard() {
        lab::Steps steps;
        for (const char* caption : {"first", "second", "third"})
            steps.steps.push_back(test::scene(caption));
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
        steps.steps.push_back(test::scene("start"));
        StepsView view;
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.caption(), QString("start")); // there is no other yet
        steps.steps.push_back(test::scene("first"));
        steps.steps.push_back(test::scene("second"));
        view.setFigure({"walk", "", "", "", {}, steps});
        QCOMPARE(view.caption(), QString("first"));
        QTest::keyClick(&view, Qt::Key_Home);
        steps.steps.push_back(test::scene("third"));
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
