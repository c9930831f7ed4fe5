// SPDX-License-Identifier: GPL-3.0-or-later
// A scene's values: matrices as small heat maps, bars.
#include "app/views/scene_paint.h"

#include "app/views/theme.h"

#include <QImage>
#include <QPaintEngine>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::app {
namespace {

using lab::Steps;

QString qt(const std::string& text) { return QString::fromStdString(text); }

/// What fits into a cell: "0.42", "−1.7e+05", "NaN".
QString shortText(double value, int decimals) {
    if (std::isnan(value))
        return "NaN";
    if (std::isinf(value))
        return value > 0 ? "∞" : "−∞";
    const QString text = QString::number(value, std::fabs(value) < 100 ? 'f' : 'g', decimals);
    return text.toDouble() == 0 ? QString::number(0.0, 'f', decimals) : QString(text).replace('-', "−");
}

struct Range {
    double minimum = 0, maximum = 1;
    double position(double value) const { return maximum > minimum ? (value - minimum) / (maximum - minimum) : 0.5; }
};

Range rangeOf(const Steps::Matrix& matrix) {
    double least = INFINITY, most = -INFINITY;
    for (const float value : matrix.values)
        if (std::isfinite(value)) {
            least = std::min(least, static_cast<double>(value));
            most = std::max(most, static_cast<double>(value));
        }
    Range range{matrix.minimum.value_or(least), matrix.maximum.value_or(most)};
    if (!std::isfinite(range.minimum) || !std::isfinite(range.maximum))
        return {};
    if (matrix.palette == lab::Heatmap::Palette::Diverging)
        range.maximum = std::max(std::fabs(range.minimum), std::fabs(range.maximum)), range.minimum = -range.maximum;
    return range;
}

void hatch(QPainter& painter, const QRectF& box, const QColor& ground, const QColor& lines) {
    painter.fillRect(box, ground);
    painter.fillRect(box, QBrush(lines, Qt::BDiagPattern));
}

/// Names of rows, or of columns, every so many that they do not touch.
void paintNames(QPainter& painter, const QRectF& box, const std::vector<std::string>& names, bool rows,
                const SceneType& type) {
    if (names.empty())
        return;
    painter.setFont(type.mono(10));
    painter.setPen(Theme::current().muted);
    const QFontMetricsF metrics(painter.font());
    const double step = (rows ? box.height() : box.width()) / static_cast<double>(names.size());
    double needed = metrics.height() * 0.9;
    for (const std::string& name : names)
        needed = rows ? needed : std::max(needed, metrics.horizontalAdvance(qt(name)) + 4 * type.scale);
    const auto stride = static_cast<size_t>(std::max(1.0, std::ceil(needed / step)));
    for (size_t i = 0; i < names.size(); i += stride) {
        const double at = (static_cast<double>(i) + 0.5) * step;
        if (rows)
            painter.drawText(QRectF(box.left() - 205 * type.scale, box.top() + at - 20, 200 * type.scale, 40),
                             Qt::AlignRight | Qt::AlignVCenter, qt(names[i]));
        else
            painter.drawText(QRectF(box.left() + at - 100, box.top() - metrics.height() - 1, 200, metrics.height()),
                             Qt::AlignHCenter | Qt::AlignVCenter, qt(names[i]));
    }
}

/// A bar from pixel `left` to `right`, its tick at pixel `mark`.
void paintBar(QPainter& painter, double left, double right, std::optional<double> mark, const QRectF& row,
              const Steps::Bars::Bar& bar, bool alone, const SceneType& type) {
    const Theme& theme = Theme::current();
    const QColor colour = theme.series(qt(bar.colourKey));
    const bool hollow = bar.provenance == lab::Provenance::Modelled || bar.provenance == lab::Provenance::Reference;
    QRectF box(std::min(left, right), row.top(), std::max(std::fabs(right - left), 1.0), row.height());
    const double radius = alone ? std::min({3.0 * type.scale, box.width() / 2, box.height() / 2}) : 0;
    painter.setPen(hollow ? QPen(colour, 1.4 * type.scale, Qt::DashLine) : QPen(Qt::NoPen));
    QColor fill = colour;
    if (hollow) {
        fill.setAlphaF(0.22f);
        box.adjust(0.7, 0.7, -0.7, -0.7);
    }
    painter.setBrush(fill);
    painter.drawRoundedRect(box, radius, radius);
    if (bar.text.empty() || (!alone && box.width() < 6))
        return;
    const QFont font = alone ? type.mono(10) : type.text(10.5, QFont::DemiBold);
    const QFontMetricsF metrics(font);
    const double wide = metrics.horizontalAdvance(qt(bar.text)), gap = 4 * type.scale;
    if (metrics.height() * 0.8 > row.height() * 1.45)
        return;
    painter.setFont(font);
    const QRectF tall = row.adjusted(0, -20, 0, 20);
    const double after = std::max(box.right(), mark.value_or(box.right())) + gap;
    const bool roomAfter = alone && after + wide <= row.right();
    if ((wide + 2 * gap <= box.width() && (!mark || *mark < box.right() - wide - 2 * gap)) ||
        (alone && !roomAfter && wide + gap <= box.width())) {
        painter.setPen(hollow ? theme.ink : inkOn(colour));
        painter.drawText(QRectF(box.left() + gap / 2, tall.top(), box.width() - (alone ? 1.5 : 1) * gap, tall.height()),
                         (alone ? Qt::AlignRight : Qt::AlignHCenter) | Qt::AlignVCenter, qt(bar.text));
    } else if (alone) { // behind it, or as far right as there is room
        painter.setPen(theme.ink);
        const double after = std::max(box.right(), mark.value_or(box.right())) + gap;
        painter.drawText(
            QRectF(std::min(after, std::max(row.left(), row.right() - wide)), tall.top(), wide + gap, tall.height()),
            Qt::AlignLeft | Qt::AlignVCenter, qt(bar.text));
    }
}

/// The cells of a matrix, `gap` pixels apart.
void paintCells(QPainter& painter, const QRectF& box, const Steps::Matrix& matrix, double gap, const SceneType& type) {
    const Theme& theme = Theme::current();
    std::vector<bool> absent(matrix.values.size());
    for (const uint32_t cell : matrix.absent)
        absent.at(cell) = true;
    const Range range = rangeOf(matrix);
    const double width = box.width() / static_cast<double>(matrix.cols),
                 height = box.height() / static_cast<double>(matrix.rows);
    // With one or two decimals, as small as can be read; else colours alone.
    constexpr double leastPixels = 9, widthOfLetter = 0.62;
    QFont font = type.mono(10.5);
    int decimals = 2;
    double pixels = 0;
    for (; decimals > 0 && pixels < leastPixels; --decimals)
        pixels = std::min(
            {static_cast<double>(font.pixelSize()), (width - 4) / (widthOfLetter * (3 + decimals)), height * 0.75});
    ++decimals;
    const bool told = pixels >= leastPixels;
    font.setPixelSize(std::max(1, static_cast<int>(pixels)));
    painter.setFont(font);
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (int64_t r = 0; r < matrix.rows; ++r)
        for (int64_t c = 0; c < matrix.cols; ++c) {
            const auto index = static_cast<size_t>(r * matrix.cols + c);
            const QRectF cell(QPointF(std::round(box.left() + static_cast<double>(c) * width),
                                      std::round(box.top() + static_cast<double>(r) * height)),
                              QPointF(std::round(box.left() + static_cast<double>(c + 1) * width) - gap,
                                      std::round(box.top() + static_cast<double>(r + 1) * height) - gap));
            const auto value = static_cast<double>(matrix.values[index]);
            QColor ground;
            if (absent[index]) {
                hatch(painter, cell, theme.panel, theme.line);
                continue;
            }
            if (std::isfinite(value)) {
                const double at = range.position(value);
                ground = matrix.palette == lab::Heatmap::Palette::Diverging ? theme.diverging(2 * at - 1)
                                                                            : Theme::viridis(at);
                painter.fillRect(cell, ground);
            } else {
                ground = theme.nonFinite();
                hatch(painter, cell, ground, theme.panel);
            }
            if (told) {
                painter.setPen(inkOn(ground));
                painter.drawText(cell, Qt::AlignCenter, shortText(value, decimals));
            }
        }
}

/// Cells too small for a gap, as one image: in a picture made of strokes each would be a shape of its own, and three
/// matrices of 64 × 64 have 12,288.
void paintFineCells(QPainter& painter, const QRectF& box, const Steps::Matrix& matrix, const SceneType& type) {
    const bool pixels = painter.paintEngine()->type() == QPaintEngine::Raster;
    const double ratio = pixels ? painter.device()->devicePixelRatioF() : 2;
    const QRect whole = box.toAlignedRect();
    if (whole.isEmpty())
        return;
    QImage image(whole.size() * ratio, QImage::Format_ARGB32_Premultiplied);
    image.setDevicePixelRatio(ratio);
    image.fill(Qt::transparent);
    QPainter inside(&image);
    inside.translate(-whole.topLeft());
    paintCells(inside, box, matrix, 0, type);
    inside.end();
    painter.drawImage(whole.topLeft(), image);
}

} // namespace

