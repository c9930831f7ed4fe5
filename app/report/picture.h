// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <QImage>
#include <QPicture>
#include <QRectF>
#include <QSize>
#include <QString>

#include <functional>
#include <memory>

namespace warplight::app {

class FigureView;

/// The view of a run's figure with the tiles that the run has kept.
std::unique_ptr<FigureView> viewOf(const lab::RunRecord& run, const lab::Figure& figure);
/// A figure drawn by its own view, as a stand-alone SVG document.
QString pictureSvg(const lab::RunRecord& run, const lab::Figure& figure);
QString svgOf(const QString& title, const QSize& size, const std::function<void(QPainter&, const QRectF&)>& draw);

/// A drawing that needs its view no more: any thread can make pixels of it.
struct Drawing {
    QPicture strokes;
    QSize size;
};
Drawing drawingOf(const lab::RunRecord& run, const lab::Figure& figure);
/// Its pixels, twice the size for sharp print.
QImage imageOf(const Drawing& drawing);

} // namespace warplight::app
