// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/picture.h"

#include "app/views/figure_view.h"
#include "app/views/theme.h"

#include <QBuffer>
#include <QSvgGenerator>

namespace warplight::app {

std::unique_ptr<FigureView> viewOf(const lab::RunRecord& run, const lab::Figure& figure) {
    std::unique_ptr<FigureView> view(FigureView::create(figure));
    for (const auto& [key, tile] : run.tiles())
        if (tile.figure == figure.id)
            view->addTile(tile);
    return view;
}

QString svgOf(const QString& title, const QSize& size, const std::function<void(QPainter&, const QRectF&)>& draw) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator svg;
    svg.setOutputDevice(&buffer);
    svg.setSize(size);
    svg.setResolution(96); // the pixels that views draw in
    svg.setViewBox(QRect(QPoint(), size));
    svg.setTitle(title);
    QPainter painter(&svg);
    painter.setFont(textFont()); // not the window's, which the generator would write down
    draw(painter, QRectF(QPointF(), size));
    painter.end();
    return QString::fromUtf8(buffer.data());
}

QString pictureSvg(const lab::RunRecord& run, const lab::Figure& figure) {
    const auto view = viewOf(run, figure);
    return svgOf(QString::fromStdString(figure.title), view->pictureSize(),
                 [&](QPainter& painter, const QRectF& area) { view->render(painter, area); });
}

Drawing drawingOf(const lab::RunRecord& run, const lab::Figure& figure) {
    const auto view = viewOf(run, figure);
    Drawing drawing{QPicture(), view->pictureSize()};
    const QRect area(QPoint(), drawing.size);
    QPainter painter(&drawing.strokes);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(area, Theme::current().panel);
    view->render(painter, area);
    return drawing;
}

QImage imageOf(const Drawing& drawing) {
    QImage image(drawing.size * 2, QImage::Format_ARGB32_Premultiplied);
    image.setDevicePixelRatio(2);
    image.fill(Qt::transparent);
    QPainter painter(&image);
    painter.drawPicture(0, 0, drawing.strokes);
    return image;
}

} // namespace warplight::app
