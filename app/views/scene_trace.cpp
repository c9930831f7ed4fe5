// SPDX-License-Identifier: GPL-3.0-or-later
// A scene's traces: lines, points and stems over positions.
#include "app/views/scene_paint.h"

#include "app/views/theme.h"
#include "core/lab/scene_names.h"

#include <QPainterPath>
#include <QStringList>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace warplight::app {
namespace {

using lab::Steps;

constexpr double pointSize = 2.6;   ///< radius, in pixels at the usual size
constexpr double touchesWithin = 8; ///< pixels between the pointer and a point that it names

QString titleOf(const Steps::Trace& trace) { return QString::fromStdString(trace.title); }

/// From a trace's scales to the pixels of its box.
struct Place {
    const QRectF& box;
    const Steps::Trace& trace;

    QPointF at(double x, double y) const {
        return {box.left() + (x - trace.left) / (trace.right - trace.left) * box.width(),
                box.bottom() - (y - trace.bottom) / (trace.top - trace.bottom) * box.height()};
    }
    std::optional<QPointF> at(size_t point) const {
        const auto y = static_cast<double>(trace.ys[point]);
        const QPointF place = at(lab::positionOf(trace, point), y);
        return std::isfinite(y) && std::isfinite(place.x()) ? std::optional(place) : std::nullopt;
    }
};

QPainterPath lineOf(const Place& place) {
    QPainterPath path;
    bool joins = false;
    for (size_t i = 0; i < place.trace.ys.size(); ++i) {
        const auto point = place.at(i);
        if (point && joins)
            path.lineTo(*point);
        else if (point)
            path.moveTo(*point);
        joins = point.has_value();
    }
    return path;
}

/// The point that the pointer is at: the nearest across for lines and stems, the nearest at all for points.
std::optional<size_t> pointAt(const Place& place, const QPointF& pointer) {
    std::optional<size_t> nearest;
    double least = place.trace.style == Steps::Trace::Style::Points ? touchesWithin : INFINITY;
    for (size_t i = 0; i < place.trace.ys.size(); ++i) {
        const auto point = place.at(i);
        if (!point)
            continue;
        const double away = place.trace.style == Steps::Trace::Style::Points
                                ? std::hypot(point->x() - pointer.x(), point->y() - pointer.y())
                                : std::fabs(point->x() - pointer.x());
        if (away < least) {
            least = away;
            nearest = i;
        }
    }
    return nearest;
}

} // namespace

void paintTrace(QPainter& painter, const QRectF& box, const Steps::Trace& trace, const SceneType& type) {
    const Theme& theme = Theme::current();
    const QColor colour = trace.colourKey.empty() ? theme.muted : theme.series(QString::fromStdString(trace.colourKey));
    const bool reference = trace.provenance == lab::Provenance::Reference;
    const Place place{box, trace};
    painter.save();
    const double edge = pointSize * type.scale + 1;
    painter.setClipRect(box.adjusted(-edge, -edge, edge, edge));
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(colour, (reference ? 1.0 : 1.8) * type.scale, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    if (trace.style == Steps::Trace::Style::Line) {
        painter.drawPath(lineOf(place));
    } else {
        const double pitch = box.width() / static_cast<double>(std::max<size_t>(trace.ys.size(), 1));
        const double radius = pointSize * type.scale, wide = std::max(1.0, 0.7 * pitch);
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        for (size_t i = 0; i < trace.ys.size(); ++i)
            if (const auto point = place.at(i)) {
                const double zero = place.at(0.0, 0.0).y();
                if (trace.style == Steps::Trace::Style::Points)
                    painter.drawEllipse(*point, radius, radius);
                else
                    painter.drawRect(
                        QRectF(QPointF(point->x() - wide / 2, zero), QPointF(point->x() + wide / 2, point->y()))
                            .normalized());
            }
    }
    painter.restore();
}

QString traceTip(const QRectF& box, const Steps::Trace& trace, const QPointF& pointer) {
    const auto point = trace.title.empty() ? std::nullopt : pointAt({box, trace}, pointer);
    if (!point)
        return {};
    return QString("%1 at %2: %3 (%4)")
        .arg(titleOf(trace), numberText(lab::positionOf(trace, *point), "", "{:.5g}"),
             numberText(static_cast<double>(trace.ys[*point]), QString::fromStdString(trace.unit),
                        trace.unit.empty() ? "{:.4g}" : ""),
             badgeText(trace.provenance));
}

} // namespace warplight::app
