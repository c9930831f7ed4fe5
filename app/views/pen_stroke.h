// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/scene_paint.h"

#include <QPainter>
#include <QPointF>

namespace warplight::app {

/// A line that is being drawn over a trace with the mouse: where the pen has been it has the pen's values, elsewhere
/// those that were there.
class PenStroke {
  public:
    /// Begins at a point of the widget, in pixels.
    PenStroke(DrawingSheet sheet, const QPointF& at);

    void moveTo(const QPointF& at);
    /// Whether the pen has been moved so far that something was meant.
    bool counts() const { return way > leastWay; }
    /// Where to go with what was drawn: the sheet's link, with the values among its settings.
    lab::Link link() const;
    void paint(QPainter& painter) const;

  private:
    static constexpr double leastWay = 3; ///< pixels
    int columnAt(double x) const;
    float valueAt(double y) const;

    DrawingSheet sheet;
    QPointF last;
    double way = 0;
};

} // namespace warplight::app
