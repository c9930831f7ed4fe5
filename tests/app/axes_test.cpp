// SPDX-License-Identifier: GPL-3.0-or-later
// How far axes reach, and what their numbers say.
#include "app/views/series_view.h"
#include "app/views/theme.h"

#include <QTest>
#include <memory>
#include <qcustomplot.h>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::app;

namespace {

lab::Curve curveOf(std::vector<double> x, std::vector<double> y) {
    lab::Curve curve;
    curve.id = curve.label = "c";
    curve.x = std::move(x);
    curve.y = std::move(y);
    return curve;
}

} // namespace

class AxesTest : public QObject {
    Q_OBJECT

    std::unique_ptr<SeriesView> view;

    const QCustomPlot* plotOf(const lab::Series& series) {
        view = std::make_unique<SeriesView>();
        view->resize(600, 400);
        view->setFigure({"f", "", "", "", {}, series});
        view->show();
        auto* plot = view->findChild<QCustomPlot*>();
        if (!QTest::qWaitFor([&] { return plot->plottableCount() > 0; }))
            qFatal("nothing is drawn");
        plot->replot();
        return plot;
    }

  private slots:
    void initTestCase() { Theme::setCurrent(Theme::lightTheme()); }
    void cleanup() { view.reset(); }

    void aBarAloneIsNoWall() {
        lab::Series series;
        series.x.labels = {"flash"};
        series.curves = {curveOf({0}, {5})};
        series.curves[0].style = lab::Curve::Style::Bars;
        const QCPRange range = plotOf(series)->xAxis->range();
        QVERIFY(range.size() >= 3);
        QCOMPARE(range.center(), 0.0);
    }

    void anAxisSpansPointsThatTheOtherHasNoPlaceFor() {
        lab::Series series;
        series.x.scale = lab::Scale::Log2;
        series.y.scale = lab::Scale::Log10;
        series.curves = {curveOf({256, 1024, 65536}, {0, 0, 12288})};
        const QCPRange range = plotOf(series)->xAxis->range();
        QVERIFY(range.contains(256) && range.contains(65536));
        QVERIFY(!range.contains(2 * 65536));
    }

    void bytesHaveTheirUnit() {
        lab::Series series;
        series.x.scale = lab::Scale::Log2;
        series.x.unit = "B";
        series.curves = {curveOf({8, 4096, 1 << 24}, {1, 2, 3})};
        const QStringList labels = plotOf(series)->xAxis->tickVectorLabels();
        QVERIFY(labels.size() > 2);
        for (const QString& label : labels)
            QVERIFY2(label.endsWith("B"), qPrintable(label));
    }
};

QTEST_MAIN(AxesTest)
#include "axes_test.moc"
