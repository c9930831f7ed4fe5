// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/heatmap_view.h"

#include "app/views/theme.h"

#include <QFontMetricsF>
#include <QKeyEvent>
#include <QLocale>
#include <QMouseEvent>
#include <QWheelEvent>
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <cmath>

namespace warplight::app {
namespace {

constexpr int settle = 30;    // ms the viewport rests before tiles are asked for
constexpr int probeRest = 40; // ms the pointer rests before a value is asked for
constexpr int cacheBytes = 256 << 20;
constexpr double largestCell = 48;    // pixels
constexpr double largestFitted = 160; // of a map of few cells, which fills its room

} // namespace

HeatmapView::HeatmapView(QWidget* parent) : FigureView(parent), tiles(cacheBytes), images(cacheBytes) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(160, 120);
    for (QTimer* timer : {&askTimer, &probeTimer})
        timer->setSingleShot(true);
    askTimer.setInterval(settle);
    probeTimer.setInterval(probeRest);
    connect(&askTimer, &QTimer::timeout, this, &HeatmapView::requestVisible);
    connect(&probeTimer, &QTimer::timeout, this, [this] {
        const QPointF cell = cellAt(hover);
        if (cell.x() >= 0 && cell.y() >= 0 && cell.x() < static_cast<double>(map.cols) &&
            cell.y() < static_cast<double>(map.rows))
            emit probeWanted(static_cast<qint64>(cell.y()), static_cast<qint64>(cell.x()));
    });
    fillPalette();
}

void HeatmapView::setFigure(const lab::Figure& figure) {
    const auto& next = std::get<lab::Heatmap>(figure.content);
    if (next == map)
        return;
    map = next;
    fillPalette();
    // One query over many keys is a stripe, not a hairline.
    constexpr double mostUneven = 2.5;
    const double ratio = static_cast<double>(map.cols) / static_cast<double>(std::max<int64_t>(map.rows, 1));
    stretch = ratio > mostUneven ? ratio / mostUneven : ratio < 1 / mostUneven ? ratio * mostUneven : 1;
    tiles.clear();
    images.clear();
    asked.clear();
    if (!map.lazy) {
        map.tileSize = static_cast<int>(std::max<int64_t>({map.rows, map.cols, 1}));
        map.levels = 1;
        addTile({0, figure.id, 0, 0, 0, map.rows, map.cols, map.cells, true});
    }
    resetZoom();
}

void HeatmapView::addTile(const lab::TilePut& tile) {
    const Key key{tile.level, tile.tileRow, tile.tileCol};
    tiles.insert(key, new lab::TilePut(tile), tile.cells.size() * sizeof(float));
    images.remove(key);
    if (tile.final)
        asked.remove(key);
    update();
}

void HeatmapView::setProbe(int64_t row, int64_t col, const QStringList& lines) {
    const QPointF cell = cellAt(hover);
    if (static_cast<int64_t>(cell.y()) != row || static_cast<int64_t>(cell.x()) != col)
        return; // the pointer has moved on
    probe = lines;
    emit statusText(lines.join("  ·  "));
    update();
}

// Geometry ------------------------------------------------------------------------------------------------------------

double HeatmapView::shape() const {
    return map.cols > 0 ? static_cast<double>(map.rows) * stretch / static_cast<double>(map.cols) : 1;
}

int HeatmapView::fullHeight(int width) const {
    const Margins around = margins();
    return static_cast<int>(std::max(60.0, width - around.left - around.right) * shape() + around.top + around.bottom);
}

int HeatmapView::fullWidth(int height) const {
    const Margins around = margins();
    return static_cast<int>(std::max(60.0, height - around.top - around.bottom) / std::max(shape(), 1e-3) +
                            around.left + around.right);
}

QRectF HeatmapView::mapArea(const QRectF& whole) const {
    const Margins around = margins();
    QRectF area = whole.adjusted(around.left, around.top, -around.right, -around.bottom);
    if (map.cols > 0) // a map that is wider than its room begins at the top
        area.setHeight(std::min(area.height(), area.width() * shape()));
    return area;
}

HeatmapView::Viewport HeatmapView::wholeMap(const QRectF& area) const {
    const double rows = static_cast<double>(std::max<int64_t>(map.rows, 1)),
                 cols = static_cast<double>(std::max<int64_t>(map.cols, 1));
    return {rows / 2, cols / 2, std::min({area.width() / cols, area.height() / (rows * stretch), largestFitted})};
}

int HeatmapView::levelOf(double scale) const {
    return std::clamp(static_cast<int>(std::ceil(-std::log2(scale * std::min(1.0, stretch)) - 0.01)), 0,
                      map.levels - 1);
}
int HeatmapView::level() const { return levelOf(view.scale); }

QPointF HeatmapView::cellAt(QPointF at) const {
    const QPointF offset = (at - mapArea(rect()).center()) / view.scale;
    return {view.col + offset.x(), view.row + offset.y() / stretch};
}

