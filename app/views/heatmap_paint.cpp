// SPDX-License-Identifier: GPL-3.0-or-later
// Heat maps: what is painted.
#include "app/views/heatmap_view.h"
#include "app/views/plot_style.h"
#include "app/views/theme.h"

#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::app {
namespace {

constexpr double tickGap = 6, scaleGap = 14, scaleWidth = 12, scaleTextGap = 5; // beside the cells
constexpr double bottom = 34, top = 8;                                          // above and below them
constexpr int scaleTicks = 4;
constexpr double smallestHatched = 6;                               // pixels
constexpr double numbersApart = 60, labelHeight = 16, labelGap = 8; // pixels between ticks
constexpr size_t mostMeasured = 4096;                               // labels: beyond, their widths are not looked at

/// How far apart the middles of the texts below an axis have to be.
double columnsApart(const lab::Axis& axis) {
    if (axis.labels.empty() || axis.labels.size() > mostMeasured)
        return numbersApart;
    const QFontMetricsF metrics(textFont(11));
    double widest = 0;
    for (const std::string& label : axis.labels)
        widest = std::max(widest, metrics.horizontalAdvance(QString::fromStdString(label)));
    return std::clamp(widest + labelGap, labelHeight * uiScale(), numbersApart);
}

double rowsApart(const lab::Axis& axis) { return axis.labels.empty() ? numbersApart : labelHeight * uiScale(); }

} // namespace

QString HeatmapView::tickText(double position, const lab::Axis& axis) const {
    const auto index = static_cast<size_t>(position);
    return index < axis.labels.size()
               ? QString::fromStdString(axis.labels[index]).left(9)
               : QLocale(QLocale::C).toString(static_cast<qlonglong>(position)).replace(',', QChar(0x202f));
}

QString HeatmapView::scaleText(int tick) const {
    const double low = map.valueMinimum.value_or(0), high = map.valueMaximum.value_or(1);
    const double share = tick / static_cast<double>(scaleTicks);
    const double value =
        map.valueScale == lab::Scale::Linear ? low + share * (high - low) : low * std::pow(high / low, share);
    constexpr double large = 1000; // more digits tell more there, and take no more room than an exponent
    return map.valueUnit.empty() ? plainNumber(value, std::fabs(value) < large ? 2 : 3)
                                 : numberText(value, QString::fromStdString(map.valueUnit));
}

HeatmapView::Margins HeatmapView::margins() const {
    const QFontMetricsF ticks(textFont(11)), values(textFont(10.5));
    double left = ticks.horizontalAdvance(tickText(static_cast<double>(std::max<int64_t>(map.rows - 1, 0)), map.y)),
           right = 0;
    for (const std::string& label : map.y.labels)
        left = std::max(left, ticks.horizontalAdvance(QString::fromStdString(label).left(9)));
    for (int tick = 0; tick <= scaleTicks; ++tick)
        right = std::max(right, values.horizontalAdvance(scaleText(tick)));
    return {std::ceil(left) + tickGap + 2, top * uiScale(), scaleGap + scaleWidth + scaleTextGap + std::ceil(right) + 4,
            bottom * uiScale()};
}

void HeatmapView::fillPalette() {
    const auto last = static_cast<double>(palette.size() - 1);
    for (size_t i = 0; i < palette.size(); ++i) {
        const double position = static_cast<double>(i) / last;
        palette[i] = (map.palette == lab::Heatmap::Palette::Viridis ? Theme::viridis(position)
                                                                    : Theme::current().diverging(2 * position - 1))
                         .rgb();
    }
}

QRgb HeatmapView::colourOf(float value) const {
    if (std::isnan(value))
        return qRgba(0, 0, 0, 0);
    if (std::isinf(value))
        return Theme::current().nonFinite().rgb();
    const double low = map.valueMinimum.value_or(0), high = map.valueMaximum.value_or(1);
    const double position = map.valueScale == lab::Scale::Linear
                                ? (static_cast<double>(value) - low) / (high - low)
                                : (value <= 0 ? 0 : std::log(static_cast<double>(value) / low) / std::log(high / low));
    return palette[static_cast<size_t>(std::clamp(position, 0.0, 1.0) * static_cast<double>(palette.size() - 1))];
}

QImage HeatmapView::coloured(const std::vector<float>& cells, int64_t rows, int64_t cols) const {
    QImage image(static_cast<int>(cols), static_cast<int>(rows), QImage::Format_ARGB32_Premultiplied);
    for (int64_t row = 0; row < rows; ++row) {
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(static_cast<int>(row)));
        for (int64_t col = 0; col < cols; ++col)
            line[col] = colourOf(cells[static_cast<size_t>(row * cols + col)]);
    }
    return image;
}

