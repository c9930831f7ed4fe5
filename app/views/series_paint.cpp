// SPDX-License-Identifier: GPL-3.0-or-later
// Curves: what is drawn, and how far the axes reach.
#include "app/views/series_paint.h"

#include "app/views/legend.h"
#include "app/views/plot_style.h"
#include "app/views/series_view.h"
#include "app/views/theme.h"

#include <QPainter>
#include <QPicture>
#include <algorithm>
#include <cmath>
#include <optional>
#include <qcustomplot.h>
#include <utility>
#include <vector>

namespace warplight::app {
namespace {

constexpr double marginShare = 0.05; ///< of an axis, at either end
constexpr double leastBarPlaces = 3; ///< a bar alone is no wall
constexpr size_t mostDashed = 500;   ///< points: dashes of longer curves take seconds to draw, and are not seen

/// Where all that is drawn lies at one value of the axis: that value.
std::optional<double> onlyPlace(QCustomPlot& plot, const QCPAxis& axis) {
    std::optional<double> place;
    for (int i = 0; i < plot.plottableCount(); ++i) {
        bool found = false;
        const QCPRange range =
            &axis == plot.xAxis ? plot.plottable(i)->getKeyRange(found) : plot.plottable(i)->getValueRange(found);
        if (!found)
            continue;
        if (range.size() > 0 || (place && *place != range.lower))
            return std::nullopt;
        place = range.lower;
    }
    return place;
}

QColor faded(const QColor& colour) {
    const QColor& ground = Theme::current().panel;
    return QColor((colour.red() + ground.red()) / 2, (colour.green() + ground.green()) / 2,
                  (colour.blue() + ground.blue()) / 2);
}

QCPScatterStyle markOf(const lab::Curve& curve, bool pinned) {
    const QColor colour = penOf(curve, pinned).color();
    const bool square = curve.provenance == lab::Provenance::Counted;
    const bool hollow = pinned || curve.provenance == lab::Provenance::Modelled;
    const bool ring = hollow && curve.style == lab::Curve::Style::Points; // may lie on another curve's mark
    return {square ? QCPScatterStyle::ssSquare : QCPScatterStyle::ssCircle, QPen(colour, 1.4 * uiScale()),
            hollow ? QBrush(Qt::NoBrush) : QBrush(colour), (ring ? 10 : 6) * uiScale()};
}

} // namespace

QString legendId(const lab::Curve& curve) {
    const QString id = QString::fromStdString(curve.id);
    return curve.label.empty() ? id.section('.', 0, 0) : id;
}

bool drawable(double value, lab::Scale scale) {
    return std::isfinite(value) && (scale == lab::Scale::Linear || value > 0);
}

QPen penOf(const lab::Curve& curve, bool pinned) {
    const QColor colour = Theme::current().series(QString::fromStdString(curve.colourKey));
    const bool reference = curve.provenance == lab::Provenance::Reference, grey = colour == Theme::current().muted;
    QPen pen(colour, (reference ? (grey ? 1.0 : 1.5) : 1.8) * uiScale()); // a room sees it, too
    if (curve.provenance == lab::Provenance::Modelled)
        pen.setStyle(Qt::DashLine);
    if (pinned) {
        pen.setStyle(Qt::DotLine);
        pen.setWidthF(1.4 * uiScale());
    }
    if (curve.x.size() > mostDashed) {
        pen.setStyle(Qt::SolidLine);
        if (pinned)
            pen.setColor(faded(pen.color()));
    }
    return pen;
}

void SeriesView::draw(QCustomPlot& target, bool fit) const {
    target.clearPlottables();
    stylePlot(target);
    setUpAxis(*target.xAxis, series.x);
    setUpAxis(*target.yAxis, series.y);
    countWhole(*target.xAxis, allWhole(&lab::Curve::x));
    countWhole(*target.yAxis, allWhole(&lab::Curve::y));
    QCPBars* below = nullptr;
    for (const lab::Curve& curve : series.curves) {
        if (hidden.contains(legendId(curve)))
            continue;
        if (curve.style == lab::Curve::Style::Bars)
            below = addBars(target, curve, below);
        else
            addCurve(target, curve, false);
    }
    for (const lab::Curve& curve : compared ? compared->curves : std::vector<lab::Curve>())
        if (curve.style != lab::Curve::Style::Bars && !hidden.contains(legendId(curve)) &&
            curve.provenance != lab::Provenance::Reference)
            addCurve(target, curve, true);
    const bool empty = target.plottableCount() == 0 || !anyPoint();
    showEmptiness(target, empty,
                  anyPoint()  ? tr("All curves are hidden.")
                  : allZero() ? tr("All values are 0.")
                              : tr("There are no points yet."));
    if (!fit || empty)
        return;
    target.rescaleAxes();
    const std::pair<QCPAxis*, const lab::Axis*> axes[] = {{target.xAxis, &series.x}, {target.yAxis, &series.y}};
    for (const auto& [axis, description] : axes) {
        QCPRange range = axis->range();
        const auto at = onlyPlace(target, *axis);
        if (const QCPRange every = everyX(); axis == target.xAxis && every.size() > 0) {
            range = at ? every : range.expanded(every);
        } else if (at) { // one point: its surroundings
            const double around = description->scale == lab::Scale::Linear ? std::max(std::fabs(*at) / 2, 0.5) : 0;
            range = around > 0 ? QCPRange(*at - around, *at + around) : QCPRange(*at / 2, *at * 2);
        }
        if (description->scale == lab::Scale::Linear) {
            const double margin = std::max(range.size() * marginShare, 1e-12);
            range = QCPRange(range.lower - margin, range.upper + margin);
        } else { // over many decades more, so that the outermost marks are whole
            const double margin = std::max(1.2, std::pow(range.upper / range.lower, marginShare));
            range = QCPRange(range.lower / margin, range.upper * margin);
        }
        if (axis == target.xAxis && below) {
            const double around = std::max(0.0, leastBarPlaces - range.size()) / 2;
            range = QCPRange(range.lower - around, range.upper + around);
        }
        if (description->minimum)
            range.lower = *description->minimum;
        if (description->maximum)
            range.upper = *description->maximum;
        axis->setRange(range);
    }
}

/// Is there something to be seen?
bool SeriesView::anyPoint() const {
    return std::any_of(series.curves.begin(), series.curves.end(), [this](const lab::Curve& curve) {
        for (size_t i = 0; i < curve.x.size(); ++i)
            if (drawable(curve.x[i], series.x.scale) && drawable(curve.y[i], series.y.scale))
                return true;
        return false;
    });
}

/// Are there points, and a logarithmic axis has no place for any of them?
bool SeriesView::allZero() const {
    bool any = false;
    for (const lab::Curve& curve : series.curves)
        for (const double y : curve.provenance == lab::Provenance::Reference ? std::vector<double>() : curve.y) {
            if (y != 0)
                return false;
            any = true;
        }
    return any;
}

/// Of what is shown, and of points that a logarithmic y axis has no place for.
QCPRange SeriesView::everyX() const {
    std::optional<QCPRange> every;
    for (const lab::Curve& curve : series.curves)
        for (const double x : hidden.contains(legendId(curve)) ? std::vector<double>() : curve.x)
            if (drawable(x, series.x.scale))
                every = every ? every->expanded(QCPRange(x, x)) : QCPRange(x, x);
    return every.value_or(QCPRange());
}

bool SeriesView::allWhole(std::vector<double> lab::Curve::*coordinate) const {
    return std::all_of(series.curves.begin(), series.curves.end(), [coordinate](const lab::Curve& curve) {
        const std::vector<double>& values = curve.*coordinate;
        return std::all_of(values.begin(), values.end(), [](double value) { return value == std::floor(value); });
    });
}

/// Stacked on `below`.
QCPBars* SeriesView::addBars(QCustomPlot& target, const lab::Curve& curve, QCPBars* below) const {
    auto* bars = new QCPBars(target.xAxis, target.yAxis);
    const QColor colour = penOf(curve, false).color();
    bars->setPen(Qt::NoPen);
    bars->setBrush(colour);
    bars->setWidth(0.6);
    bars->setData(QVector<double>(curve.x.begin(), curve.x.end()), QVector<double>(curve.y.begin(), curve.y.end()));
    if (below)
        bars->moveAbove(below);
    return bars;
}

void SeriesView::addCurve(QCustomPlot& target, const lab::Curve& curve, bool pinned) const {
    QVector<double> x, y, below, above;
    for (size_t i = 0; i < curve.x.size(); ++i) {
        if (!drawable(curve.x[i], series.x.scale) || !drawable(curve.y[i], series.y.scale))
            continue;
        x << curve.x[i];
        y << curve.y[i];
        if (!curve.low.empty() && !curve.high.empty()) {
            below << std::max(0.0, curve.y[i] - curve.low[i]);
            above << std::max(0.0, curve.high[i] - curve.y[i]);
        }
    }
    QCPGraph* graph = target.addGraph();
    graph->setAdaptiveSampling(true);
    graph->setPen(penOf(curve, pinned));
    graph->setLineStyle(curve.style == lab::Curve::Style::Points ? QCPGraph::lsNone : QCPGraph::lsLine);
    if (curve.style != lab::Curve::Style::Line)
        graph->setScatterStyle(markOf(curve, pinned));
    graph->setData(x, y);
    if (!below.isEmpty() && !pinned) {
        auto* bars = new QCPErrorBars(target.xAxis, target.yAxis);
        bars->setDataPlottable(graph);
        bars->setPen(QPen(penOf(curve, pinned).color(), uiScale()));
        bars->setWhiskerWidth(5 * uiScale());
        bars->setSymbolGap(0);
        bars->setData(below, above);
    }
}

void SeriesView::render(QPainter& painter, const QRectF& area) const {
    const QRectF plotArea = area.adjusted(0, Legend::paint(painter, area, legendEntries()), 0, 0);
    QCustomPlot copy;
    draw(copy, true);
    fitTicks(copy, plotArea.size());
    QCPPainter vector;
    QPicture picture;
    vector.begin(&picture);
    vector.setFont(textFont()); // not the application's, which follows the window
    vector.setMode(QCPPainter::pmVectorized);
    vector.setMode(QCPPainter::pmNoCaching);
    copy.toPainter(&vector, static_cast<int>(plotArea.width()), static_cast<int>(plotArea.height()));
    vector.end();
    painter.save();
    painter.translate(plotArea.topLeft());
    picture.play(&painter);
    painter.restore();
}

} // namespace warplight::app
