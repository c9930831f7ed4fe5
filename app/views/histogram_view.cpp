// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/histogram_view.h"

#include "app/views/legend.h"
#include "app/views/plot_style.h"
#include "app/views/theme.h"

#include <QEvent>
#include <QVBoxLayout>
#include <algorithm>
#include <tuple>
#include <vector>

namespace warplight::app {

HistogramView::HistogramView(QWidget* parent)
    : FigureView(parent),
      legend(new Legend(this)),
      plot(new QCustomPlot(this)),
      logCounts(new QAction(tr("Logarithmic y axis"), this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(legend);
    layout->addWidget(plot, 1);
    connect(legend, &Legend::toggled, this, [this](const QString& set, bool hide) {
        if (hide)
            hidden.insert(set);
        else
            hidden.remove(set);
        redraw();
    });
    plot->setMinimumSize(120, 80);
    keepTicksApart(*plot);
    plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    plot->setFocusPolicy(Qt::StrongFocus);
    plot->setMouseTracking(true);
    logCounts->setCheckable(true);
    logCounts->setShortcut(Qt::Key_L);
    logCounts->setShortcutContext(Qt::WidgetWithChildrenShortcut);
    addAction(logCounts);
    connect(logCounts, &QAction::toggled, this, &HistogramView::resetZoom);
    connect(plot, &QCustomPlot::mouseDoubleClick, this, &HistogramView::resetZoom);
    connect(plot, &QCustomPlot::mouseWheel, this, [this] { userZoomed = true; });
    connect(plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
        userZoomed |= (event->buttons() & Qt::LeftButton) != 0;
        emit statusText(readingAt(plot->xAxis->pixelToCoord(event->pos().x())));
    });
}

void HistogramView::setFigure(const lab::Figure& figure) {
    histogram = std::get<lab::Histogram>(figure.content);
    redraw();
}

int HistogramView::moreHeight(int width) const { return legend->moreHeight(width); }

void HistogramView::resetZoom() {
    userZoomed = false;
    redraw();
}

void HistogramView::redraw() {
    draw(*plot, !userZoomed);
    legend->setEntries(legendEntries());
    plot->replot(QCustomPlot::rpQueuedReplot);
}

std::vector<LegendEntry> HistogramView::legendEntries() const {
    std::vector<LegendEntry> entries;
    for (const auto& set : histogram.sets)
        if (const QString label = QString::fromStdString(set.label); !label.isEmpty())
            entries.push_back({label, label, Theme::current().series(QString::fromStdString(set.colourKey)),
                               set.provenance, hidden.contains(label)});
    return entries;
}

QString HistogramView::readingAt(double x) const {
    const auto above = std::upper_bound(histogram.edges.begin(), histogram.edges.end(), x);
    if (above == histogram.edges.begin() || above == histogram.edges.end())
        return {};
    QStringList parts{QString("%1 … %2").arg(*(above - 1)).arg(*above)};
    for (const auto& set : histogram.sets)
        if (!hidden.contains(QString::fromStdString(set.label)))
            parts << QString("%1: %2")
                         .arg(QString::fromStdString(set.label))
                         .arg(set.counts[static_cast<size_t>(above - histogram.edges.begin() - 1)]);
    return parts.join("  ·  ");
}

void HistogramView::draw(QCustomPlot& target, bool fit) const {
    target.clearPlottables();
    stylePlot(target);
    setUpAxis(*target.xAxis, histogram.x);
    lab::Axis counts = histogram.y;
    if (logCounts->isChecked())
        counts.scale = lab::Scale::Log10;
    setUpAxis(*target.yAxis, counts);
    for (const auto& set : histogram.sets) {
        QVector<double> x, y;
        for (size_t bin = 0; bin < set.counts.size(); ++bin) {
            x << histogram.edges[bin] << histogram.edges[bin + 1];
            const double shown = logCounts->isChecked() && set.counts[bin] == 0 ? 0.1 : set.counts[bin];
            y << shown << shown;
        }
        QCPGraph* graph = target.addGraph();
        const QColor colour = Theme::current().series(QString::fromStdString(set.colourKey));
        graph->setPen(QPen(colour, 1.6 * uiScale()));
        graph->setBrush(QColor(colour.red(), colour.green(), colour.blue(), 40));
        graph->setName(QString::fromStdString(set.label));
        graph->setData(x, y, true);
        graph->setVisible(!hidden.contains(graph->name()));
    }
    const bool empty = std::all_of(histogram.sets.begin(), histogram.sets.end(), [](const auto& set) {
        return std::all_of(set.counts.begin(), set.counts.end(), [](double count) { return count == 0; });
    });
    showEmptiness(target, empty, tr("Nothing has been counted yet."));
    if (!fit || empty)
        return;
    target.rescaleAxes(true);
    const QCPRange counted = target.yAxis->range();
    if (logCounts->isChecked()) // empty bins have no place on a logarithmic axis
        target.yAxis->setRange(0.5, counted.upper * 1.3);
    else // the highest bin's line is whole
        target.yAxis->setRange(counted.lower, counted.upper + counted.size() * 0.05);
}

void HistogramView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange) {
        redraw();
    }
    FigureView::changeEvent(event);
}

void HistogramView::render(QPainter& painter, const QRectF& area) const {
    QCustomPlot copy;
    draw(copy, true);
    QPicture picture;
    QCPPainter vector;
    vector.begin(&picture);
    vector.setFont(textFont()); // not the application's, which follows the window
    vector.setMode(QCPPainter::pmVectorized);
    vector.setMode(QCPPainter::pmNoCaching);
    const QRectF plotArea = area.adjusted(0, Legend::paint(painter, area, legendEntries()), 0, 0);
    fitTicks(copy, plotArea.size());
    copy.toPainter(&vector, static_cast<int>(plotArea.width()), static_cast<int>(plotArea.height()));
    vector.end();
    painter.drawPicture(plotArea.topLeft(), picture);
}

} // namespace warplight::app