// Painting ------------------------------------------------------------------------------------------------------------

void HeatmapView::paintMap(QPainter& painter, const QRectF& area, const Viewport& at) const {
    painter.save();
    const QRectF whole = wholeRect(area, at);
    painter.setClipRect(area.intersected(whole));
    const QPointF origin = whole.topLeft();
    painter.fillRect(whole, Theme::current().ground);
    // Coarse to fine: what has not come yet shows the level above it.
    for (int level = map.levels - 1; level >= levelOf(at.scale); --level) {
        const double size = std::ldexp(static_cast<double>(map.tileSize), level) * at.scale;
        for (const Key& key : tiles.keys()) {
            if (key.level != level)
                continue;
            const lab::TilePut* tile = tiles.object(key);
            const double cell = std::ldexp(at.scale, level);
            const QRectF target(
                origin + QPointF(static_cast<double>(key.col), static_cast<double>(key.row) * stretch) * size,
                QSizeF(static_cast<double>(tile->cols) * cell, static_cast<double>(tile->rows) * cell * stretch));
            if (!target.intersects(area))
                continue;
            if (!images.contains(key))
                images.insert(key, new QImage(coloured(tile->cells, tile->rows, tile->cols)),
                              tile->cells.size() * sizeof(QRgb));
            painter.fillRect(target, Theme::current().ground); // masked cells are clear: nothing coarser shows through
            painter.drawImage(target, *images.object(key));
            if (level == levelOf(at.scale))
                hatchInfinities(painter, *tile, target.topLeft(), QSizeF(cell, cell * stretch));
        }
    }
    if (selectedRow >= 0) {
        painter.setPen(QPen(Theme::current().danger, 1));
        const double y = origin.y() + (static_cast<double>(selectedRow) + 0.5) * at.scale * stretch;
        painter.drawLine(QPointF(std::max(area.left(), whole.left()), y),
                         QPointF(std::min(area.right(), whole.right()), y));
    }
    painter.restore();
}

/// Infinite cells, in their colour outside the palette, are hatched where a cell is large enough to show it.
void HeatmapView::hatchInfinities(QPainter& painter, const lab::TilePut& tile, QPointF origin, QSizeF cell) const {
    if (std::min(cell.width(), cell.height()) < smallestHatched)
        return;
    const QBrush hatch(Theme::current().panel, Qt::BDiagPattern);
    for (int64_t row = 0; row < tile.rows; ++row)
        for (int64_t col = 0; col < tile.cols; ++col)
            if (std::isinf(tile.cells[static_cast<size_t>(row * tile.cols + col)]))
                painter.fillRect(QRectF(origin + QPointF(static_cast<double>(col) * cell.width(),
                                                         static_cast<double>(row) * cell.height()),
                                        cell),
                                 hatch);
}

QRectF HeatmapView::wholeRect(const QRectF& area, const Viewport& at) const {
    return {area.center() - QPointF(at.col, at.row * stretch) * at.scale,
            QSizeF(static_cast<double>(map.cols), static_cast<double>(map.rows) * stretch) * at.scale};
}

void HeatmapView::paintTicks(QPainter& painter, const QRectF& area, const Viewport& at) const {
    const QRectF shown = area.intersected(wholeRect(area, at));
    painter.setPen(Theme::current().muted);
    painter.setFont(textFont(11));
    const auto stepOf = [](double pixels, double apart) {
        return std::max(1.0, std::exp2(std::ceil(std::log2(apart / pixels))));
    };
    const double step = stepOf(at.scale, columnsApart(map.x)), rowStep = stepOf(at.scale * stretch, rowsApart(map.y));
    const double left = margins().left;
    for (double col = 0; col < static_cast<double>(map.cols); col += step)
        if (const double x = area.center().x() + (col + 0.5 - at.col) * at.scale; x >= area.left() && x <= area.right())
            painter.drawText(QRectF(x - 40, shown.bottom() + 2, 80, 16 * uiScale()), Qt::AlignCenter,
                             tickText(col, map.x));
    for (double row = 0; row < static_cast<double>(map.rows); row += rowStep)
        if (const double y = area.center().y() + (row + 0.5 - at.row) * at.scale * stretch;
            y >= area.top() && y <= area.bottom())
            painter.drawText(QRectF(shown.left() - left, y - 8 * uiScale(), left - tickGap, 16 * uiScale()),
                             Qt::AlignRight | Qt::AlignVCenter, tickText(row, map.y));
    painter.drawText(QRectF(shown.left(), shown.bottom() + 16 * uiScale(), shown.width(), 16 * uiScale()),
                     Qt::AlignLeft,
                     tr("%1 →   %2 ↓").arg(QString::fromStdString(map.x.title), QString::fromStdString(map.y.title)));
    if (map.lazy) {
        const int level = levelOf(at.scale);
        const int64_t cell = int64_t{1} << level;
        painter.drawText(QRectF(shown.left(), shown.bottom() + 16 * uiScale(), shown.width(), 16 * uiScale()),
                         Qt::AlignRight,
                         level == 0 ? tr("level 0: every cell")
                                    : tr("level %1 of %2 · 1 cell = %3 × %3 · %4")
                                          .arg(level)
                                          .arg(map.levels - 1)
                                          .arg(cell)
                                          .arg(QString::fromStdString(map.pooling)));
    }
}

