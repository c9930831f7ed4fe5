#pragma once

#include "core/lab/figure.h"
#include "core/lab/frame.h"

namespace warplight::lab {

/// What every reader of a figure may rely on: arrays that belong together have matching lengths. Checked where a figure
/// enters the stream and where it is read from it; all throw InputError naming the figure and the member.
void checkFigure(const Figure& figure);
void checkCurve(const Curve& curve);
void checkTile(const TilePut& tile);

} // namespace warplight::lab