void paintMatrix(QPainter& painter, const QRectF& box, const Steps::Matrix& matrix, const SceneType& type) {
    const QFontMetricsF small(type.mono(10));
    const double titleGap = 4 * type.scale + (matrix.colNames.empty() ? 0 : small.height());
    paintTitle(painter, box, qt(matrix.title), type.text(11), Theme::current().muted, titleGap);
    paintNames(painter, box, matrix.rowNames, true, type);
    paintNames(painter, box, matrix.colNames, false, type);
    if (matrix.rows <= 0 || matrix.cols <= 0)
        return;
    const double least =
        std::min(box.width() / static_cast<double>(matrix.cols), box.height() / static_cast<double>(matrix.rows));
    painter.save();
    if (least >= 6)
        paintCells(painter, box, matrix, 1, type);
    else
        paintFineCells(painter, box, matrix, type);
    painter.restore();
}

void paintBars(QPainter& painter, const QRectF& box, const Steps::Bars& bars, const SceneType& type) {
    const Theme& theme = Theme::current();
    paintTitle(painter, box, qt(bars.title), type.text(11), theme.muted, 4 * type.scale);
    paintNames(painter, box, bars.rowNames, true, type);
    const double step = box.height() / static_cast<double>(bars.rows);
    const double thick = step < 5 ? step * 0.8 : std::min(step * 0.72, 24 * type.scale);
    const auto at = [&](double value) {
        return box.left() + std::clamp(Range{bars.minimum, bars.maximum}.position(value), 0.0, 1.0) * box.width();
    };
    std::vector<int> inRow(static_cast<size_t>(bars.rows));
    for (const auto& bar : bars.bars)
        ++inRow.at(static_cast<size_t>(bar.row));
    const auto rowOf = [&](int64_t row) {
        return QRectF(box.left(), box.top() + (static_cast<double>(row) + 0.5) * step - thick / 2, box.width(), thick);
    };
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.ground);
    for (int64_t row = 0; row < bars.rows; ++row)
        painter.drawRoundedRect(rowOf(row), std::min(3 * type.scale, thick / 2), std::min(3 * type.scale, thick / 2));
    if (bars.minimum < 0 && bars.maximum > 0)
        painter.fillRect(QRectF(at(0) - 0.5, box.top(), 1, box.height()), theme.line);
    for (const auto& bar : bars.bars) {
        const QRectF row = rowOf(bar.row);
        if (bar.to) {
            paintBar(painter, at(bar.from), at(*bar.to), bar.mark ? std::optional(at(*bar.mark)) : std::nullopt, row,
                     bar, inRow[static_cast<size_t>(bar.row)] == 1, type);
        } else {
            hatch(painter, row, theme.nonFinite(), theme.panel);
            painter.setFont(type.mono(10));
            painter.setPen(inkOn(theme.nonFinite()));
            painter.drawText(row.adjusted(0, -20, 0, 20), Qt::AlignCenter, qt(bar.text));
        }
        if (bar.mark)
            painter.fillRect(QRectF(at(*bar.mark) - type.scale, row.top() - 2 * type.scale, 2 * type.scale,
                                    row.height() + 4 * type.scale),
                             theme.ink);
    }
}

} // namespace warplight::app