void HeatmapView::paintScale(QPainter& painter, const QRectF& area, const Viewport& at) const {
    const QRectF shown = area.intersected(wholeRect(area, at));
    const QRectF bar(shown.right() + scaleGap, shown.top(), scaleWidth, shown.height());
    for (int y = 0; y < static_cast<int>(bar.height()); ++y)
        painter.fillRect(
            QRectF(bar.left(), bar.bottom() - y - 1, bar.width(), 1.5),
            QColor(palette[static_cast<size_t>(y / bar.height() * static_cast<double>(palette.size() - 1))]));
    painter.setPen(Theme::current().muted);
    painter.setFont(textFont(10.5));
    for (int tick = 0; tick <= scaleTicks; ++tick) {
        const double y = bar.bottom() - tick * bar.height() / scaleTicks;
        painter.drawText(QRectF(bar.right() + scaleTextGap, y - 8 * uiScale(), margins().right, 16 * uiScale()),
                         Qt::AlignLeft | Qt::AlignVCenter, scaleText(tick));
    }
}

/// Where the viewport lies in the whole, while it shows a part.
void HeatmapView::paintOverview(QPainter& painter, const QRectF& area) const {
    if (fitted)
        return;
    constexpr double edge = 110;
    const double longest = static_cast<double>(std::max(map.rows, map.cols));
    const QSizeF size(std::max(8.0, edge * static_cast<double>(map.cols) / longest),
                      std::max(8.0, edge * static_cast<double>(map.rows) / longest));
    const QRectF inset(QPointF(area.right() - size.width() - 8, area.top() + 8), size);
    painter.fillRect(inset.adjusted(-3, -3, 3, 3), Theme::current().panel);
    paintMap(painter, inset, wholeMap(inset));
    const QRectF whole = wholeRect(area, view);
    const double toInset = inset.width() / whole.width();
    const QRectF seen((area.topLeft() - whole.topLeft()) * toInset + inset.topLeft(), area.size() * toInset);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Theme::current().accent, 1.5));
    painter.drawRect(seen.intersected(inset));
    painter.setPen(Theme::current().line);
    painter.drawRect(inset.adjusted(-3, -3, 3, 3));
}

void HeatmapView::paintProbe(QPainter& painter) const {
    if (probe.isEmpty() || hover.x() < 0)
        return;
    painter.setFont(monoFont(11));
    const QRectF text = painter.boundingRect(QRectF(0, 0, 500, 200), Qt::AlignLeft, probe.join('\n'));
    QRectF box(hover + QPointF(14, 14), text.size() + QSizeF(16, 12));
    box.moveRight(std::min(box.right(), width() - 4.0));
    box.moveBottom(std::min(box.bottom(), height() - 4.0));
    painter.setBrush(Theme::current().panel);
    painter.setPen(Theme::current().line);
    painter.drawRoundedRect(box, 6, 6);
    painter.setPen(Theme::current().ink);
    painter.drawText(box.adjusted(8, 6, -8, -6), Qt::AlignLeft, probe.join('\n'));
}

void HeatmapView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QRectF area = mapArea(rect());
    paintMap(painter, area, view);
    paintTicks(painter, area, view);
    paintScale(painter, area, view);
    paintOverview(painter, area);
    paintProbe(painter);
}

void HeatmapView::render(QPainter& painter, const QRectF& whole) const {
    const QRectF area = mapArea(whole);
    Viewport at = fitted ? wholeMap(area) : view;
    // What is there, not what the paper's resolution would ask for.
    paintMap(painter, area, at);
    paintTicks(painter, area, at);
    paintScale(painter, area, at);
}

// Input ---------------------------------------------------------------------------------------------------------------

} // namespace warplight::app
