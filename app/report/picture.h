#pragma once

#include "core/lab/figure.h"

#include <QImage>
#include <QString>

namespace warplight::app {

/// A figure drawn by its own view, as a stand-alone SVG document.
QString pictureSvg(const lab::Figure& figure);
/// The same as pixels, twice the size for sharp print.
QImage pictureImage(const lab::Figure& figure);

} // namespace warplight::app
