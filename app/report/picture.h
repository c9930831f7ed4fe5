#pragma once

#include "core/lab/record.h"

#include <QImage>
#include <QString>

#include <memory>

namespace warplight::app {

class FigureView;

/// The view of a run's figure with the tiles that the run has kept.
std::unique_ptr<FigureView> viewOf(const lab::RunRecord& run, const lab::Figure& figure);
/// A figure drawn by its own view, as a stand-alone SVG document.
QString pictureSvg(const lab::RunRecord& run, const lab::Figure& figure);
/// The same as pixels, twice the size for sharp print.
QImage pictureImage(const lab::RunRecord& run, const lab::Figure& figure);

} // namespace warplight::app