void HeatmapView::resetZoom() {
    view = wholeMap(mapArea(rect()));
    fitted = true;
    moved();
}

void HeatmapView::zoomAt(QPointF at, double factor) {
    const QPointF fixed = cellAt(at);
    const double least = wholeMap(mapArea(rect())).scale;
    const double scale = std::clamp(view.scale * factor, least, std::max(least, largestCell));
    const QPointF offset = at - mapArea(rect()).center();
    view = {fixed.y() - offset.y() / (scale * stretch), fixed.x() - offset.x() / scale, scale};
    fitted = scale == least;
    moved();
}

void HeatmapView::moved() {
    view.row = std::clamp(view.row, 0.0, static_cast<double>(map.rows));
    view.col = std::clamp(view.col, 0.0, static_cast<double>(map.cols));
    if (fitted)
        view = wholeMap(mapArea(rect()));
    if (!asked.isEmpty()) {
        asked.clear();
        emit tilesDropped();
    }
    if (map.lazy)
        askTimer.start();
    update();
}

void HeatmapView::requestVisible() {
    const QRectF area = mapArea(rect());
    const int at = level();
    const double size = std::ldexp(static_cast<double>(map.tileSize), at);
    const QPointF first = cellAt(area.topLeft()), last = cellAt(area.bottomRight());
    const auto bounded = [&](double value, int64_t cells) {
        return std::clamp<int64_t>(static_cast<int64_t>(std::floor(value / size)), 0,
                                   std::max<int64_t>(0, static_cast<int64_t>((static_cast<double>(cells) - 1) / size)));
    };
    for (int64_t row = bounded(first.y(), map.rows); row <= bounded(last.y(), map.rows); ++row)
        for (int64_t col = bounded(first.x(), map.cols); col <= bounded(last.x(), map.cols); ++col) {
            const Key key{at, row, col};
            if (!tiles.contains(key) && !asked.contains(key)) {
                asked.insert(key);
                emit tileWanted(at, row, col);
            }
        }
}

// Colour --------------------------------------------------------------------------------------------------------------

void HeatmapView::resizeEvent(QResizeEvent* event) {
    FigureView::resizeEvent(event);
    moved();
}

void HeatmapView::wheelEvent(QWheelEvent* event) {
    zoomAt(event->position(), std::exp2(event->angleDelta().y() / 240.0));
    event->accept();
}

void HeatmapView::mousePressEvent(QMouseEvent* event) {
    pressed = event->position();
    pressedView = view;
    dragged = false;
}

void HeatmapView::mouseMoveEvent(QMouseEvent* event) {
    hover = event->position();
    if (event->buttons() & Qt::LeftButton) {
        const QPointF offset = (event->position() - pressed) / view.scale;
        dragged |= (event->position() - pressed).manhattanLength() > 4;
        if (dragged && !fitted) {
            view.col = pressedView.col - offset.x();
            view.row = pressedView.row - offset.y() / stretch;
            moved();
        }
        return;
    }
    probe.clear();
    probeTimer.start();
    update();
}

void HeatmapView::mouseReleaseEvent(QMouseEvent* event) {
    if (!dragged)
        select(cellAt(event->position()));
}

void HeatmapView::select(QPointF cell) {
    if (!map.selectable || cell.x() < 0 || cell.y() < 0 || cell.x() >= static_cast<double>(map.cols) ||
        cell.y() >= static_cast<double>(map.rows))
        return;
    selectedRow = static_cast<int64_t>(cell.y());
    emit selected(selectedRow, static_cast<qint64>(cell.x()));
    update();
}

void HeatmapView::mouseDoubleClickEvent(QMouseEvent*) { resetZoom(); }

void HeatmapView::leaveEvent(QEvent* event) {
    hover = {-1, -1};
    probe.clear();
    update();
    FigureView::leaveEvent(event);
}

void HeatmapView::keyPressEvent(QKeyEvent* event) {
    const double step = 64 / view.scale;
    switch (event->key()) {
    case Qt::Key_Left:
        view.col -= step;
        break;
    case Qt::Key_Right:
        view.col += step;
        break;
    case Qt::Key_Up:
        view.row -= step / stretch;
        break;
    case Qt::Key_Down:
        view.row += step / stretch;
        break;
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        return zoomAt(mapArea(rect()).center(), 2);
    case Qt::Key_Minus:
        return zoomAt(mapArea(rect()).center(), 0.5);
    case Qt::Key_Return:
    case Qt::Key_Enter:
        return select({view.col, view.row});
    case Qt::Key_0:
        return resetZoom();
    default:
        return FigureView::keyPressEvent(event);
    }
    moved();
}

void HeatmapView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange) {
        fillPalette();
        images.clear();
        update();
    }
    FigureView::changeEvent(event);
}

} // namespace warplight::app
