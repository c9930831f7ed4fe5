// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/frame.h"

#include <limits>
#include <span>
#include <string_view>

namespace warplight::lab {

/// What every reader of a figure may rely on: arrays that belong together have matching lengths. Checked where a figure
/// enters the stream and where it is read from it; all throw InputError naming the figure and the member.
void checkFigure(const Figure& figure);
void checkCurve(const Curve& curve);
void checkTile(const TilePut& tile);
/// Times are finite and no span ends before it begins, each is on one of `tracks` tracks.
void checkSpans(std::string_view figure, std::span<const Timeline::Span> spans,
                size_t tracks = std::numeric_limits<size_t>::max());
/// Of scenes' regions, matrices and bars: places are finite, values fill their matrix, bars have a row and a scale.
/// `first`: the number of the first of them in its figure, for the message.
void checkSteps(std::string_view figure, std::span<const Steps::Step> steps, size_t first = 1);

} // namespace warplight::lab
