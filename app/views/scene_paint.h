// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <QPainter>
#include <QRectF>
#include <QString>
#include <optional>

namespace warplight::app {

/// Paints a scene of `steps` (one of its steps, or one on the way between two) and what lies under all of them, into
/// `area` at any size. Type grows with the area; below `leastType` times its usual size it does not shrink with it.
void paintScene(QPainter& painter, const QRectF& area, const lab::Steps& steps, const lab::Steps::Step& scene,
                double leastType = 0.85);

/// What the value at a point of that area is, in words: "S = Q₂ K₁ᵀ, 16, 8: −0.42"; empty: there is none.
QString sceneTip(const QRectF& area, const lab::Steps& steps, const lab::Steps::Step& scene, const QPointF& point);

/// Where a click at a point of that area goes; null: nowhere.
const lab::Link* sceneLink(const QRectF& area, const lab::Steps& steps, const lab::Steps::Step& scene,
                           const QPointF& point);

/// A trace that can be drawn with the mouse, and what it belongs to.
struct DrawingSheet {
    lab::Steps::Trace trace;
    lab::Link link;
    QRectF box; ///< in pixels
};
/// What would be drawn on at a point of that area; nothing where that is not possible.
std::optional<DrawingSheet> sceneSheet(const QRectF& area, const lab::Steps& steps, const lab::Steps::Step& scene,
                                       const QPointF& point);

/// Scenes' values and bars, apart from where they stand (scene_data.cpp).
struct SceneType {
    double scale = 1; ///< of all type and lines
    QFont text(double pixels, QFont::Weight weight = QFont::Normal) const;
    QFont mono(double pixels) const;
};
void paintMatrix(QPainter& painter, const QRectF& box, const lab::Steps::Matrix& matrix, const SceneType& type);
void paintBars(QPainter& painter, const QRectF& box, const lab::Steps::Bars& bars, const SceneType& type);
/// scene_trace.cpp
void paintTrace(QPainter& painter, const QRectF& box, const lab::Steps::Trace& trace, const SceneType& type);
/// The value of the point that a pointer in this box is at; empty: there is none.
QString traceTip(const QRectF& box, const lab::Steps::Trace& trace, const QPointF& pointer);
/// Ink that can be read on a ground of that colour.
QColor inkOn(const QColor& ground);
/// A line of text above a box, beginning at its left edge.
void paintTitle(QPainter& painter, const QRectF& box, const QString& title, const QFont& font, const QColor& colour,
                double gap);

} // namespace warplight::app
