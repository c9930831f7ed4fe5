// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QBuffer>
#include <QImage>
#include <QSvgGenerator>
#include <algorithm>
#include <cmath>

namespace warplight::test {

inline bool near(const QColor& a, const QColor& b, int most = 30) {
    return std::abs(a.red() - b.red()) + std::abs(a.green() - b.green()) + std::abs(a.blue() - b.blue()) < most;
}

/// Pixels near a colour in a part of a picture.
inline int pixelsOf(const QImage& image, const QColor& colour, QRect part = {}) {
    if (part.isNull())
        part = image.rect();
    int count = 0;
    for (int y = std::max(part.top(), 0); y <= std::min(part.bottom(), image.height() - 1); ++y)
        for (int x = std::max(part.left(), 0); x <= std::min(part.right(), image.width() - 1); ++x)
            count += near(image.pixelColor(x, y), colour);
    return count;
}

/// Pixels near a colour in the picture of a view.
inline int pixelsOf(app::FigureView& view, const QColor& colour) { return pixelsOf(view.grab().toImage(), colour); }

/// The view as vector output: what it draws and writes can be looked for in it.
inline QByteArray svgOf(const app::FigureView& view, const QSize& size) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator svg;
    svg.setOutputDevice(&buffer);
    svg.setSize(size);
    QPainter painter(&svg);
    view.render(painter, QRectF(QPointF(), size));
    painter.end();
    return buffer.data();
}

} // namespace warplight::test
