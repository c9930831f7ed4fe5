// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <QRect>

#include <functional>
#include <vector>

namespace warplight::app {

/// What one figure asks of its page. Pixels, with the frame of its card.
struct FigureNeed {
    lab::Figure::Place place = lab::Figure::Place::Support;
    int width = 0;                       ///< the least that it can be read in
    std::function<int(int)> height;      ///< that suits it at this width
    std::function<int(int)> fullHeight;  ///< in which all of it is seen at this width; 0: it makes use of any
    std::function<int(int)> fullWidth{}; ///< beyond which it leaves room at this height; unset: it makes use of any
};

struct PlacedFigures {
    std::vector<QRect> cards; ///< one a figure, in the same order
    int height = 0;           ///< of all of them
};

constexpr int figureGap = 12; ///< between cards

/// Places figures in rows of one width: main figures in rows of their own, the others in as few rows as they can be
/// read in. Figures of a row are equally high and share its width; none stands alone where it could stand beside its
/// neighbours, and none is made so high that half of its card stays empty. A main figure that keeps its shape, or has
/// room to spare, has the details of what is selected beside it. Where `available` is more than the rows need, those
/// that make use of it take it.
PlacedFigures placeFigures(const std::vector<FigureNeed>& figures, int width, int available);

} // namespace warplight::app
