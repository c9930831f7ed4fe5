#include "app/views/histogram_view.h"

#include "app/views/plot_style.h"
#include "app/views/theme.h"

#include <QEvent>
#include <QVBoxLayout>
#include <tuple>

#include <algorithm>

namespace warplight::app {

HistogramView::HistogramView(QWidget* parent)
    : FigureView(parent), plot(new QCustomPlot(this)), logCounts(new QAction(tr("Logarithmic y axis"), this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(plot);
    plot->setMinimumSize(160, 120);
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
    connect(plot, &QCustomPlot::legendClick, this, [this](QCPLegend*, QCPAbstractLegendItem* item) {
        auto* named = qobject_cast<QCPPlottableLegendItem*>(item);
        if (!named)
            return;
        if (const QString name = named->plottable()->name(); !hidden.remove(name))
            hidden.insert(name);
        redraw();
    });
    connect(plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
        userZoomed |= (event->buttons() & Qt::LeftButton) != 0;
        emit statusText(readingAt(plot->xAxis->pixelToCoord(event->pos().x())));
    });
}

void HistogramView::setFigure(const lab::Figure& figure) {
    histogram = std::get<lab::Histogram>(figure.content);
    redraw();
}

void HistogramView::resetZoom() {
    userZoomed = false;
    redraw();
}

void HistogramView::redraw() {
    draw(*plot, !userZoomed);
    plot->replot(QCustomPlot::rpQueuedReplot);
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
    const Theme& theme = Theme::current();
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
        target.legend->itemWithPlottable(graph)->setTextColor(theme.ink);
        const QColor colour = theme.series(QString::fromStdString(set.colourKey));
        graph->setPen(QPen(colour, 1.6));
        graph->setBrush(QColor(colour.red(), colour.green(), colour.blue(), 40));
        graph->setName(QString::fromStdString(set.label));
        graph->setData(x, y, true);
        if (hidden.contains(graph->name())) {
            graph->setVisible(false);
            target.legend->itemWithPlottable(graph)->setTextColor(theme.muted);
        }
    }
    target.legend->setVisible(!histogram.sets.empty());
    target.legend->setFont(textFont(11));
    target.legend->setBrush(theme.panel);
    target.legend->setBorderPen(QPen(theme.line));
    target.axisRect()->insetLayout()->setInsetAlignment(0, Qt::AlignTop | Qt::AlignRight);
    if (!fit)
        return;
    target.rescaleAxes(true);
    if (logCounts->isChecked()) // empty bins have no place on a logarithmic axis
        target.yAxis->setRangeLower(0.5);
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
    copy.toPainter(&vector, static_cast<int>(area.width()), static_cast<int>(area.height()));
    vector.end();
    painter.drawPicture(area.topLeft(), picture);
}

} // namespace warplight::app
