// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/series_view.h"

#include "app/views/legend.h"
#include "app/views/plot_style.h"
#include "app/views/series_paint.h"
#include "app/views/theme.h"

#include <QEvent>
#include <QVBoxLayout>
#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <cmath>

namespace warplight::app {
namespace {

constexpr int screenFrame = 16; // ms

const lab::Curve* findCurve(const lab::Series& series, const std::string& id) {
    for (const lab::Curve& curve : series.curves)
        if (curve.id == id)
            return &curve;
    return nullptr;
}

/// The curve's y at exactly this x.
std::optional<double> valueAt(const lab::Curve& curve, double x) {
    for (size_t i = 0; i < curve.x.size(); ++i)
        if (curve.x[i] == x)
            return curve.y[i];
    return std::nullopt;
}

} // namespace

SeriesView::SeriesView(QWidget* parent) : FigureView(parent), plot(new QCustomPlot(this)), legend(new Legend(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(legend);
    connect(legend, &Legend::toggled, this, &SeriesView::setHidden);
    layout->addWidget(plot, 1);
    plot->setMinimumSize(120, 80);
    keepTicksApart(*plot);
    plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    plot->setMouseTracking(true);
    for (const auto orientation : {Qt::Horizontal, Qt::Vertical}) {
        auto* action =
            new QAction(orientation == Qt::Horizontal ? tr("Logarithmic x axis") : tr("Logarithmic y axis"), this);
        action->setShortcut(orientation == Qt::Horizontal ? Qt::SHIFT | Qt::Key_L : QKeyCombination(Qt::Key_L));
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        action->setCheckable(true);
        connect(action, &QAction::triggered, this, [this, orientation](bool on) { setLogarithmic(orientation, on); });
        addAction(action);
        (orientation == Qt::Horizontal ? logX : logY) = action;
    }
    plot->setFocusPolicy(Qt::StrongFocus);
    redraw.setSingleShot(true);
    redraw.setInterval(screenFrame);
    connect(&redraw, &QTimer::timeout, this, &SeriesView::rebuild);
    connect(plot, &QCustomPlot::mouseDoubleClick, this, &SeriesView::resetZoom);
    connect(plot, &QCustomPlot::mouseWheel, this, [this] { userZoomed = true; });
    connect(plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
        if (event->buttons() & Qt::LeftButton)
            userZoomed = true;
        moveCrosshair(event->pos());
    });
}

SeriesView::~SeriesView() = default;

void SeriesView::setFigure(const lab::Figure& figure) {
    const size_t before = series.curves.size();
    series = std::get<lab::Series>(figure.content);
    if (series.curves.size() != before) // the page asks how high it is
        legend->setEntries(legendEntries(), legendNote());
    applyScales();
    if (!redraw.isActive())
        redraw.start();
}

void SeriesView::setCompared(std::optional<lab::Figure> pinned, const QString& pinnedName) {
    compared.reset();
    if (pinned)
        if (const auto* other = std::get_if<lab::Series>(&pinned->content))
            compared = *other;
    comparedName = pinnedName;
    redraw.start();
}

void SeriesView::setLogarithmic(Qt::Orientation axis, bool logarithmic) {
    const lab::Axis& shown = axis == Qt::Horizontal ? series.x : series.y;
    const lab::Scale log = shown.scale == lab::Scale::Linear ? lab::Scale::Log10 : shown.scale;
    (axis == Qt::Horizontal ? chosenX : chosenY) = logarithmic ? log : lab::Scale::Linear;
    applyScales();
    resetZoom();
}

/// What the user chose stands over what the figure asks for. A logarithmic axis has no fixed end at or below zero.
void SeriesView::applyScales() {
    for (const auto& [axis, chosen] : {std::pair(&series.x, chosenX), std::pair(&series.y, chosenY)}) {
        axis->scale = chosen.value_or(axis->scale);
        if (axis->scale != lab::Scale::Linear && axis->minimum && *axis->minimum <= 0)
            axis->minimum.reset();
    }
    logX->setChecked(series.x.scale != lab::Scale::Linear);
    logY->setChecked(series.y.scale != lab::Scale::Linear);
}

void SeriesView::setHidden(const QString& curve, bool hide) {
    if (hide)
        hidden.insert(curve);
    else
        hidden.remove(curve);
    redraw.start();
}

void SeriesView::resetZoom() {
    userZoomed = false;
    rebuild();
}

void SeriesView::rebuild() {
    crosshair = nullptr;
    reading = nullptr;
    plot->clearItems();
    draw(*plot, !userZoomed);
    legend->setEntries(legendEntries(), legendNote());
    plot->replot(QCustomPlot::rpQueuedReplot);
}

QString SeriesView::legendNote() const { return compared ? tr("dotted: %1").arg(comparedName) : QString(); }

int SeriesView::moreHeight(int width) const { return legend->moreHeight(width); }

std::vector<LegendEntry> SeriesView::legendEntries() const {
    std::vector<LegendEntry> entries;
    for (const lab::Curve& curve : series.curves)
        if (const QString id = QString::fromStdString(curve.id); !curve.label.empty())
            entries.push_back({id, QString::fromStdString(curve.label), penOf(curve, false).color(), curve.provenance,
                               hidden.contains(id)});
    return entries;
}

QStringList SeriesView::readingsAt(double x) const {
    QStringList lines{series.x.scale == lab::Scale::Log2 || series.x.unit.empty()
                          ? QString("%1 %2").arg(QString::fromStdString(series.x.title)).arg(x, 0, 'g', 6)
                          : numberText(x, QString::fromStdString(series.x.unit))};
    const QString unit = QString::fromStdString(series.y.unit);
    for (const lab::Curve& curve : series.curves) {
        const auto value = hidden.contains(legendId(curve)) ? std::nullopt : valueAt(curve, x);
        if (!value)
            continue;
        const std::string& label = curve.label.empty() ? curve.id : curve.label;
        QString line = QString("%1: %2").arg(QString::fromStdString(label), numberText(*value, unit));
        const lab::Curve* other = compared ? findCurve(*compared, curve.id) : nullptr;
        if (const auto before = other ? valueAt(*other, x) : std::nullopt; before && *before != 0)
            line += tr(" (%1× of %2)").arg(*value / *before, 0, 'f', 2).arg(comparedName);
        lines << line;
    }
    return lines;
}

void SeriesView::moveCrosshair(const QPoint& at) {
    double nearest = NAN, distance = 1e300;
    for (const lab::Curve& curve : series.curves)
        for (const double x : curve.x)
            if (drawable(x, series.x.scale) && std::fabs(plot->xAxis->coordToPixel(x) - at.x()) < distance &&
                curve.provenance != lab::Provenance::Reference) {
                nearest = x;
                distance = std::fabs(plot->xAxis->coordToPixel(x) - at.x());
            }
    if (std::isnan(nearest))
        return;
    const Theme& theme = Theme::current();
    if (!crosshair) {
        crosshair = new QCPItemStraightLine(plot);
        reading = new QCPItemText(plot);
        reading->position->setType(QCPItemPosition::ptAbsolute);
        reading->setTextAlignment(Qt::AlignLeft);
        reading->setPadding(QMargins(8, 6, 8, 6));
    }
    crosshair->setPen(QPen(theme.muted, 1, Qt::DotLine));
    crosshair->point1->setCoords(nearest, plot->yAxis->range().lower);
    crosshair->point2->setCoords(nearest, plot->yAxis->range().upper);
    const QStringList lines = readingsAt(nearest);
    reading->setFont(monoFont(11));
    reading->setColor(theme.ink);
    reading->setBrush(theme.panel);
    reading->setPen(QPen(theme.line));
    reading->setText(lines.join('\n'));
    const double x = plot->xAxis->coordToPixel(nearest);
    const bool right = x < plot->axisRect()->center().x();
    reading->setPositionAlignment(Qt::AlignTop | (right ? Qt::AlignLeft : Qt::AlignRight));
    reading->position->setCoords(x + (right ? 10 : -10), plot->axisRect()->top() + 6);
    emit statusText(lines.join("  ·  "));
    plot->replot(QCustomPlot::rpQueuedReplot);
}

void SeriesView::leaveEvent(QEvent* event) {
    if (crosshair)
        rebuild();
    FigureView::leaveEvent(event);
}

void SeriesView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange || event->type() == QEvent::PaletteChange)
        redraw.start();
    FigureView::changeEvent(event);
}

} // namespace warplight::app
