// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/report/paper.h"
#include "core/lab/record.h"

#include <functional>
#include <vector>

namespace warplight::app {

/// Puts a figure on paper, a part a turn: its title, the picture and the explanation. The picture keeps the letters
/// that it has on the screen; two of them share a page where they can. Pages refer to run and figure. Returns what is
/// to be called until it answers true.
std::function<bool(Paper&)> figurePrinter(const lab::RunRecord& run, const lab::Figure& figure);

/// Height of a frame of a film strip to its width.
double frameShape(const lab::Steps& steps);
/// Scenes with values and bars: two frames beside one another would be too small to read.
bool isRich(const lab::Steps& steps);
constexpr double leastType = 0.85; ///< of a scene's type: 7.5 points and more on paper
/// The numbers of a step that have room below its frame: not the tables that a page lists beside the scene.
std::vector<lab::Steps::Fact> shortFacts(const lab::Steps::Step& step);

} // namespace warplight::app
