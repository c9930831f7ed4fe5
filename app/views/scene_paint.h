// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <QPainter>
#include <QRectF>
#include <QString>

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

/// Scenes' values and bars, apart from where they stand (scene_data.cpp).
struct SceneType {
    double scale = 1; ///< of all type and lines
    QFont text(double pixels, QFont::Weight weight = QFont::Normal) const;
    QFont mono(double pixels) const;
};
void paintMatrix(QPainter& painter, const QRectF& box, const lab::Steps::Matrix& matrix, const SceneType& type);
void paintBars(QPainter& painter, const QRectF& box, const lab::Steps::Bars& bars, const SceneType& type);
/// Ink that can be read on a ground of that colour.
QColor inkOn(const QColor& ground);
/// A line of text above a box, beginning at its left edge.
void paintTitle(QPainter& painter, const QRectF& box, const QString& title, const QFont& font, const QColor& colour,
                double gap);

} // namespace warplight::app
