#include "app/views/histogram_view.h"

#include "app/views/plot_style.h"
#include "app/views/theme.h"

#include <QEvent>
#include <QVBoxLayout>

namespace warplight::app {

HistogramView::HistogramView(QWidget* parent) : FigureView(parent), plot(new QCustomPlot(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(plot);
    plot->setMinimumSize(160, 120);
    plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    connect(plot, &QCustomPlot::mouseDoubleClick, this, [this] {
        plot->rescaleAxes();
        plot->replot();
    });
}

void HistogramView::setFigure(const lab::Figure& figure) {
    histogram = std::get<lab::Histogram>(figure.content);
    draw(*plot);
    plot->replot(QCustomPlot::rpQueuedReplot);
}

void HistogramView::draw(QCustomPlot& target) const {
    const Theme& theme = Theme::current();
    target.clearPlottables();
    stylePlot(target);
    setUpAxis(*target.xAxis, histogram.x);
    setUpAxis(*target.yAxis, histogram.y);
    for (const auto& set : histogram.sets) {
        QVector<double> x, y;
        for (size_t bin = 0; bin < set.counts.size(); ++bin) {
            x << histogram.edges[bin] << histogram.edges[bin + 1];
            y << set.counts[bin] << set.counts[bin];
        }
        QCPGraph* graph = target.addGraph();
        const QColor colour = theme.series(QString::fromStdString(set.colourKey));
        graph->setPen(QPen(colour, 1.6));
        graph->setBrush(QColor(colour.red(), colour.green(), colour.blue(), 40));
        graph->setName(QString::fromStdString(set.label));
        graph->setData(x, y, true);
    }
    target.legend->setVisible(!histogram.sets.empty());
    target.legend->setFont(textFont(11));
    target.legend->setTextColor(theme.ink);
    target.legend->setBrush(theme.panel);
    target.legend->setBorderPen(QPen(theme.line));
    target.axisRect()->insetLayout()->setInsetAlignment(0, Qt::AlignTop | Qt::AlignRight);
    target.rescaleAxes();
}

void HistogramView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange) {
        draw(*plot);
        plot->replot(QCustomPlot::rpQueuedReplot);
    }
    FigureView::changeEvent(event);
}

void HistogramView::render(QPainter& painter, const QRectF& area) const {
    QCustomPlot copy;
    draw(copy);
    QPicture picture;
    QCPPainter vector;
    vector.begin(&picture);
    vector.setMode(QCPPainter::pmVectorized);
    vector.setMode(QCPPainter::pmNoCaching);
    copy.toPainter(&vector, static_cast<int>(area.width()), static_cast<int>(area.height()));
    vector.end();
    painter.drawPicture(area.topLeft(), picture);
}

} // namespace warplight::app
